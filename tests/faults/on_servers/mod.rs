//! Faults around a host, on real servers: nothing is lost, the order of each key is kept, and the host recovers by
//! itself.
//!
//! - [`stage`]: hosts in separate processes, fans whose entries change, and the final checks.
//! - [`outages`]: a server is stopped and started again; connections to it are cut and slowed by a [`proxy`].
//! - [`hosts`]: two hosts at a time, one of which is killed or paused.
//! - [`objects`]: connections that are cut while an object is read.
//! - [`data_streams`]: connections that are cut while records are put and read.
//! - [`shards`]: a shard that splits, as DynamoDB's do and DynamoDB Local's do not ([`resharded`]).

mod data_streams;
mod hosts;
mod objects;
mod outages;
mod proxy;
mod queued;
mod resharded;
mod shards;
mod stage;
