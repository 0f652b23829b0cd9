//! What `tamis query` and `tamis test` share: files as inputs and functions, a project's inputs as finished inputs.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::job::{EventsPolicy, Folder, FunctionBody, FunctionSettings, InputFormat, InputSettings, InputSource, JobConfig, Module};
use crate::pipeline::bounded::{BoundedInput, Data};
use crate::source::FileFormat;
use crate::window::time::{OnViolation, Policies};

/// `NAME=VALUE` of the command line.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: String,
}

/// Reads `NAME=VALUE`.
pub(super) fn named(text: &str) -> Result<Named, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok(Named { name: name.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err("NAME=FILE is expected".to_owned()),
    }
}

/// A file, or `-`, as the rows of an input. How it is written follows from its extension, else from how it begins.
pub(super) fn input(given: &Named) -> Result<BoundedInput, Fault> {
    let path = PathBuf::from(&given.value);
    if given.value == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Fault::outside(format!("standard input cannot be read: {error}")).never())?;
        return Ok(BoundedInput { name: given.name.clone(), format: sniff(&bytes), data: Data::Bytes(bytes.into()) });
    }
    Ok(BoundedInput { name: given.name.clone(), format: format(&path)?, data: Data::File(path) })
}

/// How a file is written.
pub(super) fn format(path: &Path) -> Result<FileFormat, Fault> {
    let cannot = |error: std::io::Error| Fault::outside(format!("cannot be read: {error}")).never().at(path.display().to_string());
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    if ["csv", "tsv", "json", "jsonl", "ndjson"].contains(&extension.as_str()) {
        return Ok(FileFormat::of(path));
    }
    let mut start = vec![0; 4096];
    let length = file.read(&mut start).map_err(cannot)?;
    Ok(sniff(&start[..length]))
}

/// JSON begins with a bracket; anything else is separated values.
fn sniff(bytes: &[u8]) -> FileFormat {
    let start = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    match start.first() {
        None | Some(b'{' | b'[') => FileFormat::Json,
        Some(_) => {
            let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let delimiter = [b'\t', b';'].into_iter().find(|delimiter| line.contains(delimiter) && !line.contains(&b','));
            FileFormat::Csv { delimiter: delimiter.unwrap_or(b',') }
        }
    }
}

/// A file as a function: `NAME=FILE.js`, scalar or aggregate by its content; `NAME=FILE.wasm[#FUNCTION]`.
pub(super) fn function(given: &Named) -> Result<FunctionSettings, Fault> {
    let (prefix, name) = match given.name.split_once('.') {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case("udf") || prefix.eq_ignore_ascii_case("uda") => (Some(prefix), name),
        _ => (None, given.name.as_str()),
    };
    let (file, target) = given.value.split_once('#').unwrap_or((&given.value, "run"));
    if let Some(known) = file.strip_prefix("builtin:") {
        tracing::debug!(module = known, "The function is the one that comes with the program.");
        let body = FunctionBody::Module { module: Module::BuiltIn, function: target.to_owned() };
        return Ok(FunctionSettings { name: name.to_owned(), aggregate: false, returns: None, body });
    }
    let lower = file.to_ascii_lowercase();
    if lower.ends_with(".wasm") {
        let path = std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file));
        let body = FunctionBody::Module { module: Module::File(path.display().to_string()), function: target.to_owned() };
        return Ok(FunctionSettings { name: name.to_owned(), aggregate: false, returns: None, body });
    }
    if !lower.ends_with(".js") {
        return Err(Fault::job(format!("function '{name}': a .js or a .wasm is expected")).at(file));
    }
    let text = Folder::on_disk("").text(file)?;
    let aggregate = prefix.map_or_else(|| is_aggregate(&text), |prefix| prefix.eq_ignore_ascii_case("uda"));
    let body = FunctionBody::JavaScript { file: file.to_owned(), text };
    Ok(FunctionSettings { name: name.to_owned(), aggregate, returns: None, body })
}

/// An aggregate sets the methods that Stream Analytics calls.
pub(super) fn is_aggregate(script: &str) -> bool {
    let sets = |method: &str| {
        script.match_indices(method).any(|(start, _)| {
            let before = script[..start].trim_end();
            before.strip_suffix('.').is_some_and(|before| before.trim_end().ends_with("this"))
        })
    };
    sets("accumulate") && sets("computeResult")
}

/// Takes the place of functions of the same name.
pub(super) fn replace(functions: &mut Vec<FunctionSettings>, function: FunctionSettings) {
    functions.retain(|known| known.aggregate != function.aggregate || !known.name.eq_ignore_ascii_case(&function.name));
    functions.push(function);
}

/// A project's input with the rows of its local file.
pub(super) fn of_project(input: &InputSettings, folder: &Folder) -> BoundedInput {
    let data = match &input.source {
        InputSource::File { path } => folder.path(path).map_or(Data::Nothing, Data::File),
        InputSource::Log { .. } | InputSource::Kafka(_) | InputSource::Nothing => Data::Nothing,
    };
    let format = match input.format {
        InputFormat::Json => FileFormat::Json,
        InputFormat::Csv { delimiter } => FileFormat::Csv { delimiter },
    };
    BoundedInput { name: input.name.clone(), format, data }
}

/// A job's policies.
pub(super) fn policies(config: &JobConfig) -> Policies {
    let violation = match config.events_out_of_order_policy {
        EventsPolicy::Drop => OnViolation::Drop,
        EventsPolicy::Adjust => OnViolation::Adjust,
    };
    Policies::new(config.events_late_arrival_max_delay_in_seconds, config.events_out_of_order_max_delay_in_seconds, violation)
}

/// A duration such as `5s`, `2m`, `1h 30m` or `500ms`, in ticks of 100 ns; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let expected = || "a duration such as 5s, 2m, 1h or 500ms is expected".to_owned();
    let nanos = match text.trim().parse::<i64>() {
        Ok(seconds) => i128::from(seconds) * 1_000_000_000,
        Err(_) => text.trim().parse::<jiff::SignedDuration>().map_err(|_| expected())?.as_nanos(),
    };
    i64::try_from(nanos / 100).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_their_units() {
        assert_eq!(duration("5s"), Ok(50_000_000));
        assert_eq!(duration("500ms"), Ok(5_000_000));
        assert_eq!(duration("2m"), Ok(1_200_000_000));
        assert_eq!(duration("1h 30m"), Ok(54_000_000_000));
        assert_eq!(duration("7"), Ok(70_000_000));
        assert!(duration("soon").is_err() && duration("").is_err());
    }

    #[test]
    fn a_file_is_known_by_how_it_begins() {
        assert_eq!(sniff(b"\xEF\xBB\xBF [{}]"), FileFormat::Json);
        assert_eq!(sniff(b""), FileFormat::Json);
        assert_eq!(sniff(b"a,b;c\n"), FileFormat::Csv { delimiter: b',' });
        assert_eq!(sniff(b"a;b\n1;2"), FileFormat::Csv { delimiter: b';' });
        assert_eq!(sniff(b"a\tb\n"), FileFormat::Csv { delimiter: b'\t' });
    }

    #[test]
    fn a_script_with_the_methods_of_an_aggregate_is_one() {
        assert!(is_aggregate("function main() { this.init = f; this . accumulate = (v) => {}; this.computeResult = g; }"));
        assert!(!is_aggregate("function main(x) { let accumulate = 1; let computeResult = 2; return x; }"));
    }
}
