//! Fakes for the Campaign, Code, Entry and User services and for Slack: real HTTP servers on the OpenAPI files of
//! `schemas/services`.
//!
//! They behave as the documents describe the services: every request is checked against the contract, needs an
//! app-to-app token (Slack gets none), and is answered from a store that converges. Under `/_control/` of each server, without a token,
//! they can be told to fail ([`Faults`]) and asked for their contents and for every version that they were sent.
//! Contents live as long as the process that started the fakes, so a host under test can be killed and started again.
//!
//! - [`FakeServices::start`] serves all of them, each on a loopback port of its own.
//! - [`contract`] reads the OpenAPI files, [`Token`] checks tokens, [`Faults`] selects faults.
//! - `guard` checks every request; `entries`, `users`, `campaigns`, `codes` and `slack` implement the services.
//! - [`FakeServices::violations`] are what no caller may ever do, such as to give one code to two fans.

mod campaigns;
mod codes;
pub mod contract;
mod entries;
mod faults;
mod guard;
mod reply;
mod serve;
mod slack;
mod token;
mod users;
mod violations;

pub use codes::{CodeState, CodeStore, PooledCode};
pub use entries::{Arrival, EntryStore, Invites, Operation, Sent, WonCode};
pub use faults::Faults;
pub use serve::{FakeServices, Options, Service, StartError};
pub use slack::{Post, Report, Slack};
pub use token::{Token, TokenError};
