//! What is stored about a server between two commands.

use crate::home::Place;
use crate::process::Process;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A server that was started.
#[derive(Debug, Deserialize, Serialize)]
pub struct State {
    /// Its port, kept when it is stopped, so that the endpoint stays.
    pub port: u16,
    /// Its latest process.
    pub process: Process,
    /// The recipe that it was started with.
    pub recipe: String,
}

impl State {
    /// Reads the state; `None` if the server was never started.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn read(place: &Place) -> Result<Option<Self>> {
        let path = &place.state;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let state = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: end the server by hand and remove the file", path.display()))?;
        Ok(Some(state))
    }

    /// Stores the state. The file is replaced in one step: a damaged file would lose track of a process.
    pub fn write(&self, place: &Place) -> Result<()> {
        let path = &place.state;
        let draft = path.with_extension("draft");
        let written =
            std::fs::write(&draft, serde_json::to_vec_pretty(self)?).and_then(|()| std::fs::rename(draft, path));
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Servers;

    #[test]
    fn a_state_is_read_as_written_and_a_damaged_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        let place = Servers::at(home.path()).place("redis");
        assert!(State::read(&place).unwrap().is_none());

        std::fs::create_dir(&place.folder).unwrap();
        let process = Process { pid: 7, started: 11 };
        State { port: 16379, process, recipe: "r".to_owned() }.write(&place).unwrap();
        let read = State::read(&place).unwrap().unwrap();
        assert_eq!((read.port, read.process, read.recipe.as_str()), (16379, process, "r"));

        std::fs::write(&place.state, "{\"port\":").unwrap();
        assert!(State::read(&place).unwrap_err().to_string().contains("state.json is damaged"));
    }
}
