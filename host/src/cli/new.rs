//! `tamis new`: writes a working project with a function and tests.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use include_dir::{Dir, include_dir};

use crate::fault::Fault;

static WINDOWED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/windowed");
static SCORED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/scored");

/// Arguments of `tamis new`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to make; its name is the project's.
    name: PathBuf,
    /// What the project does.
    #[arg(long, value_enum, default_value_t = Template::Windowed)]
    template: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// Counts payments by country in windows of a minute; a JavaScript function reads the country.
    Windowed,
    /// Scores payments with a JavaScript function and keeps the suspicious ones.
    Scored,
}

/// Stands for the project's name in templates.
const NAME: &str = "PROJECT_NAME";

pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let root = &args.name;
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Fault::job("the folder has no name").at(root.display().to_string()))?;
    if name.contains(|letter: char| letter.is_control() || letter == '"' || letter == '\\') {
        return Err(Fault::job("a project's name has no quotes, backslashes or control characters").at(name));
    }
    if std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) || root.is_file() {
        return Err(Fault::job("is there already and not empty").at(root.display().to_string()));
    }
    let template = match args.template {
        Template::Windowed => &WINDOWED,
        Template::Scored => &SCORED,
    };
    write(template, root, &name)?;
    let shown = root.display();
    println!(
        "{shown} is a Stream Analytics project:\n\n  tamis check {shown}\n  tamis test {shown}\n  tamis query --project {shown}\n  tamis run {shown}"
    );
    Ok(())
}

fn write(template: &Dir<'_>, root: &Path, name: &str) -> Result<(), Fault> {
    let cannot =
        |path: &Path, error: &std::io::Error| Fault::outside(format!("cannot be written: {error}")).never().at(path.display().to_string());
    for file in template.files() {
        let path = root.join(file.path().to_string_lossy().replace(NAME, name));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
        }
        let text = file.contents_utf8().ok_or_else(|| Fault::internal(format!("{} is not UTF-8", file.path().display())))?;
        std::fs::write(&path, text.replace(NAME, name)).map_err(|error| cannot(&path, &error))?;
    }
    template.dirs().try_for_each(|folder| write(folder, root, name))
}
