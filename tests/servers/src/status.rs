//! How servers are.

use crate::home::Servers;
use crate::require::version_of;
use crate::server::{Install, Kind, Server};
use crate::state::State;
use anyhow::Result;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What is known of one server now.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// What it stands for.
    pub serves: &'static str,
    /// How close it is to that.
    pub kind: Kind,
    /// Its version; none where it is not on the machine.
    pub version: Option<String>,
    /// Whether it runs and answers.
    pub condition: Condition,
    /// Where clients find it; none where it does not run.
    pub endpoint: Option<String>,
    /// Its process, where it runs.
    pub pid: Option<i32>,
    /// Memory it holds, in MB.
    pub resident_mb: Option<u64>,
    /// What it wrote since its last start.
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
    /// How a server is.
    ///
    /// # Errors
    /// A state file that cannot be read.
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
        Install::Maven { version, .. } => Some(version.to_owned()),
        Install::Debian { program, .. } => version_of(program),
    }
}

impl Condition {
    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Silent => "does not answer",
            Self::Down => "down",
        }
    }
}
