//! The metrics' names: those that Stream Analytics publishes to Azure Monitor, so that dashboards and alerts carry over.
//! Source: "Azure Stream Analytics job metrics".

use metrics::{Unit, describe_counter, describe_gauge};

/// Events read from the inputs.
pub(super) const INPUT_EVENTS: &str = "InputEvents";
/// Bytes of those events.
pub(super) const INPUT_EVENT_BYTES: &str = "InputEventBytes";
/// Events that could not be decoded.
pub(super) const DESERIALIZATION_ERRORS: &str = "DeserializationError";
/// Rows that a step rejected.
pub(super) const CONVERSION_ERRORS: &str = "ConversionErrors";
/// Rows out of order or late that were moved or left out.
pub(super) const DROPPED_OR_ADJUSTED: &str = "DroppedOrAdjustedEvents";
/// Rows written to the outputs.
pub(super) const OUTPUT_EVENTS: &str = "OutputEvents";
/// How far the watermark is behind the clock, in seconds.
pub(super) const WATERMARK_DELAY: &str = "OutputWatermarkDelaySeconds";
/// Events in the log that are not read yet.
pub(super) const BACKLOG: &str = "InputEventsSourcesBacklogged";
/// Calls of functions.
pub(super) const FUNCTION_REQUESTS: &str = "AMLCalloutRequests";
/// Calls of functions in which a row failed.
pub(super) const FUNCTION_FAILED: &str = "AMLCalloutFailedRequests";
/// Rows passed to functions.
pub(super) const FUNCTION_EVENTS: &str = "AMLCalloutInputEvents";
/// Dead letters written; Stream Analytics counts them as runtime errors.
pub(super) const ERRORS: &str = "Errors";
/// Dead letters that were not sent again.
pub(super) const OPEN_DEAD_LETTERS: &str = "DeadLettersOpen";

/// Rows that wait in the outbox, by output.
pub(super) const OUTPUT_BEHIND: &str = "OutputEventsBehind";

/// Tells the recorder what each metric means and starts the counters at zero, so that a scrape shows them all.
pub(super) fn describe() {
    let counters = [
        (INPUT_EVENTS, Unit::Count, "Events read from the inputs."),
        (INPUT_EVENT_BYTES, Unit::Bytes, "Bytes of the events read from the inputs."),
        (DESERIALIZATION_ERRORS, Unit::Count, "Events that could not be decoded."),
        (CONVERSION_ERRORS, Unit::Count, "Rows that a step of the query rejected."),
        (DROPPED_OR_ADJUSTED, Unit::Count, "Rows out of order that were moved or left out."),
        (OUTPUT_EVENTS, Unit::Count, "Rows written to the outputs."),
        (FUNCTION_REQUESTS, Unit::Count, "Calls of functions."),
        (FUNCTION_FAILED, Unit::Count, "Calls of functions in which a row failed."),
        (FUNCTION_EVENTS, Unit::Count, "Rows passed to functions."),
        (ERRORS, Unit::Count, "Dead letters written."),
    ];
    for (name, unit, about) in counters {
        describe_counter!(name, unit, about);
        metrics::counter!(name).increment(0);
    }
    describe_gauge!(WATERMARK_DELAY, Unit::Seconds, "How far the watermark is behind the clock.");
    describe_gauge!(BACKLOG, Unit::Count, "Events in the log that are not read yet.");
    describe_gauge!(OUTPUT_BEHIND, Unit::Count, "Rows that wait in the outbox for an output that is behind.");
    describe_gauge!(OPEN_DEAD_LETTERS, Unit::Count, "Dead letters that were not sent again.");
    metrics::gauge!(WATERMARK_DELAY).set(0.0);
    metrics::gauge!(OPEN_DEAD_LETTERS).set(0.0);
    metrics::gauge!(BACKLOG).set(0.0);
}
