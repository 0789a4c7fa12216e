//! Fakes for the Campaign, Code, Entry and User services and for Slack: real HTTP servers on the OpenAPI files of
//! `schemas/services`.
//!
//! They behave as the documents describe the services: every request is checked against the contract, needs an
//! app-to-app token (Slack gets none), and is answered from a store that converges. Under `/_control/` of each server,
//! without a token, faults can be injected ([`Faults`]), and their contents and every version that they received can be
//! read. Contents live as long as the process that started the fakes, so a host under test can be killed and started
//! again.
//!
//! - [`FakeServices::start`] serves all of them, each on its own loopback port.
//! - [`contract`] reads the OpenAPI files, [`Token`] checks tokens, [`Faults`] selects faults.
//! - `guard` checks every request; `entries`, `users`, `campaigns`, `codes` and `slack` implement the services.
//! - [`FakeServices::violations`] are violations of rules by callers, such as giving one code to two fans.

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
