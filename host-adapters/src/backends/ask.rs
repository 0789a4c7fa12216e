//! Operator requests to the configured servers: probing them, and making tables and queues.

use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Result, anyhow};
use host_adapters_platform::{Backend, Declared, Difference};
use host_adapters_records::{Error, ErrorKind};
use std::time::Duration;

/// How long a start waits to learn how what is on a server differs. A server that is down does not keep the host from
/// starting.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of probing a configured server.
pub struct Probed {
    /// Its section of the runtime configuration.
    pub section: &'static str,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// Harmless differences between the servers and spin.toml.
    pub differences: Vec<String>,
}

/// Probes each configured server, also for what spin.toml declares.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<Probed> {
    let (declared, mut found) = (app.declared(), Vec::new());
    for (section, backend) in config.backends() {
        let asked = async {
            backend.probe(&declared).await?;
            backend.differences(&declared).await
        };
        let (problem, differences) = match asked.await {
            Ok(differences) => split(differences),
            Err(error) => (Some(told(&error)), Vec::new()),
        };
        let problem = problem.map(|problem| format!("{}: {problem}", backend.address()));
        found.push(Probed { section, problem, differences });
    }
    found
}

/// Reports the differences between a server and spin.toml.
///
/// # Errors
/// When records would not end as spin.toml says.
pub(super) async fn compare(section: &str, backend: &dyn Backend, declared: &Declared) -> Result<()> {
    let asked = tokio::time::timeout(PATIENCE, backend.differences(declared)).await;
    let asked = asked.map_err(|_| "it did not answer in time".to_owned());
    let (problem, differences) = match asked.and_then(|asked| asked.map_err(|error| error.message)) {
        Ok(differences) => split(differences),
        Err(why) => {
            tracing::warn!(section, why, "what is on the server was not compared with spin.toml");
            return Ok(());
        }
    };
    for difference in differences {
        tracing::warn!(section, "{difference}");
    }
    problem.map_or(Ok(()), |problem| Err(anyhow!(problem)))
}

/// The harmful differences as one text, and the others.
fn split(differences: Vec<Difference>) -> (Option<String>, Vec<String>) {
    let (harmful, others): (Vec<_>, Vec<_>) = differences.into_iter().partition(|it| it.is_harmful);
    let [harmful, others] = [harmful, others].map(|some| some.into_iter().map(|it| it.message).collect::<Vec<_>>());
    ((!harmful.is_empty()).then(|| harmful.join("\n")), others)
}

/// Creates what is missing on the configured servers and changes nothing else. Reports each section, with the address
/// of its server, as soon as all of it is there.
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
