//! Operator requests to the configured servers: probing them, and making tables and queues.

use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Result, anyhow};
use host_adapters_records::{Error, ErrorKind};

/// Probes each configured server, also for what spin.toml declares. Returns its section and, if it fails, the reason.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<(&'static str, Option<String>)> {
    let (declared, mut found) = (app.declared(), Vec::new());
    for (section, backend) in config.backends() {
        let failed = backend.probe(&declared).await.err();
        found.push((section, failed.map(|error| format!("{}: {}", backend.address(), told(&error)))));
    }
    found
}

/// Makes what is missing on the configured servers and changes nothing else. Reports each section, with the address of
/// its server, as soon as all of it is there.
///
/// # Errors
/// When a server refuses, or what exists differs from spin.toml, and when the report fails.
pub async fn provision(
    app: &App,
    config: &RuntimeConfig,
    report: impl Fn(&str, String) -> std::io::Result<()>,
) -> Result<()> {
    let declared = app.declared();
    for (section, backend) in config.backends() {
        let made = backend.provision(&declared).await;
        made.map_err(|refusal| anyhow!("{section} at {}: {refusal}", backend.address()))?;
        report(section, backend.address())?;
    }
    Ok(())
}

fn told(error: &Error) -> String {
    match error.kind {
        ErrorKind::NotFound => format!("{}; `host-adapters provision` makes what is missing", error.message),
        _ => error.message.clone(),
    }
}
