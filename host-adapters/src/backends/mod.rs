//! The backends of an application, chosen by the runtime configuration. Backends that it leaves out are embedded, in
//! one file.

mod ask;
mod open;
mod secrets;
#[cfg(test)]
mod tests;

pub use ask::{Probed, probe, provision};
pub use open::{Backends, open};
pub use secrets::follow as follow_secrets;

use crate::manifest::runtime_config::BackendKind;
use crate::manifest::{App, read_text};
use anyhow::{Context, Result};
use backend_identity::Identity;
use host_adapters_outbound::{Services, Signer};
use host_adapters_platform::IdentityBackend;
use host_adapters_platform::clock::Clock;
use std::path::Path;
use std::sync::Arc;

/// Each line has a section of the runtime configuration, the value of its `type` (also the name of the feature that
/// compiles the crate in), and the crate.
macro_rules! kinds {
    ($($section:literal, $name:literal: $krate:ident;)*) => {
        &[$(BackendKind {
            section: $section,
            name: $name,
            #[cfg(feature = $name)]
            settings: Some(crate::manifest::runtime_config::BackendSettings::of::<$krate::Config>()),
            #[cfg(not(feature = $name))]
            settings: None,
        }),*]
    };
}

/// Every kind of backend except the embedded one. Each is a crate and a feature.
pub const KINDS: &[BackendKind] = kinds! {
    "tables", "dynamodb": backend_dynamodb;
    "queues", "sqs": backend_sqs;
    "documents", "mongodb": backend_mongodb;
    "objects", "s3": backend_s3;
    "data_streams", "kinesis": backend_kinesis;
    "topics", "sns": backend_sns;
    "cache", "redis": backend_redis;
    "tasks", "step-functions": backend_step_functions;
    "event_log", "kafka": backend_kafka;
    "secrets", "secrets-manager": backend_secrets_manager;
};

/// The services. The key that signs their tokens comes from a PEM file, or is made for this process.
///
/// # Errors
/// When the file cannot be read or holds no such key.
pub fn services(app: &App, key: Option<&Path>) -> Result<Services> {
    let signer = match key {
        None => Signer::generate().context("cannot make a key for the app-to-app tokens")?,
        Some(path) => {
            let pem = read_text(path).with_context(|| format!("cannot read the service key {}", path.display()))?;
            Signer::from_pem(pem.as_bytes()).with_context(|| format!("cannot use {}", path.display()))?
        }
    };
    Services::new(app.host.services.clone(), signer).context("cannot set up calls of services")
}

fn identity(app: &App) -> Result<Option<Arc<dyn IdentityBackend>>> {
    let Some(config) = app.host.identity.clone() else { return Ok(None) };
    Ok(Some(Arc::new(Identity::new(config, Clock::wall()).context("cannot use the keys of the identity")?)))
}
