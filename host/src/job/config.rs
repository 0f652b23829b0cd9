//! `JobConfig.json`: event ordering, error policy, compatibility level.

use serde::Deserialize;

use super::{Folder, JobError, Note};

/// What happens to an event that is late or out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum EventsPolicy {
    /// Its time is moved to the nearest one that is allowed.
    #[default]
    Adjust,
    /// It is not processed further.
    Drop,
}

/// What happens to a row that its output cannot take. Trouble that may pass is always waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
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

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Note>) -> Result<JobConfig, JobError> {
    let config: JobConfig = folder.json(path)?;
    let setting = |message: String| Err(JobError::Setting { file: folder.shown(path), message });
    if !LEVELS.contains(&config.compatibility_level.as_str()) {
        return setting(format!("CompatibilityLevel '{}': one of {} is expected", config.compatibility_level, LEVELS.join(", ")));
    }
    if !(-1..=MAX_LATE).contains(&config.events_late_arrival_max_delay_in_seconds) {
        return setting(format!(
            "EventsLateArrivalMaxDelayInSeconds {}: -1 to {MAX_LATE} is expected",
            config.events_late_arrival_max_delay_in_seconds
        ));
    }
    if config.compatibility_level != "1.2" {
        let message =
            format!("Compatibility level {} is run as 1.2: names keep their case, booleans are bits.", config.compatibility_level);
        notes.push(Note { file: path.to_owned(), message });
    }
    Ok(config)
}
