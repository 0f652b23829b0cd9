//! The npm tool's `testResultSummary.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::case::{Outcome, OutputOutcome, Verdict};
use super::rows;
use crate::fault::Fault;

const FILE: &str = "testResultSummary.json";

/// Writes the summary into a folder.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write<'a>(folder: &Path, script: &str, outcomes: impl Iterator<Item = &'a Outcome>, time: Duration) -> Result<(), Fault> {
    let outcomes: Vec<&Outcome> = outcomes.collect();
    let passed = outcomes.iter().filter(|outcome| outcome.is_passed()).count();
    let summary = json!({
        "Total": outcomes.len(),
        "Passed": passed,
        "Failed": outcomes.len() - passed,
        "Script": script,
        "Results": outcomes.iter().map(|outcome| result(outcome)).collect::<Vec<_>>(),
        "Time": span(time),
    });
    rows::write(&folder.join(FILE), &format!("{summary:#}\n"))
}

fn result(outcome: &Outcome) -> Json {
    let of = |kind: fn(&Verdict) -> bool| outcome.outputs.iter().filter(|output| kind(&output.verdict)).map(record).collect::<Vec<_>>();
    json!({
        "Name": outcome.name,
        "Status": u8::from(!outcome.is_passed()),
        "Time": span(outcome.time),
        "OutputMatched": of(|verdict| matches!(verdict, Verdict::Matched | Verdict::Updated)),
        "OutputNotEqual": of(|verdict| matches!(verdict, Verdict::NotEqual(_))),
        "OutputMissing": of(|verdict| matches!(verdict, Verdict::Missing)),
        "OutputUnexpected": of(|verdict| matches!(verdict, Verdict::Unexpected(_))),
        "OutputUnrequired": of(|verdict| matches!(verdict, Verdict::Unrequired)),
    })
}

fn record(output: &OutputOutcome) -> Json {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    json!({"OutputAlias": output.output, "ExpectedOutput": path(&output.expected), "Output": path(&output.actual)})
}

/// A time span as .NET writes it: `00:00:01.2345678`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}:{:02}.{:07}", seconds / 3600, seconds / 60 % 60, seconds % 60, time.subsec_nanos() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_a_time_span() {
        assert_eq!(span(Duration::from_micros(3_723_004_500)), "01:02:03.0045000");
    }
}
