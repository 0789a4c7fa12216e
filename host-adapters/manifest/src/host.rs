//! `[application.tool.host-adapters]`: what the host provides to its components. Spin ignores the table `tool`.

use super::app::{Client, HostConfig};
use super::circles::Places;
use super::component::{Context, TOOL, own_tool};
use super::grants::{GrantSettings, RawGrants};
use super::topics;
use super::variables::Value;
use host_adapters_outbound::{Auth, ServiceConfig, ServiceSettings, check_upstream};
use host_adapters_platform::names::queue_fault;
use host_adapters_platform::{Declared, DeclaredSettings, IdentityConfig, QueueSpec, fifo};
use host_adapters_settings::{Fields, Named, Settings, Spanned, Table, Template, check_web_url, settings};
use host_adapters_sources::SourceConfig;
use std::ops::Range;

settings! {
    /// What the host has for its components.
    pub struct HostSettings {
        /// What the application declares by name.
        pub declared: DeclaredSettings;
        /// The services that may be called.
        pub services: Named<ServiceBlock> = Named::default(), "service";
        /// Whose fan tokens are accepted.
        pub identity: Table<IdentitySettings> = Table::default(), "identity";
        /// Callers of the gateway that are not components.
        pub clients: Named<ClientSettings> = Named::default(), "client";
    }
}

settings! {
    /// A service that components call by its name.
    pub struct ServiceBlock {
        /// The service's base URL, behind which paths of requests are put; the path `/` is the URL as it is written. With
        /// `auth = "none"` it is a secret, and while it is empty the service is not set up: calls are answered `not-found`.
        pub upstream: Template = Template::default(), "the service's base URL";
        /// How it is called.
        pub settings: ServiceSettings;
    }
}

settings! {
    /// Whose fan tokens are accepted.
    pub struct IdentitySettings {
        /// What `iss` must be.
        pub issuer: Template = Template::default(), "whose tokens are accepted (iss)";
        /// What `aud` must be or hold.
        pub audience: Template = Template::default(), "for whom the tokens are meant (aud)";
        /// A file beside the manifest, or an address, with the public keys. They are renewed every ten minutes, while the
        /// known ones serve; those that cannot be renewed serve for a day.
        pub jwks: Template = Template::default(), "a file or URL with the issuer's public keys";
    }
}

settings! {
    /// A caller of the gateway that is not a component.
    pub struct ClientSettings {
        /// What it sends as `Authorization: Bearer …`; while it is empty, nobody can call as this client.
        pub token: Template = Template::default(), "the variable that holds its token, as in \"{{ name }}\"";
        /// What it may touch.
        pub grants: Table<GrantSettings> = Table::default(), "grants";
    }
}

/// A client with the places of its names in the file, for the checks against what is declared.
pub(super) struct RawClient {
    pub(super) name: String,
    pub(super) token: Value,
    pub(super) grants: RawGrants,
    pub(super) at: Range<usize>,
}

impl RawClient {
    /// The client, its grants completed from what is declared.
    pub(super) fn finish(&self, declared: &Declared) -> Client {
        Client { token: self.token.clone(), grants: self.grants.expanded(declared) }
    }
}

/// Reads the table; the names that its clients use are checked later, and its clients
/// added.
pub(super) fn read(
    application: &mut Fields<'_, '_>,
    context: &Context<'_, '_>,
) -> (HostConfig, Vec<RawClient>, Places) {
    let Some(mut tool) = own_tool(application) else { return Default::default() };
    let (settings, _) = HostSettings::read_all(&mut tool);
    let place =
        |(name, _): &(String, _)| Some((name.clone(), tool.place_within(&["queues", name, "dead_letter_queue"])?));
    let queues = &settings.declared.queues.0.0;
    let places: Places = queues.iter().filter_map(place).collect();
    queues.iter().for_each(|(name, queue)| check_dead_letters(name, queue, &places, context));
    topics::check(context.report, &settings.declared);
    let services: Vec<_> = settings.services.0.into_iter().map(|(name, it)| service(name, it.value, context)).collect();
    let names = services.iter().map(|service| service.name.clone()).collect();
    let host = HostConfig {
        declared: Declared { services: names, ..Declared::from(settings.declared) },
        services,
        identity: settings.identity.0.and_then(|identity| identity_config(&identity, context)),
        ..HostConfig::default()
    };
    tool.finish();
    let clients = settings.clients.0.into_iter().map(|(name, client)| raw_client(name, client, context));
    (host, clients.collect(), places)
}

