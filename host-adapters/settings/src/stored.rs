//! Secrets of a store, such as AWS Secrets Manager: `{ secret = "name" }`, or `{ secret = "name", key = "password" }` of
//! one whose text is a JSON object. They are read before the settings are, and those that change are read again while the
//! settings are in use.

use crate::{Fields, Spanned};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The secrets of a store by name, as they were read last. Clones share them.
#[derive(Clone, Default)]
pub struct StoredSecrets(Arc<Mutex<BTreeMap<String, Stored>>>);

/// One secret.
struct Stored {
    /// Its text, or why it could not be read.
    read: Result<String, String>,
    /// Whether somebody asks for its current text, so that it has to be read again.
    is_followed: bool,
}

impl StoredSecrets {
    /// Keeps what was read of a secret: its text, or a sentence why it could not be read. A text is kept when a later
    /// read fails.
    pub fn keep(&self, name: &str, read: Result<String, String>) {
        let read = read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let mut secrets = self.lock();
        match secrets.get_mut(name) {
            Some(stored) if read.is_ok() || stored.read.is_err() => stored.read = read,
            Some(_) => {}
            None => {
                secrets.insert(name.to_owned(), Stored { read, is_followed: false });
            }
        }
    }

    /// The names of the secrets whose current texts are asked for.
    pub fn followed(&self) -> Vec<String> {
        let secrets = self.lock();
        secrets.iter().filter(|(_, stored)| stored.is_followed).map(|(name, _)| name.clone()).collect()
    }

    fn follow(&self, name: &str) {
        if let Some(stored) = self.lock().get_mut(name) {
            stored.is_followed = true;
        }
    }

    /// The text of a secret, or the sentence why there is none.
    fn text(&self, name: &str) -> Result<String, String> {
        let unread = || Err(format!("the secret \"{name}\" was not read, because [secrets] cannot be used"));
        self.lock().get(name).map_or_else(unread, |stored| stored.read.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only the names.
impl fmt::Debug for StoredSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// Where a value comes from: a secret, or a member of it.
#[derive(Clone)]
pub(crate) struct Origin {
    secrets: StoredSecrets,
    name: String,
    key: Option<String>,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.key) == (&other.name, &other.key) && Arc::ptr_eq(&self.secrets.0, &other.secrets.0)
    }
}

impl Eq for Origin {}

impl Origin {
    /// The text as it was read last. From now on the secret is read again.
    pub(crate) fn current(&self) -> Result<String, String> {
        self.secrets.follow(&self.name);
        self.text()
    }

