//! Reads `runtime-config.toml`, the operator's configuration (Spin's name for it): the backends of what components call and
//! sources read, a section each. `spin.toml` and the workers are the same in every deployment. Backends that the file leaves
//! out are embedded. The host's list of kinds says which sections there are.
//!
//! ```toml
//! [tables]                       # and their streams
//! type = "dynamodb"
//! region = "us-west-2"
//! prefix = "prd-"
//!
//! [queues]
//! type = "sqs"
//! region = "us-west-2"
//! credentials = { access_key_id = "AKIA…", secret_access_key = { env = "SQS_SECRET" } }
//!
//! [documents]
//! type = "mongodb"
//! uri = { file = "/run/secrets/mongodb-uri" }
//! database = "demand"
//!
//! [objects]
//! type = "s3"
//! region = "us-west-2"
//! prefix = "acme-prd-"
//!
//! [data_streams]
//! type = "kinesis"
//! region = "us-west-2"
//! prefix = "prd-"
//!
//! [topics]
//! type = "sns"
//! region = "us-west-2"
//! prefix = "prd-"
//!
//! [cache]
//! type = "redis"
//! url = { env = "REDIS_URL" }
//!
//! [event_log]
//! type = "kafka"
//! brokers = "kafka-1:9093,kafka-2:9093"
//! ca = { file = "kafka-ca.pem" }
//! certificate = { secret = "prd/kafka", key = "certificate" }
//! key = { secret = "prd/kafka", key = "key" }
//!
//! [secrets]                      # what `secret = "…"` refers to
//! type = "secrets-manager"
//! region = "us-west-2"
//! ```

use super::schema::one_of;
use super::stored_secrets::{Section, Store};
use host_adapters_platform::{Backend, Declared};
use host_adapters_settings::{
    Block, Fields, ManifestErrors, Reference, Report, Secrets, Settings, StoredSecrets, read_text, without_mark,
};
use serde_json::{Map, Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use toml_edit::Document;

/// A kind of backend: its section, the value of its `type`, and its settings. The host has one list of them.
#[derive(Clone, Copy)]
pub struct BackendKind {
    /// The section that it may stand in, such as `tables`.
    pub section: &'static str,
    /// The value of `type`.
    pub name: &'static str,
    /// The settings; `None` if this program was built without this backend.
    pub settings: Option<BackendSettings>,
}

/// How the settings of a kind of backend are read, apart from `type`, and described.
#[derive(Clone, Copy)]
pub struct BackendSettings {
    read: fn(&mut Fields<'_, '_>, &Declared) -> Option<Arc<dyn Backend>>,
    block: fn(&'static str) -> Block,
}

impl BackendSettings {
    /// Those of `S`.
    pub const fn of<S: Settings + Backend>() -> Self {
        let read = |fields: &mut Fields<'_, '_>, declared: &Declared| -> Option<Arc<dyn Backend>> {
            let settings = S::read(fields)?;
            for (key, fault) in settings.faults(declared) {
                let at = fields.place(key).unwrap_or_else(|| fields.span.clone());
                fields.diagnostic(&at, fault);
            }
            Some(Arc::new(settings))
        };
        Self { read, block: Block::of_kind::<S> }
    }
}

impl BackendKind {
    /// Its settings as documents describe them.
    pub fn block(&self) -> Option<Block> {
        self.settings.map(|settings| (settings.block)(self.name))
    }
}

/// The kinds of a section.
pub(crate) fn of_section(kinds: &[BackendKind], section: &str) -> Vec<BackendKind> {
    kinds.iter().copied().filter(|kind| kind.section == section).collect()
}

/// The sections of all kinds, each once, in their order.
fn sections(kinds: &[BackendKind]) -> Vec<&'static str> {
    let mut sections = Vec::new();
    for kind in kinds {
        if !sections.contains(&kind.section) {
            sections.push(kind.section);
        }
    }
    sections
}

/// The settings of every kind, with the blocks that they refer to.
pub fn blocks(kinds: &[BackendKind]) -> Vec<Block> {
    Block::with_all_within(kinds.iter().filter_map(BackendKind::block))
}

/// The JSON Schema of the file.
pub fn schema(kinds: &[BackendKind]) -> Json {
    let section = |section: &'static str| {
        let blocks = kinds.iter().filter(|kind| kind.section == section);
        let embedded =
            json!({"type": "object", "properties": {"type": {"const": "embedded"}}, "additionalProperties": false});
        (section.to_owned(), one_of(std::iter::once(embedded).chain(blocks.map(|kind| Block::reference(kind.name)))))
    };
    let blocks = blocks(kinds).into_iter().map(|block| (block.name, block.schema()));
    let definitions: Map<_, _> =
        blocks.chain(Reference::definitions()).map(|(name, schema)| (name.to_owned(), schema)).collect();
    let sections: Map<_, _> = sections(kinds).into_iter().map(section).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://registration.example/schemas/config/runtime-config.json",
        "title": "The runtime configuration of host-adapters",
        "description": "The backends of what components call and sources read. A section that is missing is embedded.",
        "type": "object",
        "properties": sections,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The backend of each section. A section that is missing is embedded.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    backends: BySection,
    /// Where the secrets of the other sections are; `None` without `[secrets]`.
    secrets: Option<Store>,
}

