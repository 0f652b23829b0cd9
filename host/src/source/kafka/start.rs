//! At which offset a partition is begun. Every start is an offset: a partition that has no events yet has a checkpoint, too.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::queue::Lost;
use super::{KafkaSettings, Start};
use crate::time::Timestamp;

/// How long one question to the broker may take.
const QUESTION: Duration = Duration::from_secs(10);

/// Where a partition is begun.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Begun {
    /// The first offset.
    pub(super) next: u64,
    /// What is gone before it.
    pub(super) lost: Option<Lost>,
    /// Events before that time are left out.
    pub(super) after: Option<Timestamp>,
}

impl Begun {
    pub(super) fn at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }
}

/// Where a partition is begun. `known`: where the host has read to. `new`: the partition was
/// made while the job ran; all of it is read.
pub(super) fn of(
    consumer: &BaseConsumer<Context>,
    settings: &KafkaSettings,
    partition: u32,
    known: Option<u64>,
    new: bool,
) -> KafkaResult<Begun> {
    let number = partition.cast_signed();
    let (oldest, newest) = consumer.fetch_watermarks(&settings.topic, number, QUESTION)?;
    let (oldest, newest) = (offset(oldest), offset(newest));
    // A host that shares partitions goes on where another one has come to.
    let committed = if settings.shared || known.is_none() && settings.start == Start::Checkpoint {
        committed(consumer, &settings.topic, number)?
    } else {
        None
    };
    let known = known.max(committed);
    if let Some(next) = known {
        return Ok(if next < oldest { Begun { lost: Some(gone(next, oldest)), ..Begun::at(oldest) } } else { Begun::at(next) });
    }
    let next = match settings.start {
        Start::End if !new => newest,
        Start::Time(time) => {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(&settings.topic, number, Offset::Offset(time.millis()))?;
            let found = consumer.offsets_for_times(asked, QUESTION)?;
            match found.elements().first().map(|element| (element.offset(), element.error())) {
                Some((_, Err(error))) => return Err(error),
                Some((Offset::Offset(found), Ok(()))) => offset(found),
                // No event is that young.
                _ => newest,
            }
        }
        _ => oldest,
    };
    let after = if let Start::Time(time) = settings.start { Some(time) } else { None };
    Ok(Begun { after, ..Begun::at(next) })
}

/// Where the consumer group stands.
fn committed(consumer: &BaseConsumer<Context>, topic: &str, partition: i32) -> KafkaResult<Option<u64>> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, partition);
    let found = consumer.committed_offsets(asked, QUESTION)?;
    Ok(found.elements().first().and_then(|element| match element.offset() {
        Offset::Offset(next) => Some(offset(next)),
        _ => None,
    }))
}

/// What is said of events that are gone.
pub(super) fn gone(next: u64, oldest: u64) -> Lost {
    let last = oldest.saturating_sub(1);
    let reason = format!(
        "the events of offsets {next} to {last} are gone: the topic kept them too short a time for this host, which had read up to {next}; reading goes on at {oldest}"
    );
    Lost { offset: next, reason }
}

/// Offsets count from 0; negative numbers mean other things.
pub(super) fn offset(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}
