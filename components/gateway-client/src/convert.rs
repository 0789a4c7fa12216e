//! Conversion between the types of the component's exports and those of the wire, which mean the same.

use crate::bindings::exports::registration::platform::{queue, table, types};
use platform_wire::{Error, ErrorKind, queue as wire_queue, table as wire_table};

/// The errors of a batch, each on its own.
pub fn errors(errors: Vec<Option<Error>>) -> Vec<Option<types::Error>> {
    errors.into_iter().map(|error| error.map(Into::into)).collect()
}

impl From<Error> for types::Error {
    fn from(Error { kind, message, retry_after_ms }: Error) -> Self {
        Self { kind: kind.into(), message, retry_after_ms }
    }
}

impl From<ErrorKind> for types::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Throttled => Self::Throttled,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::ConditionFailed => Self::ConditionFailed,
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Denied => Self::Denied,
        }
    }
}

impl From<table::Key> for wire_table::Key {
    fn from(table::Key { pk, sk }: table::Key) -> Self {
        Self { pk, sk }
    }
}

impl From<table::Predicate> for wire_table::Predicate {
    fn from(predicate: table::Predicate) -> Self {
        match predicate {
            table::Predicate::Exists(path) => Self::Exists(path),
            table::Predicate::NotExists(path) => Self::NotExists(path),
            table::Predicate::Equals((path, value)) => Self::Equals(path, value),
        }
    }
}

impl From<table::Update> for wire_table::Update {
    fn from(table::Update { key, set, remove, condition }: table::Update) -> Self {
        let condition = condition.into_iter().map(Into::into).collect();
        Self { key: key.into(), set, remove, condition }
    }
}

impl From<queue::Message> for wire_queue::Message {
    fn from(queue::Message { body, attributes, delay_secs }: queue::Message) -> Self {
        Self { body, attributes, delay_secs }
    }
}
