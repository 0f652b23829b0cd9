//! The rows of a batch on their way to the brokers.

use std::collections::VecDeque;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseProducer;

use super::Told;
use super::message::Messages;
use crate::batch::DocumentKeys;
use crate::sink::Refused;

/// What is known of each row of a batch.
#[derive(Debug)]
pub(super) struct Flight {
    /// Tells the batch.
    first: Vec<u8>,
    rows: Vec<State>,
    to_send: VecDeque<usize>,
    /// How many rows are neither acknowledged nor refused.
    open: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    OnItsWay,
    Acknowledged,
    Refused(String),
}

impl Flight {
    pub(super) fn new(keys: &DocumentKeys) -> Self {
        let count = keys.len();
        Self { first: first(keys), rows: vec![State::Waiting; count], to_send: (0..count).collect(), open: count }
    }

    /// Whether these are the keys of the same batch.
    pub(super) fn is_of(&self, keys: &DocumentKeys) -> bool {
        self.rows.len() == keys.len() && self.first == first(keys)
    }

    pub(super) fn is_done(&self) -> bool {
        self.open == 0
    }

    /// How many rows are not written yet.
    pub(super) fn waiting(&self) -> usize {
        self.open
    }

    /// The next row to send.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.to_send.pop_front()
    }

    pub(super) fn sent(&mut self, row: usize) {
        self.set(row, State::OnItsWay);
    }

    pub(super) fn again(&mut self, row: usize) {
        self.set(row, State::Waiting);
        self.to_send.push_front(row);
    }

    /// What was on its way is lost with its producer.
    pub(super) fn all_again(&mut self) {
        self.rows.iter_mut().filter(|state| **state == State::OnItsWay).for_each(|state| *state = State::Waiting);
        self.to_send = (0..self.rows.len()).filter(|row| self.rows[*row] == State::Waiting).collect();
    }

    pub(super) fn acknowledged(&mut self, row: usize) {
        self.close(row, State::Acknowledged);
    }

    pub(super) fn refused(&mut self, row: usize, reason: String) {
        self.close(row, State::Refused(reason));
    }

    /// The rows that can never be written, ascending.
    pub(super) fn into_refused(self) -> Vec<Refused> {
        let refused = self.rows.into_iter().enumerate().filter_map(|(row, state)| match state {
            State::Refused(reason) => Some(Refused { row, reason }),
            _ => None,
        });
        refused.collect()
    }

    fn set(&mut self, row: usize, state: State) {
        if let Some(known) = self.rows.get_mut(row) {
            *known = state;
        }
    }

    fn close(&mut self, row: usize, state: State) {
        if matches!(self.rows.get(row), Some(State::Waiting | State::OnItsWay)) {
            self.open -= 1;
            self.set(row, state);
        }
    }
}

fn first(keys: &DocumentKeys) -> Vec<u8> {
    if keys.is_empty() { Vec::new() } else { keys.get(0).to_vec() }
}

/// What became of a row that was handed to the producer.
pub(super) enum Sent {
    OnItsWay,
    /// It can never be sent.
    Never(String),
    /// Not now.
    Later(KafkaError),
}

/// Hands a row to the producer.
pub(super) fn send(producer: &BaseProducer<Told>, topic: &str, messages: &Messages<'_>, row: usize) -> Sent {
    let message = match messages.row(row) {
        Ok(message) => message,
        Err(reason) => return Sent::Never(reason),
    };
    match producer.send(message.record(topic, row)) {
        Ok(()) => Sent::OnItsWay,
        Err((error, _)) => match forever(&error) {
            Some(_) => Sent::Never(format!("the message has {} bytes: {error}", message.body.len())),
            None => Sent::Later(error),
        },
    }
}

/// Why a message can never be sent; `None`: it may be sent later.
pub(super) fn forever(error: &KafkaError) -> Option<String> {
    match error.rdkafka_error_code()? {
        code @ (RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::InvalidMessage
        | RDKafkaErrorCode::InvalidMessageSize
        | RDKafkaErrorCode::InvalidTimestamp
        | RDKafkaErrorCode::InvalidRecord) => Some(format!("the server refuses the message: {code}")),
        _ => None,
    }
}
