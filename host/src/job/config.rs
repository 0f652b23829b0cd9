//! `JobConfig.json` (`Configuration.json` in projects of Visual Studio): event ordering, error policy, compatibility level.

use serde_json::Value as Json;

use super::fields::Fields;
use super::{Finding, Folder, JobError};
use crate::fault::nearest;

/// What happens to an event that is late or out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventsPolicy {
    /// Its time is moved to the nearest one that is allowed.
    #[default]
    Adjust,
    /// It is not processed further.
    Drop,
}

/// What happens to a row that its output cannot take. Trouble that may pass is always waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputErrorPolicy {
    /// It is tried again.
    #[default]
    Retry,
    /// It is not written.
    Drop,
    /// The job stops.
    Stop,
}

/// The settings of a job that a local run uses.
#[derive(Debug, Clone, PartialEq)]
pub struct JobConfig {
    /// How late an event may be, in seconds; -1: any.
    pub events_late_arrival_max_delay_in_seconds: i64,
    /// How far out of order an event may be, in seconds.
    pub events_out_of_order_max_delay_in_seconds: i64,
    /// What happens beyond that.
    pub events_out_of_order_policy: EventsPolicy,
    /// `1.0`, `1.1` or `1.2`.
    pub compatibility_level: String,
    /// What happens to a row that its output cannot take.
    pub output_error_policy: OutputErrorPolicy,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            events_late_arrival_max_delay_in_seconds: 5,
            events_out_of_order_max_delay_in_seconds: 0,
            events_out_of_order_policy: EventsPolicy::Adjust,
            compatibility_level: "1.2".to_owned(),
            output_error_policy: OutputErrorPolicy::default(),
        }
    }
}

const LEVELS: [&str; 3] = ["1.0", "1.1", "1.2"];
const MAX_LATE: i64 = 1_814_399;
const POLICIES: [&str; 2] = ["Adjust", "Drop"];
const ERROR_POLICIES: [&str; 3] = ["Retry", "Drop", "Stop"];
/// What a local run reads.
const READ: [&str; 6] = [
    "EventsLateArrivalMaxDelayInSeconds",
    "EventsOutOfOrderMaxDelayInSeconds",
    "EventsOutOfOrderPolicy",
    "CompatibilityLevel",
    "OutputErrorPolicy",
    "ScriptType",
];
/// What is known to matter to the cloud alone.
const CLOUD: [&str; 13] = [
    "DataLocale",
    "StreamingUnits",
    "Sku",
    "UseSystemAssignedIdentity",
    "GlobalStorage",
    "ContentStoragePolicy",
    "CustomCodeStorage",
    "VirtualNetworkConfiguration",
    "DataSourceCredentialDomain",
    "Tags",
    "OutputStartMode",
    "Location",
    "IsStandardV2",
];

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Finding>) -> Result<JobConfig, JobError> {
    let json: Json = folder.json(path)?;
    let fields = Fields::of(&json);
    let wrong = |key: &str, value: &dyn std::fmt::Display, expected: &str| {
        folder.wrong(path, &[key], format!("{key} {value}: {expected} is expected"))
    };
    let default = JobConfig::default();
    let mut errors = Vec::new();
    let mut whole = |key: &str, missing: i64, most: i64| match fields.whole(key) {
        None => missing,
        Some(Ok(value)) if (-1..=most).contains(&value) => value,
        Some(Ok(value)) => {
            errors.push(wrong(key, &value, &format!("-1 to {most}")));
            missing
        }
        Some(Err(given)) => {
            errors.push(wrong(key, &given, &format!("a number from -1 to {most}")));
            missing
        }
    };
    // Left out, Stream Analytics waits for late events for ever.
    let late = whole(READ[0], -1, MAX_LATE);
    let out_of_order = whole(READ[1], default.events_out_of_order_max_delay_in_seconds, MAX_LATE);
    let mut choice = |key: &str, known: &[&str], missing: &str| match fields.shown(key) {
        None => missing.to_owned(),
        Some(given) => match known.iter().find(|known| known.eq_ignore_ascii_case(&given)) {
            Some(known) => (*known).to_owned(),
            None => {
                errors.push(wrong(key, &format!("'{given}'"), &format!("one of {}", known.join(", "))));
                missing.to_owned()
            }
        },
    };
    let policy = choice(READ[2], &POLICIES, POLICIES[0]);
    let level = choice(READ[3], &LEVELS, &default.compatibility_level);
    let output_error_policy = match choice(READ[4], &ERROR_POLICIES, ERROR_POLICIES[0]).as_str() {
        "Drop" => OutputErrorPolicy::Drop,
        "Stop" => OutputErrorPolicy::Stop,
        _ => OutputErrorPolicy::Retry,
    };
    unused(folder, path, fields, notes);
    if let Some(error) = JobError::of(errors) {
        return Err(error);
    }
    if level != "1.2" {
        notes.push(folder.noted(path, &[READ[3]], older(&level)).help("set it to 1.2, which new jobs have; this host always runs as 1.2"));
    }
    if out_of_order < 0 {
        notes.push(folder.noted(path, &[READ[1]], "EventsOutOfOrderMaxDelayInSeconds -1 is run as 0.".to_owned()));
    }
    Ok(JobConfig {
        events_late_arrival_max_delay_in_seconds: late,
        events_out_of_order_max_delay_in_seconds: out_of_order.max(0),
        events_out_of_order_policy: if policy == "Drop" { EventsPolicy::Drop } else { EventsPolicy::Adjust },
        compatibility_level: level,
        output_error_policy,
    })
}

/// What a level below 1.2 does differently.
fn older(level: &str) -> String {
    let names = if level == "1.0" {
        " Level 1.0 writes names in lower case and turns JSON texts that look like times into datetime: here names keep their case and texts \
         stay texts."
    } else {
        ""
    };
    format!(
        "Compatibility level {level} is run as 1.2.{names} Below 1.2 JSON's true and false are bigint 1 and 0, here they are bit; \
         Cosmos DB output merges into a document, here it replaces it."
    )
}

fn unused(folder: &Folder, path: &str, fields: Fields<'_>, notes: &mut Vec<Finding>) {
    let is = |known: &[&str], name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let others: Vec<&str> = fields.names().filter(|name| !is(&READ, name)).collect();
    let (cloud, unknown): (Vec<&str>, Vec<&str>) = others.into_iter().partition(|name| is(&CLOUD, name));
    if !cloud.is_empty() {
        let message = format!("{}: kept for the cloud; a local run does not use them.", cloud.join(", "));
        notes.push(Finding { level: super::Level::Cloud, ..folder.noted(path, &[cloud[0]], message) });
    }
    for name in unknown {
        let help = nearest(name, READ.into_iter().chain(CLOUD)).map(|near| format!("did you mean '{near}'?"));
        notes.push(Finding {
            help,
            ..folder.noted(path, &[name], format!("'{name}' is not a setting that tamis knows; it is kept and not used."))
        });
    }
}
