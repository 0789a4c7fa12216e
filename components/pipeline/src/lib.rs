//! The rules of the data pipeline: from a record of `dataQueue` to a record of the event log (Kafka), in two workers.
//!
//! Pure, like `registration` and `scoring`: no clock and no WIT. Workers read and publish through ports, which tests
//! replace by fakes. Numbers keep every digit on their way ([`object`]).
//!
//! - [`kind`]: the five types of records; [`message`]: `{type, data}`, as it is in both queues and in the event log.
//! - [`identity`]: which entity a record is about, its record id, and the key under which the event log orders it.
//! - [`format`](mod@format): which parts of an entity are published, and how; [`schema`]: `schemas/pipeline/*.json` as
//!   checks.
//! - [`switch`]: `options.dataPipeline` of a campaign; [`topics`]: which topic of the event log has which type.
//! - [`process`]: how process-data handles a batch; [`send`]: how send-data does; [`outcomes`]: the dispositions of a
//!   batch.

pub mod fault;
pub mod format;
pub mod identity;
pub mod kind;
pub mod message;
pub mod object;
pub mod outcomes;
pub mod process;
pub mod schema;
pub mod send;
pub mod switch;
#[cfg(test)]
mod testing;
pub mod topics;
