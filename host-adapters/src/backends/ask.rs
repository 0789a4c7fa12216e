//! What an operator asks of the configured servers: whether they answer, and to make what is missing.

use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Result, anyhow};
use host_adapters_records::{Error, ErrorKind};

/// Asks each configured server, also whether it has what spin.toml declares; the result is its section and what is wrong.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<(&'static str, Option<String>)> {
    let (declared, mut found) = (app.declared(), Vec::new());
    for (section, backend) in config.backends() {
        found.push((section, backend.probe(&declared).await.err().map(|error| told(&error))));
    }
    found
}

/// Makes what is missing on the configured servers; what is there is left as it is.
///
/// # Errors
/// When a server refuses, or what is there is not as spin.toml declares it.
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
