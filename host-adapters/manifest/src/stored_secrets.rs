//! The secrets that the runtime configuration refers to, from the store of its section `[secrets]`. They are read before
//! the other sections are, and again while the host runs.

use super::runtime_config::{BackendKind, of_section, read};
use host_adapters_platform::{Backend, Declared, Opened, SecretStore};
use host_adapters_settings::{Fields, Report, Secrets, StoredSecrets, without_mark};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use toml_edit::{Document, Item, TableLike};

/// The section of the store.
const SECTION: &str = "secrets";
/// The key of a reference to a secret.
const KEY: &str = "secret";

/// The section `[secrets]`, and the names of the secrets that the others refer to.
pub(crate) struct Section {
    /// `None` if the section has faults, which are reported with those of the others.
    backend: Option<Arc<dyn Backend>>,
    names: Vec<String>,
}

/// The store, and what was read from it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// `None` if it cannot be opened.
    store: Option<Arc<dyn SecretStore>>,
    pub(crate) secrets: StoredSecrets,
}

impl Section {
    /// Reads the section; `None` if the file has none, or is not TOML.
    pub(crate) fn of(path: &Path, text: &str, kinds: &[BackendKind], references: Secrets<'_>) -> Option<Self> {
        let text = without_mark(text);
        let document = Document::parse(text).ok()?;
        let report = Report::with_secrets(text, references);
        let backend = {
            let mut root = Fields::new(&report, "", document.as_table(), 0..0);
            read(root.table(SECTION)?, &of_section(kinds, SECTION), &Declared::default())
        };
        match (report.finish(path), backend) {
            (Ok(()), None) => None,
            (Ok(()), backend) => Some(Self { backend, names: names(document.as_table()) }),
            (Err(_), _) => Some(Self { backend: None, names: Vec::new() }),
        }
    }

    /// Opens the store and reads the secrets.
    pub(crate) async fn read(self) -> Store {
        let secrets = StoredSecrets::default();
        let opened = match &self.backend {
            Some(backend) => Some(backend.open(&Declared::default(), Path::new("")).await),
            None => None,
        };
        let store = match opened {
            Some(Ok(Opened::Secrets(store))) => Some(store),
            Some(Err(fault)) => {
                for name in &self.names {
                    secrets.keep(name, Err(format!("the secret \"{name}\" cannot be read: {fault}")));
                }
                None
            }
            _ => None,
        };
        let store = Store { store, secrets };
        store.read(&self.names).await;
        store
    }
}

impl Store {
    /// Reads the secrets again whose current texts are used. Returns why some could not be read.
    pub(crate) async fn read_again(&self) -> Vec<String> {
        self.read(&self.secrets.followed()).await
    }

    async fn read(&self, names: &[String]) -> Vec<String> {
        let Some(store) = self.store.as_ref().filter(|_| !names.is_empty()) else { return Vec::new() };
        let mut faults = Vec::new();
        for (name, read) in names.iter().zip(store.read_secrets(names).await) {
            faults.extend(read.as_ref().err().cloned());
            self.secrets.keep(name, read);
        }
        faults
    }
}

/// The names of all secrets that sections refer to, each once. The store itself cannot refer to any.
fn names(root: &dyn TableLike) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (_, section) in root.iter().filter(|(name, _)| *name != SECTION) {
        find(section, &mut found);
    }
    found.into_iter().collect()
}

fn find(item: &Item, found: &mut BTreeSet<String>) {
    for (key, item) in item.as_table_like().into_iter().flat_map(|table| table.iter()) {
        match item.as_str() {
            Some(name) if key == KEY && !name.trim().is_empty() => {
                found.insert(name.to_owned());
            }
            _ => find(item, found),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_found_once() {
        let text = r#"
            [secrets]
            credentials = { access_key_id = "AKIA", secret_access_key = { secret = "in the store" } }
            [cache]
            url = { secret = "cache" }
            [event_log]
            certificate = { secret = "kafka", key = "certificate" }
            key.secret = "kafka"
            [queues.credentials.secret_access_key]
            secret = "queues"
            [tables]
            secret = { secret = " " }
        "#;
        assert_eq!(names(Document::parse(text).unwrap().as_table()), ["cache", "kafka", "queues"]);
    }
}