    fn text(&self) -> Result<String, String> {
        let text = self.secrets.text(&self.name)?;
        match &self.key {
            Some(key) => member(&self.name, &text, key),
            None => Ok(text),
        }
    }
}

/// Reads the rest of a reference that names a secret. Returns the text and where it comes from.
pub(crate) fn read(reference: &mut Fields<'_, '_>, name: &Spanned<String>) -> Option<(String, Origin)> {
    let key = reference.string("key");
    if name.value.trim().is_empty() {
        reference.diagnostic(&name.span, "secret is empty; write the name or the ARN of a secret");
        return None;
    }
    let Some(secrets) = reference.secrets().and_then(|secrets| secrets.stored) else {
        let write = "write [secrets] with type = \"secrets-manager\"";
        reference.diagnostic(&name.span, format!("there is no store for the secret \"{}\"; {write}", name.value));
        return None;
    };
    let at = key.as_ref().map_or(&name.span, |key| &key.span).clone();
    let key = key.map(|key| key.value);
    let origin = Origin { secrets: secrets.clone(), name: name.value.clone(), key };
    match origin.text() {
        Ok(text) => Some((text, origin)),
        Err(fault) => {
            reference.diagnostic(&at, fault);
            None
        }
    }
}

/// A member of a secret that is a JSON object. Neither its text nor its other keys are in a message.
fn member(name: &str, text: &str, key: &str) -> Result<String, String> {
    let Ok(Json::Object(members)) = serde_json::from_str(text) else {
        return Err(format!("the secret \"{name}\" is not a JSON object, so it has no key \"{key}\"; leave key out"));
    };
    match members.get(key) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("the key \"{key}\" of the secret \"{name}\" is neither a text nor a number")),
        None => Err(format!("the secret \"{name}\" has no key \"{key}\"")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{Reference, Report, Secrets, Setting, Value};
    use std::path::Path;
    use toml_edit::Document;

    const NAME: &str = "prd/redis";

    fn secrets(text: &str) -> StoredSecrets {
        let secrets = StoredSecrets::default();
        secrets.keep(NAME, Ok(text.to_owned()));
        secrets
    }

    /// What `uri = …` is read as, or the diagnostic.
    fn read(written: &str, rule: Reference, stored: Option<&StoredSecrets>) -> Result<Value, String> {
        let text = format!("uri = {written}");
        let document = Document::parse(&text).map_err(|error| error.to_string())?;
        let environment = |_: &str| -> Option<String> { None };
        let references = Secrets { folder: Path::new(""), environment: &environment, stored };
        let report = Report::with_secrets(&text, references);
        let mut fields = Fields::new(&report, "cache", document.as_table(), 0..0);
        let read = Value::read(&mut fields, "uri", &rule);
        fields.finish();
        report.finish(Path::new("r")).map_err(|errors| errors.to_string())?;
        read.ok_or_else(|| "nothing".to_owned())
    }

    #[test]
    fn a_secret_is_a_text_or_a_member_of_an_object() {
        for (written, text, expected) in [
            (r#"{ secret = "prd/redis" }"#, "hunter2\r\n", "hunter2"),
            (r#"{ secret = "prd/redis", key = "password" }"#, r#"{"password": "hunter2"}"#, "hunter2"),
            (r#"{ secret = "prd/redis", key = "port" }"#, r#"{"port": 6379}"#, "6379"),
        ] {
            let value = read(written, Reference::Address("redis://h"), Some(&secrets(text))).unwrap();
            assert_eq!(value.expose(), expected, "{written}");
            assert!(value.is_secret() && !format!("{value:?}").contains(expected), "{value:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_sentence_without_the_text() {
        let whole = r#"{ secret = "prd/redis" }"#;
        let member = r#"{ secret = "prd/redis", key = "password" }"#;
        let denied = StoredSecrets::default();
        denied.keep(NAME, Err("the secret \"prd/redis\" is denied".to_owned()));
        let (none, texts) =
            (StoredSecrets::default(), ["hunter2", r#"{"hunter2": 1}"#, r#"{"password": ["hunter2"]}"#]);
        let [text, object, list] = texts.map(secrets);
        for (written, stored, expected) in [
            (
                whole,
                None,
                "r:1:18: there is no store for the secret \"prd/redis\"; write [secrets] with type = \"secrets-manager\", in cache.uri",
            ),
            (
                whole,
                Some(&none),
                "r:1:18: the secret \"prd/redis\" was not read, because [secrets] cannot be used, in cache.uri",
            ),
            (whole, Some(&denied), "r:1:18: the secret \"prd/redis\" is denied, in cache.uri"),
            (
                member,
                Some(&text),
                "r:1:37: the secret \"prd/redis\" is not a JSON object, so it has no key \"password\"; leave key out, in cache.uri",
            ),
            (member, Some(&object), "r:1:37: the secret \"prd/redis\" has no key \"password\", in cache.uri"),
            (
                member,
                Some(&list),
                "r:1:37: the key \"password\" of the secret \"prd/redis\" is neither a text nor a number, in cache.uri",
            ),
            (
                r#"{ secret = " " }"#,
                Some(&text),
                "r:1:18: secret is empty; write the name or the ARN of a secret, in cache.uri",
            ),
            (
                r#"{ secret = "prd/redis", file = "f" }"#,
                Some(&text),
                "r:1:7: write one of env = \"NAME\", file = \"path\" and secret = \"name\", in cache.uri",
            ),
        ] {
            assert_eq!(read(written, Reference::Secret, stored).unwrap_err(), expected, "{written}");
        }
    }

    #[test]
    fn what_opens_the_store_is_not_in_it() {
        let told = read(r#"{ secret = "prd/redis" }"#, Reference::Local, Some(&secrets("hunter2"))).unwrap_err();
        assert_eq!(
            told,
            "r:1:18: uri opens the store of secrets, so it cannot be in it; write uri = { env = \"NAME\" } or { file = \"path\" }, in cache.uri"
        );
    }

    #[test]
    fn a_new_text_replaces_the_old_one_and_a_failed_read_does_not() {
        let secrets = secrets("old");
        let value = read(r#"{ secret = "prd/redis" }"#, Reference::Public, Some(&secrets)).unwrap();
        assert_eq!(secrets.followed(), Vec::<String>::new(), "nobody asks for its current text");
        assert_eq!(value.current().unwrap().expose(), "old");
        assert_eq!(secrets.followed(), [NAME]);
        secrets.keep(NAME, Err("denied".to_owned()));
        assert_eq!(value.current().unwrap().expose(), "old");
        secrets.keep(NAME, Ok("new".to_owned()));
        assert_eq!((value.current().unwrap().expose(), value.expose()), ("new", "old"));
        assert_eq!(secrets.followed(), [NAME]);
    }
}
