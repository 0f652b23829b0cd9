//! `tamis check`: everything that is wrong with a project, and what is different here.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::job::{Finding, Folder, Level};
use crate::udf::Limits;

/// Arguments of `tamis check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, or its asaproj.json; the present folder when none is named.
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Prints each finding as a JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints all findings: 0 with notes alone, 1 with errors.
pub(super) fn run(args: &Args) -> ExitCode {
    let folder = super::project_folder(&args.project);
    let found = match crate::pipeline::check(Folder::on_disk(folder), Limits::default()) {
        Ok(found) => found,
        Err(fault) => return super::failed(&fault),
    };
    for finding in &found {
        println!("{}", if args.json { as_json(finding) } else { as_text(finding) });
    }
    let errors = found.iter().filter(|finding| finding.level == Level::Error).count();
    let notes = found.len() - errors;
    if !args.json {
        println!("{}: {}, {}", args.project.display(), counted(errors, "error"), counted(notes, "note"));
    }
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Note => "note",
        Level::Cloud => "cloud",
    }
}

fn as_text(finding: &Finding) -> String {
    let Finding { level, file, place, message, help } = finding;
    let help = help.as_ref().map(|help| format!("\n  help: {}", help.replace('\n', "\n  "))).unwrap_or_default();
    format!("{file}{place}: {}: {message}{help}", word(*level))
}

fn as_json(finding: &Finding) -> String {
    let Finding { level, file, place, message, help } = finding;
    let known = |number: usize| (number > 0).then_some(number);
    json!({
        "level": word(*level), "file": file, "line": known(place.line), "column": known(place.column), "message": message, "help": help,
    })
    .to_string()
}
