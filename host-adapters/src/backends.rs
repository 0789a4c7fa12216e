//! The backends of an application, chosen by its configuration: today the embedded ones, in one file.

use crate::manifest::App;
use anyhow::{Context, Result};
use host_adapters_delivery::backends::embedded::{Cache, Embedded};
use host_adapters_delivery::backends::identity::Identity;
use host_adapters_delivery::backends::{QueueBackend, QueueBrowser, StreamBackend, cache::CacheBackend};
use host_adapters_delivery::clock::Clock;
use host_adapters_delivery::platform::PlatformService;
use host_adapters_delivery::services::{Services, Signer};
use std::path::Path;
use std::sync::Arc;

/// What stands behind platform and sources.
pub struct Backends {
    /// The platform with the grants of components and clients.
    pub platform: Arc<PlatformService>,
    /// Queues of sources and dead letters.
    pub queues: Arc<dyn QueueBackend>,
    /// Looks into queues for operators.
    pub browser: Arc<dyn QueueBrowser>,
    /// Change streams.
    pub streams: Arc<dyn StreamBackend>,
    /// `spin:redis`.
    pub cache: Arc<dyn CacheBackend>,
}

/// Opens the embedded store in the folder `data`, which is made if there is none.
///
/// # Errors
/// When the folder or the file cannot be used, or the keys of the identity are no file and no address.
pub fn open(app: &App, data: &Path) -> Result<Backends> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the folder {}", data.display()))?;
    let file = data.join("embedded.sqlite");
    let store = Embedded::open(&file, &app.embedded()).with_context(|| format!("cannot open {}", file.display()))?;
    let store = Arc::new(store);
    let components = app.components.values().map(|it| (it.id.clone(), it.grants.clone()));
    let clients = app.host.clients.iter().map(|(name, client)| (name.clone(), client.grants.clone()));
    let platform = PlatformService {
        grants: components.chain(clients).collect(),
        tables: store.clone(),
        queues: store.clone(),
        documents: store.clone(),
        identity: identity(app)?,
    };
    Ok(Backends {
        platform: Arc::new(platform),
        queues: store.clone(),
        browser: store.clone(),
        streams: store,
        cache: Arc::new(Cache::new(Clock::wall())),
    })
}

/// The policy of outbound calls, with the signing key of a PEM file, or one of this process.
///
/// # Errors
/// When the file cannot be read or holds no such key.
pub fn services(app: &App, key: Option<&Path>) -> Result<Services> {
    let signer = match key {
        None => Signer::generate().context("cannot make a key for the app-to-app tokens")?,
        Some(path) => {
            let pem = std::fs::read(path).with_context(|| format!("cannot read the service key {}", path.display()))?;
            Signer::from_pem(&pem).with_context(|| format!("cannot use {}", path.display()))?
        }
    };
    Services::new(app.host.services.clone(), signer).context("cannot set up outbound HTTP")
}

fn identity(app: &App) -> Result<Option<Arc<Identity>>> {
    let Some(config) = app.host.identity.clone() else { return Ok(None) };
    Ok(Some(Arc::new(Identity::new(config, Clock::wall()).context("cannot use the keys of the identity")?)))
}