impl RuntimeConfig {
    /// The backend of a section; `None` for the embedded one.
    pub fn backend(&self, section: &str) -> Option<&Arc<dyn Backend>> {
        self.backends.iter().find(|(name, _)| *name == section).map(|(_, backend)| backend)
    }

    /// All sections that are not embedded, in the order of the kinds.
    pub fn backends(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Backend>)> {
        self.backends.iter().map(|(section, backend)| (*section, backend))
    }

    /// Whether sections may refer to a store of secrets.
    pub fn has_secrets(&self) -> bool {
        self.secrets.is_some()
    }

    /// Reads the secrets again whose current texts are used ([`Value::current`]). Returns a sentence for each that cannot
    /// be read; it keeps its text.
    ///
    /// [`Value::current`]: host_adapters_settings::Value::current
    pub async fn read_secrets_again(&self) -> Vec<String> {
        match &self.secrets {
            Some(store) => store.read_again().await,
            None => Vec::new(),
        }
    }

    /// Reads the file at `path`, for an application that declares this. The error has every diagnostic. Environment
    /// variables, files and secrets that it refers to must exist.
    pub async fn load(path: &Path, kinds: &[BackendKind], declared: &Declared) -> Result<Self, ManifestErrors> {
        let text = read_text(path).map_err(|error| ManifestErrors::unreadable(path, &error))?;
        let environment = |name: &str| std::env::var(name).ok();
        let secrets = match Section::of(path, &text, kinds, references(path, &environment, None)) {
            Some(section) => Some(section.read().await),
            None => None,
        };
        let stored = secrets.as_ref().map(|store| &store.secrets);
        let backends = backends(path, &text, kinds, declared, references(path, &environment, stored))?;
        Ok(Self { backends, secrets })
    }

    /// Reads the text of the file at `path`, with the environment variables that `environment` returns. It reads no
    /// secrets of a store, which [`RuntimeConfig::load`] does.
    pub fn parse(
        path: &Path,
        text: &str,
        kinds: &[BackendKind],
        declared: &Declared,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ManifestErrors> {
        let backends = backends(path, text, kinds, declared, references(path, environment, None))?;
        Ok(Self { backends, secrets: None })
    }
}

/// Where the references of the file at `path` lead.
fn references<'e>(
    path: &'e Path,
    environment: &'e dyn Fn(&str) -> Option<String>,
    stored: Option<&'e StoredSecrets>,
) -> Secrets<'e> {
    Secrets { folder: path.parent().unwrap_or(Path::new("")), environment, stored }
}

/// The chosen backends, by their sections.
type BySection = Vec<(&'static str, Arc<dyn Backend>)>;

/// Reads all sections.
fn backends(
    path: &Path,
    text: &str,
    kinds: &[BackendKind],
    declared: &Declared,
    references: Secrets<'_>,
) -> Result<BySection, ManifestErrors> {
    let text = without_mark(text);
    let document = Document::parse(text).map_err(|error| ManifestErrors::not_toml(path, text, &error))?;
    let report = Report::with_secrets(text, references);
    let mut root = Fields::new(&report, "", document.as_table(), 0..0);
    let mut backends = Vec::new();
    for section in sections(kinds) {
        let kinds = of_section(kinds, section);
        let backend = root.table(section).and_then(|fields| read(fields, &kinds, declared));
        backends.extend(backend.map(|backend| (section, backend)));
    }
    root.finish();
    report.finish(path)?;
    Ok(backends)
}

/// Reads one section; `None` for the embedded backend.
pub(crate) fn read(mut fields: Fields<'_, '_>, kinds: &[BackendKind], declared: &Declared) -> Option<Arc<dyn Backend>> {
    let words: Vec<_> = std::iter::once("\"embedded\"".to_owned())
        .chain(kinds.iter().map(|kind| format!("\"{}\"", kind.name)))
        .collect();
    let choices: Vec<_> =
        std::iter::once(("embedded", None)).chain(kinds.iter().map(|kind| (kind.name, Some(*kind)))).collect();
    let chosen = fields.choice("type", &choices);
    let kind = fields.required("type", chosen, &format!("type = {}", words.join(" or ")))?;
    let Some(kind) = kind else {
        fields.finish();
        return None;
    };
    let Some(settings) = kind.settings else {
        let at = fields.span.clone();
        let name = kind.name;
        fields.diagnostic(
            &at,
            format!(
                "this program was built without the backend \"{name}\"; build host-adapters with --features {name}"
            ),
        );
        return None;
    };
    let backend = (settings.read)(&mut fields, declared);
    fields.finish();
    backend
}
