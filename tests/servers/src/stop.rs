//! Stops servers; their data is kept.

use crate::home::Servers;
use crate::server::Server;
use crate::state::State;
use anyhow::{Context, Result};

impl Servers {
    /// Stops these servers, all at once, and waits until they have ended; reports on stderr. Servers that do not run
    /// are left alone.
    ///
    /// # Errors
    /// When a process does not end, or a state file cannot be read.
    pub fn stop(&self, servers: &[&Server]) -> Result<()> {
        let _lock = self.lock()?;
        let mut ending = Vec::new();
        for server in servers {
            match State::read(&self.place(server.name))?.filter(|state| state.process.is_alive()) {
                Some(state) => ending.push((server.name, state.process)),
                None => eprintln!("{} is not up", server.name),
            }
        }
        ending.iter().try_for_each(|(_, process)| process.ask_to_end())?;
        for (name, process) in ending {
            process.wait_for_end().with_context(|| format!("cannot stop {name}"))?;
            eprintln!("{name} stopped");
        }
        Ok(())
    }

    /// Stops one server, for a command that has the lock.
    pub(crate) fn end(&self, server: &Server) -> Result<()> {
        let Some(state) = State::read(&self.place(server.name))? else { return Ok(()) };
        state.process.ask_to_end()?;
        state.process.wait_for_end()
    }
}
