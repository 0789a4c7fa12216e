//! `[application.tool.host-adapters]`: what the host provides to its components. Spin ignores the table `tool`.

use super::app::{Client, Host};
use super::component::{Context, own_tool};
use super::grants::{self, RawGrants};
use super::variables::Value;
use host_adapters_outbound::{LimitBy, RateLimit, ServiceConfig};
use host_adapters_platform::{IdentityConfig, QueueSpec, TableSpec};
use host_adapters_settings::{Fields, Spanned};
use host_adapters_sources::SourceConfig;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

/// A client with the places its names were written at, for the checks against what is declared.
pub(super) struct RawClient {
    pub(super) name: String,
    pub(super) token: Value,
    pub(super) grants: RawGrants,
    pub(super) at: Range<usize>,
}

impl RawClient {
    /// The client, its grants completed from what is declared.
    pub(super) fn finish(&self, host: &Host) -> Client {
        Client { token: self.token.clone(), grants: self.grants.expanded(host) }
    }
}

/// Reads the table; the names that its clients use are checked later, and its clients
/// added.
pub(super) fn read(application: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> (Host, Vec<RawClient>) {
    let Some(mut tool) = own_tool(application) else { return Default::default() };
    let written = read_clients(&mut tool, context);
    let host = Host {
        queues: tool.tables("queues").into_iter().map(|(name, fields)| (name.to_owned(), read_queue(fields))).collect(),
        tables: tool.tables("tables").into_iter().map(|(name, fields)| (name.to_owned(), read_table(fields))).collect(),
        collections: tool.strings("collections").into_iter().map(|name| name.value).collect(),
        services: read_services(&mut tool, context),
        identity: tool.table("identity").and_then(|fields| read_identity(fields, context)),
        ..Host::default()
    };
    tool.finish();
    (host, written)
}

/// A queue exists as soon as another queue or a source names it as its dead-letter queue.
pub(super) fn declare_dead_letter_queues<'s>(
    host: &mut Host,
    sources: impl Iterator<Item = (&'s str, &'s SourceConfig)>,
) {
    let of_queues = host.queues.values().filter_map(|queue| queue.dead_letter_queue.clone());
    let of_sources = sources.map(|(worker, source)| source.dead_letters(worker).0);
    for name in of_queues.chain(of_sources).collect::<Vec<_>>() {
        host.queues.entry(name).or_insert_with(QueueSpec::dead_letters);
    }
}

fn read_queue(mut fields: Fields<'_, '_>) -> QueueSpec {
    let default = QueueSpec::default();
    let visibility = fields.number("visibility_timeout_secs", 1..=43_200);
    let receives = fields.number("max_receive_count", 1..=1_000);
    let retention = fields.number("retention_secs", 60..=1_209_600);
    let queue = QueueSpec {
        visibility_timeout: visibility.map_or(default.visibility_timeout, |it| seconds(it.value)),
        max_receive_count: receives.map_or(default.max_receive_count, |it| it.value),
        dead_letter_queue: fields.string("dead_letter_queue").map(|name| name.value),
        retention: retention.map_or(default.retention, |it| seconds(it.value)),
    };
    fields.finish();
    queue
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn read_table(mut fields: Fields<'_, '_>) -> TableSpec {
    let table = TableSpec { stream: fields.boolean("stream").unwrap_or_default(), ..TableSpec::default() };
    fields.finish();
    table
}

fn read_services(tool: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> Vec<ServiceConfig> {
    tool.tables("services").into_iter().map(|(name, fields)| read_service(name, fields, context)).collect()
}

fn read_service(name: &str, mut fields: Fields<'_, '_>, context: &Context<'_, '_>) -> ServiceConfig {
    let upstream = fields.string("upstream");
    let upstream =
        fields.required("upstream", upstream, "the service's base URL").and_then(|url| web_url(&fields, context, &url));
    let rate = fields.number::<u32>("rate_limit_per_sec", 1..=1_000_000).and_then(|rate| NonZeroU32::new(rate.value));
    let by = fields.choice("rate_limit_by", &[("campaign", LimitBy::Campaign), ("service", LimitBy::Service)]);
    let try_timeout = fields.number("try_timeout_secs", 1..=300);
    fields.finish();
    ServiceConfig {
        name: name.to_owned(),
        upstream: upstream.unwrap_or_default().expose().to_owned(),
        rate_limit: rate.map(|per_sec| RateLimit { per_sec, by: by.unwrap_or_default() }),
        try_timeout: try_timeout.map_or(ServiceConfig::TRY_TIMEOUT, |it| seconds(it.value)),
    }
}

fn read_identity(mut fields: Fields<'_, '_>, context: &Context<'_, '_>) -> Option<IdentityConfig> {
    let issuer = resolved(&mut fields, "issuer", "whose tokens are accepted (iss)", context);
    let audience = resolved(&mut fields, "audience", "for whom the tokens are meant (aud)", context);
    let jwks = resolved(&mut fields, "jwks", "a file or URL with the issuer's public keys", context);
    fields.finish();
    let text = |value: Option<Value>| value.map(|value| value.expose().to_owned());
    let (issuer, audience, jwks) = (text(issuer)?, text(audience)?, text(jwks)?);
    // A file is one beside the manifest.
    let jwks = if jwks.contains("://") { jwks } else { context.folder.join(jwks).display().to_string() };
    Some(IdentityConfig { issuer, audience, jwks })
}

fn read_clients(tool: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> Vec<RawClient> {
    let mut clients = Vec::new();
    for (name, mut fields) in tool.tables("clients") {
        let token = resolved(&mut fields, "token", "the variable that holds its token, as in \"{{ name }}\"", context);
        let (grants, at) = (grants::read(&mut fields), fields.span.clone());
        clients.push(RawClient { name: name.to_owned(), token: token.unwrap_or_default(), grants, at });
        fields.finish();
    }
    clients
}

/// A string that must be there, with its variables put in.
fn resolved(fields: &mut Fields<'_, '_>, key: &'static str, write: &str, context: &Context<'_, '_>) -> Option<Value> {
    let written = fields.string(key);
    let written = fields.required(key, written, write)?;
    context.variables.resolve(context.report, &written)
}

fn web_url(fields: &Fields<'_, '_>, context: &Context<'_, '_>, written: &Spanned<String>) -> Option<Value> {
    let url = context.variables.resolve(context.report, written)?;
    if url.expose().starts_with("http://") || url.expose().starts_with("https://") {
        return Some(url);
    }
    fields.diagnostic(&written.span, format!("\"{}\" is not an http or https URL", written.value));
    None
}
