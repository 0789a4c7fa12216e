//! The status of servers.

use crate::home::Servers;
use crate::require::version_of;
use crate::server::{Install, Kind, Server};
use crate::state::State;
use anyhow::Result;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The present status of one server.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// The service that it replaces.
    pub serves: &'static str,
    /// How close it is to that service.
    pub kind: Kind,
    /// Its version; `None` if it is not installed.
    pub version: Option<String>,
    /// Whether it runs and answers.
    pub condition: Condition,
    /// The address for clients; `None` if it does not run.
    pub endpoint: Option<String>,
    /// The id of its process, if it runs.
    pub pid: Option<i32>,
    /// Its resident memory, MB.
    pub resident_mb: Option<u64>,
    /// The file with its output since the last start.
    pub log: PathBuf,
}

/// Whether a server can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It answers.
    Up,
    /// It runs and does not answer.
    Silent,
    /// It does not run.
    Down,
}

impl Servers {
    /// Reads the status of a server.
    ///
    /// # Errors
    /// When a state file cannot be read.
    pub fn status(&self, server: &Server) -> Result<Status> {
        let place = self.place(server.name);
        let running = State::read(&place)?.filter(|state| state.process.is_alive());
        Ok(Status {
            name: server.name,
            serves: server.serves,
            kind: server.kind,
            version: version(server),
            condition: condition(server, running.as_ref()),
            endpoint: running.as_ref().map(|state| server.endpoint(state.port)),
            pid: running.as_ref().map(|state| state.process.pid),
            resident_mb: running.as_ref().and_then(|state| state.process.resident_mb()),
            log: place.log,
        })
    }
}

fn condition(server: &Server, running: Option<&State>) -> Condition {
    match running {
        None => Condition::Down,
        Some(state) if server.probe.answers(state.port, ANSWER_LIMIT) => Condition::Up,
        Some(_) => Condition::Silent,
    }
}

fn version(server: &Server) -> Option<String> {
    match server.install {
        Install::Maven { version, .. } | Install::Python { version, .. } | Install::Npm { version, .. } => {
            Some(version.to_owned())
        }
        Install::Debian { program, .. } => version_of(program),
    }
}

impl Condition {
    /// The text for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Silent => "does not answer",
            Self::Down => "down",
        }
    }
}
