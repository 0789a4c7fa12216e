//! Operator requests to the configured servers: probing them, and making tables and queues.

use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Result, anyhow};
use host_adapters_records::{Error, ErrorKind};

/// Probes each configured server, also for what spin.toml declares. Returns its section and, if it fails, the reason.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<(&'static str, Option<String>)> {
    let (declared, mut found) = (app.declared(), Vec::new());
    for (section, backend) in config.backends() {
        found.push((section, backend.probe(&declared).await.err().map(|error| told(&error))));
    }
    found
}

/// Makes what is missing on the configured servers and changes nothing else.
///
/// # Errors
/// When a server refuses, or what exists differs from spin.toml.
pub async fn provision(app: &App, config: &RuntimeConfig) -> Result<()> {
    let declared = app.declared();
    for (_, backend) in config.backends() {
        backend.provision(&declared).await.map_err(|refusal| anyhow!(refusal))?;
    }
    Ok(())
}

fn told(error: &Error) -> String {
    match error.kind {
        ErrorKind::NotFound => format!("{}; `host-adapters provision` makes what is missing", error.message),
        _ => error.message.clone(),
    }
}
