//! Starts and stops a host as its manifest declares it: backends, platform, runtime, sources, HTTP.

use crate::components::Components;
use crate::dispatch::Dispatcher;
use crate::gateway::{Callers, Gateway, Health, Tasks};
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use crate::outgoing::TracedServices;
use crate::server::{HttpLimits, Reserved, Server};
use crate::telemetry::Tracing;
use crate::telemetry::executions::Executions;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::queues::{Queues, show_source};
use crate::{backends, endpoint};
use anyhow::Result;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::redrive::Redriver;
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::clock::Clock;
use host_adapters_sources::{Source, SourceContext, Status};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The part of a drain that is left for returning messages, at most; a fifth of a short one.
const RETURN_LIMIT: Duration = Duration::from_secs(3);

/// The addresses that the host listens on.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The address of the components.
    pub http: SocketAddr,
    /// The address of the gateway.
    pub gateway: SocketAddr,
}

impl Addresses {
    /// Takes both addresses, before anything is done that takes long.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn reserve(&self) -> Result<[Reserved; 2]> {
        let same = self.http == self.gateway && self.http.port() != 0;
        anyhow::ensure!(!same, "--listen and --gateway-listen both choose {}; choose two addresses", self.http);
        Ok([Reserved::new(self.http, "--listen")?, Reserved::new(self.gateway, "--gateway-listen")?])
    }
}

/// What the operator decides at the start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the embedded store and of the compiled components.
    pub data: PathBuf,
    /// The addresses to listen on.
    pub addresses: Addresses,
    /// What clients of each address can keep open.
    pub limits: HttpLimits,
    /// The key of the app-to-app tokens: a PEM file (PKCS #8, P-256). Without one, a key is made for this process.
    pub service_key: Option<PathBuf>,
    /// The backends of the platform.
    pub runtime_config: RuntimeConfig,
    /// The shortest wait before a source tries again: [`SHORTEST`](host_adapters_delivery::retry::SHORTEST), and less in
    /// tests, which do not wait for seconds.
    pub shortest_wait: Duration,
}

/// A running host.
pub struct Running {
    /// The addresses that it listens on, with the ports chosen for port 0.
    pub addresses: Addresses,
    /// Hands batches and requests to components.
    pub dispatcher: Dispatcher,
    /// The serving components, and how to replace them.
    pub components: Arc<Components>,
    health: Health,
    drain: Drain,
    sources: JoinSet<Ended>,
    servers: JoinSet<()>,
    stop_servers: CancellationToken,
    _measured: AbortOnDropHandle<((), ())>,
    _secrets: Option<AbortOnDropHandle<()>>,
}

/// Takes the addresses, loads every component, then listens, then starts the sources, so that no event is taken in before it
/// can be handled.
///
/// # Errors
/// When a backend cannot be opened, a component cannot be loaded or an address cannot be used. Nothing runs on then.
pub async fn start(app: App, options: &Options, metrics: Metrics, tracing: Tracing) -> Result<Running> {
    let [http, gateway_address] = options.addresses.reserve()?;
    let app = Arc::new(app);
    let services = backends::services(&app, options.service_key.as_deref())?;
    let service_keys = serde_json::to_value(services.signer().jwks())?;
    let services = TracedServices { services, tracing: tracing.clone() };
    let backends = backends::open(&app, &options.data, &options.runtime_config, services).await?;
    let components = Components::load(&app, &options.data, &backends, tracing.clone()).await?;
    let components = Arc::new(components);
    let dispatcher = Dispatcher::new(components.runtime().clone(), tracing);
    let backoff = Backoff::new().with_shortest(options.shortest_wait);
    let sources = sources(&app, &backends, &dispatcher, backoff);

    let health = Health::new({
        let sources = sources.clone();
        move || sources.iter().map(|source| source.status()).collect::<Vec<Status>>()
    });
    let gateway = Gateway {
        platform: backends.platform.clone(),
        callers: Arc::new(callers(&app)),
        components: Some(components.clone()),
        queues: app.host.declared.queues.keys().cloned().collect(),
        redriver: Some(Redriver {
            queues: backends.sources.queues.clone(),
            browser: backends.browser.clone(),
            dispatch: Arc::new(dispatcher.clone()),
            recoveries: host_adapters_sources::recovery,
            origins: Arc::new(app.dead_letter_queues()),
        }),
        tasks: Some(Tasks { executions: backends.executions.clone(), workers: Arc::new(app.declared().tasks) }),
        metrics,
        health: health.clone(),
        service_keys,
    };
    let router = endpoint::router(Arc::new(app.routes.clone()), dispatcher.clone());
    let http = Server::listen(http, router, options.limits)?;
    let gateway = Server::listen(gateway_address, gateway.router(), options.limits)?;
    let addresses = Addresses { http: http.address()?, gateway: gateway.address()? };
    let stop_servers = CancellationToken::new();
    let servers = [http, gateway].into_iter().map(|server| server.run(stop_servers.clone())).collect();
    let drain = Drain::new();
    let mut feeding = JoinSet::new();
    for source in sources {
        let drain = drain.clone();
        feeding.spawn(async move { source.run(drain).await });
    }
    let measures = (queues(&app, &backends), executions(&app, &backends));
    let _measured =
        AbortOnDropHandle::new(tokio::spawn(async move { tokio::join!(measures.0.watch(), measures.1.watch()) }));
    let _secrets = backends::follow_secrets(&options.runtime_config);
    Ok(Running {
        addresses,
        dispatcher,
        components,
        health,
        drain,
        sources: feeding,
        servers,
        stop_servers,
        _measured,
        _secrets,
    })
}

