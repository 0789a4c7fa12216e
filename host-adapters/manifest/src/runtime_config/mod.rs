//! Reads `runtime-config.toml`, the operator's configuration (Spin's name for it): the backends of tables, queues,
//! documents and the cache. `spin.toml` and the workers are the same in every deployment. Backends that the file leaves
//! out are embedded.
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
//! [cache]
//! type = "redis"
//! url = { env = "REDIS_URL" }
//! ```

mod secret;

pub use secret::Secrets;

use host_adapters_platform::Backend;
use host_adapters_settings::Fields;
use host_adapters_settings::{ManifestErrors, Report, position};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toml_edit::Document;

/// The sections, in the order in which they are listed.
const SECTIONS: [&str; 4] = ["tables", "queues", "documents", "cache"];

/// A kind of backend: its section, the value of its `type`, and how its settings are read. The host has one list of
/// them.
#[derive(Clone, Copy)]
pub struct BackendKind {
    /// `tables`, `queues`, `documents` or `cache`.
    pub section: &'static str,
    /// The value of `type`.
    pub name: &'static str,
    /// Reads the settings; `None` if this program was built without this backend.
    pub read: Option<ReadSettings>,
}

/// Reads the settings of one section, apart from `type`.
pub type ReadSettings = fn(&mut Fields<'_, '_>, &Secrets<'_>) -> Option<Arc<dyn Backend>>;

/// The backend of each section. A section that is missing is embedded.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig(BTreeMap<&'static str, Arc<dyn Backend>>);

impl RuntimeConfig {
    /// The backend of a section; `None` for the embedded one.
    pub fn backend(&self, section: &str) -> Option<&Arc<dyn Backend>> {
        self.0.get(section)
    }

    /// All sections that are not embedded, in the order of the file's documentation.
    pub fn backends(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Backend>)> {
        SECTIONS.into_iter().filter_map(|section| Some((section, self.0.get(section)?)))
    }

    /// Reads the file at `path`. The error has every diagnostic. Environment variables and files that it refers to must
    /// exist.
    pub fn load(path: &Path, kinds: &[BackendKind]) -> Result<Self, ManifestErrors> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ManifestErrors::one(path, (1, 1), &format!("cannot be read: {error}; name an existing file"))
        })?;
        Self::parse(path, &text, kinds, &|name| std::env::var(name).ok())
    }

    /// Reads the text of the file at `path`, with the environment variables that `environment` returns.
    pub fn parse(
        path: &Path,
        text: &str,
        kinds: &[BackendKind],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ManifestErrors> {
        let document = Document::parse(text).map_err(|error| {
            let at = position(text, error.span().unwrap_or_default().start);
            ManifestErrors::one(path, at, &error.message().replace('\n', ", "))
        })?;
        let report = Report::new(text);
        let secrets = Secrets { folder: path.parent().unwrap_or(Path::new("")), environment };
        let mut root = Fields::new(&report, "", document.as_table(), 0..0);
        let mut backends = BTreeMap::new();
        for section in SECTIONS {
            let kinds: Vec<_> = kinds.iter().copied().filter(|kind| kind.section == section).collect();
            let backend = root.table(section).and_then(|fields| read(fields, &kinds, &secrets));
            backends.extend(backend.map(|backend| (section, backend)));
        }
        root.finish();
        report.finish(path)?;
        Ok(Self(backends))
    }
}

/// Reads one section; `None` for the embedded backend.
fn read(mut fields: Fields<'_, '_>, kinds: &[BackendKind], secrets: &Secrets<'_>) -> Option<Arc<dyn Backend>> {
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
    let Some(read) = kind.read else {
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
    let backend = read(&mut fields, secrets);
    fields.finish();
    backend
}
