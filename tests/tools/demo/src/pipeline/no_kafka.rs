//! In place of `kafka.rs`, where the demo is built without a client of Kafka.

use super::read::Logged;
use anyhow::{Result, bail};
use std::path::Path;

/// There is none.
pub enum Kafka {}

impl Kafka {
    /// Refuses.
    pub fn connect(_brokers: &str, _certificates: &Path, _prefix: String) -> Result<Self> {
        bail!("this demo was built without its feature kafka; `cargo demo --servers` builds it")
    }

    /// Never called.
    pub async fn count(&self) -> Result<usize> {
        match *self {}
    }

    /// Never called.
    pub async fn records(&self) -> Result<Vec<Logged>> {
        match *self {}
    }
}