impl Running {
    /// Stops the intake, lets work in flight end, and returns the rest to its queues; all of that within `grace`. Returns
    /// whether nothing had to be returned.
    pub async fn drain(self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        self.health.drain();
        self.stop_servers.cancel();
        let Self { drain, sources, mut servers, .. } = self;
        let work = grace.saturating_sub(RETURN_LIMIT.min(grace / 5));
        let drained = async {
            let served = async { while servers.join_next().await.is_some() {} };
            tokio::join!(drain.finish(work, sources.join_all()), served).0
        };
        // Messages that are not returned by then become visible again by themselves.
        let ended = tokio::time::timeout_at(end, drained).await;
        ended.is_ok_and(|ended| ended.into_iter().all(|ended| ended == Ended::Drained))
    }
}

fn sources(
    app: &App,
    backends: &backends::Backends,
    dispatcher: &Dispatcher,
    backoff: Backoff,
) -> Vec<Arc<dyn Source>> {
    let mut sources = Vec::new();
    let real = |bucket: &String| (bucket.clone(), backends.platform.objects.real_name(bucket));
    let buckets = Arc::new(app.host.declared.buckets.iter().map(real).collect());
    let context = SourceContext::new("", Arc::new(dispatcher.clone()), backends.sources.clone());
    let context = SourceContext { buckets, backoff, ..context };
    for component in app.components.values() {
        let context = context.of_worker(&component.id);
        sources.extend(component.sources.iter().map(|source| source.source(&context)));
    }
    sources
}

/// All queues, with whether they hold dead letters, and which sources read them.
fn queues(app: &App, backends: &backends::Backends) -> Queues {
    for component in app.components.values() {
        for source in &component.sources {
            if let Some(queue) = source.queue() {
                show_source(&component.id, &source.name(), &queue);
            }
        }
    }
    let dead_letters = app.dead_letter_queues();
    let names = app.declared().queues.into_keys();
    let queues = names.map(|name| (name.clone(), dead_letters.contains_key(&name))).collect();
    Queues::new(backends.sources.queues.clone(), Clock::wall(), queues)
}

/// The executions of all workers' tasks.
fn executions(app: &App, backends: &backends::Backends) -> Executions {
    let workers = backends.executions.iter().flat_map(|_| app.declared().tasks);
    Executions::new(backends.executions.clone(), workers)
}

/// The callers of the gateway: components by their `gateway_token`, clients by their token.
fn callers(app: &App) -> Callers {
    let components = app.components.values().filter_map(|component| {
        let token = component.variables.get("gateway_token")?;
        Some((token.expose().to_owned(), component.id.clone()))
    });
    let clients = app.host.clients.iter().map(|(name, client)| (client.token.expose().to_owned(), name.clone()));
    Callers::new(components.chain(clients))
}
