//! The results as JUnit XML, for continuous integration.

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::case::Outcome;
use super::rows;
use crate::fault::Fault;

/// Writes the report.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, script: &str, outcomes: &[Outcome], time: Duration) -> Result<(), Fault> {
    let mut suite = TestSuite::new(if script.is_empty() { "tamis" } else { script });
    suite.set_time(time);
    suite.add_test_cases(outcomes.iter().map(case));
    let mut report = Report::new("tamis test");
    report.set_time(time);
    report.add_test_suite(suite);
    let text = report.to_string().map_err(|error| Fault::internal(format!("the JUnit report cannot be made: {error}")))?;
    rows::write(path, &text)
}

fn case(outcome: &Outcome) -> TestCase {
    let status = if outcome.is_passed() {
        TestCaseStatus::success()
    } else {
        // A job that stopped is an error, other rows are a failure.
        let kind = if outcome.problem.is_some() { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        let text = outcome.text();
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(text.lines().next().unwrap_or_default()).set_description(text.as_str());
        status
    };
    let mut case = TestCase::new(outcome.name.as_str(), status);
    case.set_time(outcome.time);
    if !outcome.notes.is_empty() {
        case.set_system_out(outcome.notes.join("\n"));
    }
    case
}
