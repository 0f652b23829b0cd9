//! `tamis query`: runs a query over files, with the time and the functions of a job, and prints its rows.

mod explain;
mod print;

use std::path::PathBuf;

use clap::ValueEnum;

use self::print::Printer;
use super::bind::{self, Named};
use super::run::Policy as OnFailure;
use crate::fault::Fault;
use crate::job::{Folder, Project};
use crate::pipeline::bounded::{Bounded, BoundedInput, Cut, Summary, default_policies};
use crate::query::Script;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::udf::Limits;
use crate::window::time::{OnViolation, Policies};

/// Arguments of `tamis query`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("query").required(true).multiple(true).args(["file", "text", "project"])))]
pub(super) struct Args {
    /// The file with the query; `-` is standard input.
    #[arg(short = 'f', long = "file", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The query itself.
    #[arg(short = 'e', long = "execute")]
    text: Option<String>,
    /// A project's folder: its query, inputs, functions and settings, where nothing else is said.
    #[arg(long)]
    project: Option<PathBuf>,
    /// Rows of an input, as NAME=FILE: JSON lines, a JSON array or CSV; `-` is standard input. A row may say when it arrived in
    /// `_arrival`.
    #[arg(long, value_name = "NAME=FILE", value_parser = bind::named)]
    input: Vec<Named>,
    /// Rows of reference data, as NAME=FILE.
    #[arg(long, value_name = "NAME=FILE", value_parser = bind::named)]
    reference: Vec<Named>,
    /// A function, as NAME=FILE.js (scalar or aggregate) or NAME=FILE.wasm[#FUNCTION].
    #[arg(long, value_name = "NAME=FILE", value_parser = bind::named)]
    function: Vec<Named>,
    /// Writes the rows of an output to a file, as NAME=FILE.
    #[arg(long, value_name = "NAME=FILE", value_parser = bind::named)]
    output: Vec<Named>,
    /// How late an event may be; -1s: any.
    #[arg(long, value_parser = bind::duration, allow_hyphen_values = true)]
    late: Option<i64>,
    /// How far out of order an event may be.
    #[arg(long, value_parser = bind::duration)]
    out_of_order: Option<i64>,
    /// How far an event's time may be after its arrival.
    #[arg(long, value_parser = bind::duration)]
    early: Option<i64>,
    /// What happens to late events and those out of order.
    #[arg(long, value_enum)]
    policy: Option<Policy>,
    /// What happens to a row that fails: the job stops, as in Stream Analytics, or the row goes to the dead letter.
    #[arg(long, value_enum, default_value_t = OnFailure::Stop)]
    on_error: OnFailure,
    /// Prints, for each event, arrival, event time, policy applied, watermark and windows.
    #[arg(long)]
    explain_time: bool,
    /// How rows are printed: a table on a terminal, else JSON lines.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// What the clock says: the time of rows that have none. The present moment when nothing is said.
    #[arg(long, value_parser = moment)]
    now: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Their time is moved to the nearest one that is allowed.
    Adjust,
    /// They are dropped.
    Drop,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// JSON lines: {"output": NAME, "row": {…}}.
    Json,
    /// A table for each output.
    Table,
}

/// So many rejected rows are shown.
const SHOWN: usize = 5;

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time such as 2025-01-01T00:00:00Z is expected".to_owned())
}

pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let project = args.project.as_deref().map(|path| Project::read(Folder::on_disk(super::project_folder(path)))).transpose()?;
    let (file, text) = script(args, project.as_ref())?;
    let (mut inputs, mut references, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(project) = &project {
        for input in &project.inputs {
            let list = if input.reference { &mut references } else { &mut inputs };
            list.push(bind::of_project(input, &project.folder));
        }
        functions.clone_from(&project.functions);
    }
    take(&mut inputs, &args.input)?;
    take(&mut references, &args.reference)?;
    for given in &args.function {
        bind::replace(&mut functions, bind::function(given)?);
    }
    let policies = project.as_ref().map_or_else(default_policies, |project| bind::policies(&project.config));
    let bounded = Bounded {
        script: Script { file: &file, text: &text },
        outputs: None,
        inputs,
        references,
        functions,
        folder: project.map_or_else(|| Folder::on_disk(""), |project| project.folder),
        ordering: ordering(args, policies),
        policies,
        on_error: args.on_error.into(),
        explain: args.explain_time,
        cut: Cut::Whole,
        now: args.now.unwrap_or_else(|| SystemClock.now()),
        limits: Limits::default(),
    };
    let mut printer = Printer::new(args.format, &args.output);
    let ran = bounded.run(&mut |output, batch| printer.write(output, batch));
    let summary = match ran {
        Ok(summary) => summary,
        Err(_) if printer.is_closed() => return Ok(()),
        Err(fault) => {
            printer.finish(&[])?;
            return Err(explained(with_caret(fault, &file, &text)));
        }
    };
    printer.finish(&summary.outputs)?;
    if args.explain_time {
        printer.explain(&summary.explained)?;
    }
    tell(&summary, args.explain_time);
    Ok(())
}

