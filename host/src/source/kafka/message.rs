//! A message as an event; and one message again, for a dead letter whose event was read a while ago.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::start;
use crate::source::Event;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long one message is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A message as an event. Bodies share one buffer.
pub(super) fn event(message: &BorrowedMessage<'_>, buffer: &mut BytesMut) -> Event {
    let body = message.payload().map_or_else(Bytes::new, |body| {
        if body.len() > buffer.capacity() {
            *buffer = BytesMut::with_capacity(body.len().max(64 << 10));
        }
        buffer.extend_from_slice(body);
        buffer.split().freeze()
    });
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Event {
        offset: start::offset(message.offset()),
        enqueued: message.timestamp().to_millis().filter(|millis| *millis >= 0).map_or_else(|| SystemClock.now(), Timestamp::from_millis),
        body,
        key: message.key().map(text),
        properties: headers.filter_map(|header| Some((header.key.to_owned(), text(header.value?)))).collect(),
    }
}

/// Reads single messages, by a consumer of its own that is made when it is needed.
pub(super) struct Again {
    config: ClientConfig,
    topic: String,
    consumer: Mutex<Option<BaseConsumer>>,
}

impl Again {
    pub(super) fn new(config: ClientConfig, topic: String) -> Self {
        Self { config, topic, consumer: Mutex::new(None) }
    }

    /// The message at that place; `None`: the topic no longer has it, or the broker does not answer.
    pub(super) fn read(&self, partition: u32, offset: u64) -> Option<Event> {
        let mut known = self.consumer.lock();
        if known.is_none() {
            *known = self.config.create().ok();
        }
        let consumer = known.as_ref()?;
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(&self.topic, partition.cast_signed(), Offset::Offset(offset.cast_signed())).ok()?;
        consumer.assign(&place).ok()?;
        let start = Instant::now();
        let mut found = None;
        while found.is_none() && start.elapsed() < PATIENCE {
            match consumer.poll(Duration::from_millis(50)) {
                // What is still there of an earlier place is passed over.
                Some(Ok(message)) if message.partition() == partition.cast_signed() && start::offset(message.offset()) == offset => {
                    found = Some(event(&message, &mut BytesMut::new()));
                }
                Some(Ok(_)) | None => {}
                Some(Err(_)) => break,
            }
        }
        let _nothing_more_is_fetched = consumer.unassign();
        found
    }
}

impl std::fmt::Debug for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Again").field("topic", &self.topic).finish_non_exhaustive()
    }
}
