//! Fakes for the Campaign, Entry and User services: real HTTP servers on the OpenAPI files of `schemas/services`.
//!
//! They behave as the services are documented to: every request is checked against the contract, needs an app-to-app
//! token, and is answered from a store that converges. On top they can be told to fail ([`Faults`]) and asked what they
//! hold and every version they were ever sent, under `/_control/` of each server, without a token. What they hold lives
//! as long as the process that started them, so a host under test can be killed and started again beside them.
//!
//! - [`FakeServices::start`] serves all three, each on a loopback port of its own.
//! - [`contract`] reads the OpenAPI files, [`Token`] checks tokens, [`Faults`] says what goes wrong.
//! - `edge` is the way every request takes; `entries`, `users` and `campaigns` are what the services do.

mod campaigns;
pub mod contract;
mod edge;
mod entries;
mod faults;
mod reply;
mod serve;
mod token;
mod users;

pub use entries::{Arrival, EntryStore, Invites, Operation, Sent};
pub use faults::Faults;
pub use serve::{FakeServices, Options, Service, StartError};
pub use token::{Token, TokenError};