/// A queue exists as soon as another queue or a source names it as its dead-letter queue.
pub(super) fn declare_dead_letter_queues<'s>(
    host: &mut HostConfig,
    sources: impl Iterator<Item = (&'s str, &'s SourceConfig)>,
) {
    let queues = &mut host.declared.queues;
    let of_queues = queues.values().filter_map(|queue| queue.dead_letter_queue.clone());
    let of_sources = sources.filter_map(|(worker, source)| source.dead_letter_queue(worker));
    for name in of_queues.chain(of_sources).collect::<Vec<_>>() {
        queues.entry(name).or_insert_with(QueueSpec::dead_letters);
    }
}

/// Reports a dead letter queue whose name is not valid in a backend, or whose type differs from its queue's.
fn check_dead_letters(name: &str, queue: &Spanned<QueueSpec>, places: &Places, context: &Context<'_, '_>) {
    if let Some(dead_letters) = &queue.value.dead_letter_queue {
        let fault = queue_fault(dead_letters).or_else(|| fifo::mismatch(name, dead_letters));
        let at = places.get(name).unwrap_or(&queue.span);
        fault.into_iter().for_each(|fault| context.report.diagnostic(at, fault));
    }
}

fn service(name: String, block: ServiceBlock, context: &Context<'_, '_>) -> ServiceConfig {
    let upstream = upstream(&name, &block, context).unwrap_or_default();
    ServiceConfig { name, upstream, settings: block.settings }
}

fn identity_config(settings: &IdentitySettings, context: &Context<'_, '_>) -> Option<IdentityConfig> {
    let text = |key, template| filled(key, template, context);
    let (issuer, audience) = (text("issuer", &settings.issuer), text("audience", &settings.audience));
    let jwks = text("jwks", &settings.jwks);
    let (issuer, audience, jwks) = (issuer?, audience?, jwks?);
    // A file is one beside the manifest.
    let is_address = jwks.contains("://");
    if let (true, Err(fault), Some(raw)) = (is_address, check_web_url(&jwks), &settings.jwks.0) {
        let shown = context.shown("jwks", &raw.value);
        let message = format!("{shown} {fault}, in application.tool.{TOOL}.identity");
        context.report.diagnostic(&raw.span, message);
    }
    let jwks = if is_address { jwks } else { context.folder.join(jwks).display().to_string() };
    Some(IdentityConfig { issuer, audience, jwks })
}

/// A text of the identity. An empty one would accept tokens that name nobody, or never find a key.
fn filled(key: &str, template: &Template, context: &Context<'_, '_>) -> Option<String> {
    let text = context.resolve(template)?.expose().to_owned();
    if !text.trim().is_empty() {
        return Some(text);
    }
    if let Some(Spanned { value, span }) = &template.0 {
        let (place, origins) = (format!("application.tool.{TOOL}.identity"), context.variables.origins(value));
        let message = format!("\"{key}\" is empty{origins}, in {place}; write it, or remove the table");
        context.report.diagnostic(span, message);
    }
    None
}

fn raw_client(name: String, client: Spanned<ClientSettings>, context: &Context<'_, '_>) -> RawClient {
    let Spanned { value: ClientSettings { token, grants }, span: at } = client;
    RawClient { name, token: context.resolve(&token).unwrap_or_default(), grants: grants.into(), at }
}

/// The address of a service. Where it alone opens the service, it is a secret, and no part of it is shown.
fn upstream(service: &str, block: &ServiceBlock, context: &Context<'_, '_>) -> Option<Value> {
    let url = context.resolve(&block.upstream)?;
    let is_open = block.settings.auth == Auth::None;
    let fault = if is_open && url.expose().is_empty() { Ok(()) } else { check_upstream(url.expose()) };
    let Err(fault) = fault else {
        return Some(if is_open { Value::secret(url.expose().to_owned()) } else { url });
    };
    if let Some(Spanned { value, span }) = &block.upstream.0 {
        let place = format!("application.tool.{TOOL}.services.{service}");
        let shown = if is_open {
            format!("upstream{}", context.variables.origins(value))
        } else {
            context.shown("upstream", value)
        };
        context.report.diagnostic(span, format!("{shown} {fault}, in {place}"));
    }
    None
}
