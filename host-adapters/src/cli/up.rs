//! `host-adapters up`: runs everything in one process. A component whose file changes is swapped.

use super::{ManifestOptions, RuntimeConfigOptions};
use crate::app::{self, Addresses};
use crate::components::{Components, watch};
use crate::manifest::App;
use crate::server::HttpLimits;
use crate::shutdown::Signals;
use crate::telemetry::{self, Tracing, logs};
use anyhow::Result;
use clap::Args;
use clap::builder::RangedI64ValueParser;
use host_adapters_delivery::retry::SHORTEST;
use host_adapters_failpoint as failpoint;
use host_adapters_failpoint::Failpoint;
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(super) manifest: ManifestOptions,
    #[command(flatten)]
    runtime_config: RuntimeConfigOptions,
    /// The folder of the embedded store and of the compiled components.
    #[arg(long, default_value = ".host-adapters")]
    pub(super) data: PathBuf,
    /// The address of the components.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The address of the gateway: platform, metrics, health. It belongs on loopback.
    #[arg(long, default_value = "127.0.0.1:3100")]
    gateway_listen: SocketAddr,
    /// The key of the app-to-app tokens: a PEM file (PKCS #8, P-256). Without one, a key is made at each start. Either
    /// way its public half is at the gateway's /.well-known/jwks.json.
    #[arg(long, env = "HOST_ADAPTERS_SERVICE_KEY")]
    service_key: Option<PathBuf>,
    /// How long the host may take to end after SIGTERM or SIGINT, seconds; a second SIGINT ends it at once. The default
    /// is below the 30 s after which Kubernetes kills.
    #[arg(long, default_value_t = 25)]
    drain_secs: u64,
    #[command(flatten)]
    limits: LimitOptions,
    /// For tests: once everything listens, abort at the N-th durable step of a kind (`receive`, `response`,
    /// `side-effect`, `delete`, …), or at the N-th side effect of a worker (`side-effect@save-entries:N`), without
    /// finishing anything.
    #[arg(long, value_name = "KIND:N", hide = true)]
    abort_at_step: Option<Failpoint>,
    /// For tests: the shortest wait before a source tries again, in milliseconds.
    #[arg(long, value_name = "MS", hide = true, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    shortest_wait_ms: Option<u64>,
}

impl Options {
    pub(super) fn addresses(&self) -> Addresses {
        Addresses { http: self.listen, gateway: self.gateway_listen }
    }
}

/// What clients can keep open, for each address.
#[derive(Args)]
struct LimitOptions {
    /// The most connections of each address at a time; further ones wait.
    #[arg(long, default_value_t = default_connections(), value_parser = from_1_to(65_535))]
    max_connections: u32,
    /// How long the head of a request may take to arrive, seconds. It is checked at intervals of half of it.
    #[arg(long, default_value_t = default_secs(|it| it.header_timeout), value_parser = from_1_to(3_600))]
    header_timeout_secs: u32,
    /// How long the body of a request may take to arrive, seconds.
    #[arg(long, default_value_t = default_secs(|it| it.body_timeout), value_parser = from_1_to(3_600))]
    body_timeout_secs: u32,
    /// How long a client may take no byte of its response, seconds; the connection is closed.
    #[arg(long, default_value_t = default_secs(|it| it.write_timeout), value_parser = from_1_to(3_600))]
    write_timeout_secs: u32,
    /// How long a connection may be silent, seconds. Behind a load balancer write more than its own idle time-out, so
    /// that it does not send a request into a connection that ends.
    #[arg(long, default_value_t = default_secs(|it| it.idle_timeout), value_parser = from_1_to(86_400))]
    idle_timeout_secs: u32,
}

fn from_1_to(most: i64) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most)
}

fn default_connections() -> u32 {
    HttpLimits::default().max_connections.try_into().unwrap_or(u32::MAX)
}

fn default_secs(limit: fn(&HttpLimits) -> Duration) -> u32 {
    limit(&HttpLimits::default()).as_secs().try_into().unwrap_or(u32::MAX)
}

impl From<&LimitOptions> for HttpLimits {
    fn from(options: &LimitOptions) -> Self {
        let secs = |secs: u32| Duration::from_secs(secs.into());
        Self {
            max_connections: options.max_connections.try_into().unwrap_or(usize::MAX),
            header_timeout: secs(options.header_timeout_secs),
            body_timeout: secs(options.body_timeout_secs),
            write_timeout: secs(options.write_timeout_secs),
            idle_timeout: secs(options.idle_timeout_secs),
        }
    }
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let app = match options.manifest.load() {
        Ok(app) => app,
        Err(code) => return Ok(code),
    };
    serve(app, options, watch::components).await
}

/// Runs an application until a signal stops it; `follow` keeps its components up to date meanwhile.
pub(super) async fn serve<F: Future<Output = ()> + Send + 'static>(
    app: App,
    options: Options,
    follow: impl FnOnce(Arc<Components>) -> F,
) -> Result<ExitCode> {
    let runtime_config = match options.runtime_config.load(&app.declared()).await {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let variable = |name| std::env::var(name).ok();
    let metrics = telemetry::install(logs::level(variable("LOG_LEVEL").as_deref(), variable("CONFIG_ENV").as_deref()))?;
    let tracing = Tracing::from_env()?;
    let addresses = options.addresses();
    let start = app::Options {
        data: options.data,
        addresses,
        limits: (&options.limits).into(),
        service_key: options.service_key,
        runtime_config,
        shortest_wait: options.shortest_wait_ms.map_or(SHORTEST, Duration::from_millis),
    };
    let running = app::start(app, &start, metrics, tracing.clone()).await?;
    let following = tokio::spawn(follow(running.components.clone()));
    // Before the host reports that it runs, because it may be stopped from then on.
    let mut signals = Signals::listen()?;
    announce(running.addresses)?;
    options.abort_at_step.into_iter().for_each(failpoint::arm);
    let signal = signals.first().await;
    following.abort();
    ::tracing::info!(signal, "draining");
    if signal == "SIGINT" {
        eprintln!("host-adapters: draining for up to {} s; a second SIGINT ends it at once", options.drain_secs);
    }
    let _ending = tokio::spawn(signals.end_at_interrupt());
    let (grace, began) = (Duration::from_secs(options.drain_secs), Instant::now());
    let clean = running.drain(grace).await;
    tracing.shutdown(grace.saturating_sub(began.elapsed()));
    // Work that did not end in time went back to its queue. Nothing is lost, so this is not a failure.
    ::tracing::info!(clean, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// Prints one JSON line on stdout once everything listens, for the process that started the host.
fn announce(addresses: Addresses) -> Result<()> {
    let line = json!({
        "event": "listening", "http": addresses.http.to_string(), "gateway": addresses.gateway.to_string(),
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Up {
        #[command(flatten)]
        options: Options,
    }

    /// The tests of connections and of the drain set shorter limits.
    #[test]
    fn case_12_connections_end_within_a_minute_and_the_drain_before_kubernetes_kills_by_default() {
        let Options { limits, drain_secs, .. } = Up::try_parse_from(["up"]).unwrap().options;
        assert!(drain_secs < 30, "{drain_secs} s");
        let limits = HttpLimits::from(&limits);
        // The head is checked at intervals of half of its time.
        let head = limits.header_timeout + limits.header_timeout / 2;
        for limit in [head, limits.body_timeout, limits.write_timeout, limits.idle_timeout] {
            assert!(limit < Duration::from_secs(60), "{limits:?}");
        }
    }
}