fn script(args: &Args, project: Option<&Project>) -> Result<(String, String), Fault> {
    if let Some(text) = &args.text {
        return Ok(("query".to_owned(), text.clone()));
    }
    match (&args.file, project) {
        (Some(path), _) if path.as_os_str() == "-" => {
            let text = std::io::read_to_string(std::io::stdin());
            Ok((
                "standard input".to_owned(),
                text.map_err(|error| Fault::outside(format!("standard input cannot be read: {error}")).never())?,
            ))
        }
        (Some(path), _) => {
            let file = path.display().to_string();
            Ok((file.clone(), Folder::on_disk("").text(&file)?))
        }
        (None, Some(project)) => Ok((project.script.file.clone(), project.script.text.clone())),
        (None, None) => Err(Fault::job("no query is given")),
    }
}

/// What the command line gives takes the place of the project's.
fn take(list: &mut Vec<BoundedInput>, given: &[Named]) -> Result<(), Fault> {
    for given in given {
        list.retain(|known| !known.name.eq_ignore_ascii_case(&given.name));
        list.push(bind::input(given)?);
    }
    Ok(())
}

/// `None`: no policy is asked for.
fn ordering(args: &Args, defaults: Policies) -> Option<Policies> {
    if args.late.is_none() && args.out_of_order.is_none() && args.early.is_none() && args.policy.is_none() {
        return None;
    }
    Some(Policies {
        early: args.early.or(defaults.early),
        late: args.late.map_or(defaults.late, |late| (late >= 0).then_some(late)),
        out_of_order: args.out_of_order.unwrap_or(defaults.out_of_order),
        on_violation: match args.policy {
            None => defaults.on_violation,
            Some(Policy::Adjust) => OnViolation::Adjust,
            Some(Policy::Drop) => OnViolation::Drop,
        },
    })
}

/// An error at run time names a place of the query: the line is shown there, as for those that are found before.
fn with_caret(fault: Fault, file: &str, text: &str) -> Fault {
    let shown = fault.to_string();
    let place = shown.strip_prefix(file).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
    let mut numbers = place.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<usize>);
    let (Some(Ok(line)), Some(Ok(column))) = (numbers.next(), numbers.next()) else { return fault };
    let Some(line) = line.checked_sub(1).and_then(|line| text.lines().nth(line)) else { return fault };
    if fault.message.contains("\n  | ") {
        return fault;
    }
    let caret = " ".repeat(column.saturating_sub(1));
    Fault { message: format!("{}\n  | {}\n  | {caret}^", fault.message, line.replace('\t', " ")), ..fault }
}

/// The compiler does not know the command line.
fn explained(fault: Fault) -> Fault {
    if fault.message.contains("there is no input or step") {
        let message = format!(
            "{}\n  the rows of an input come with --input NAME=FILE, those of reference data with --reference NAME=FILE",
            fault.message
        );
        return Fault { message, ..fault };
    }
    if fault.message.contains("there is no function 'ud") {
        return Fault { message: format!("{}\n  a function comes with --function NAME=FILE", fault.message), ..fault };
    }
    fault
}

/// Nothing is lost in silence: what became no row is told.
fn tell(summary: &Summary, explained: bool) {
    let rejected = &summary.rejected;
    if !rejected.is_empty() {
        eprintln!("{} of {} rows went no further:", rejected.len(), summary.rows.max(rejected.len() as u64));
        for row in rejected.iter().take(SHOWN) {
            match row.origin {
                Some(origin) => eprintln!("  row {} ({}): {}", origin.offset + 1, row.step, row.reason),
                None => eprintln!("  a row of {}: {}", row.step, row.reason),
            }
        }
        if rejected.len() > SHOWN {
            eprintln!("  and {} more", rejected.len() - SHOWN);
        }
    }
    if summary.adjusted > 0 && !explained {
        eprintln!("{} events were early, late or out of order; --explain-time shows which", summary.adjusted);
    }
}
