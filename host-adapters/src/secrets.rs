//! Hides components' secrets in their log lines, spans, reasons and messages. A guest may send a secret to the services
//! that it may call, but the host never shows one to operators.

use crate::manifest::Component;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Replaces a secret.
const HIDDEN: &str = "***";
/// In bytes. Shorter values are not hidden: they are not secrets, and words equal to them should stay readable.
const SHORTEST: usize = 8;

/// The secrets of every component, as they are and as JSON encodes them. A secret comes before those that are parts of
/// it.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<String, Vec<String>>);

impl Secrets {
    /// The secret variables of these components.
    pub fn of(components: &BTreeMap<String, Component>) -> Self {
        let variables = |component: &Component| {
            let secrets = component.variables.values().filter(|value| value.is_secret());
            forms(secrets.map(|value| value.expose()))
        };
        Self(components.iter().map(|(id, component)| (id.clone(), variables(component))).collect())
    }

    /// A text of a component, without its secrets.
    pub fn hide<'a>(&self, component: &str, said: &'a str) -> Cow<'a, str> {
        let secrets = self.0.get(component).into_iter().flatten();
        secrets.fold(Cow::Borrowed(said), |said, secret| {
            if said.contains(secret) { Cow::Owned(said.replace(secret, HIDDEN)) } else { said }
        })
    }
}

fn forms<'a>(secrets: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Without the quotes.
    let json = |secret: &str| {
        let text = serde_json::Value::from(secret).to_string();
        text.get(1..text.len() - 1).unwrap_or_default().to_owned()
    };
    let long = secrets.filter(|secret| secret.len() >= SHORTEST);
    let mut forms: Vec<_> = long.flat_map(|secret| [secret.to_owned(), json(secret)]).collect();
    forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secrets: &[&str], said: &str) -> String {
        let secrets = Secrets([("worker".to_owned(), forms(secrets.iter().copied()))].into());
        assert_eq!(secrets.hide("another", said), said);
        secrets.hide("worker", said).into_owned()
    }

    #[test]
    fn a_secret_is_hidden_everywhere_in_a_text() {
        assert_eq!(hidden(&["s3cr3t-token"], "Bearer s3cr3t-token, s3cr3t-token."), "Bearer ***, ***.");
        assert_eq!(hidden(&["s3cr3t-token"], "nothing"), "nothing");
    }

    #[test]
    fn a_secret_is_also_hidden_as_json_encodes_it() {
        let key = "-----BEGIN\n\"key\"";
        let line = serde_json::json!({ "message": key }).to_string();
        assert_eq!(hidden(&[key], &line), r#"{"message":"***"}"#);
        assert_eq!(hidden(&[key], key), "***");
    }

    #[test]
    fn a_longer_secret_is_hidden_whole() {
        assert_eq!(hidden(&["s3cr3t-token", "s3cr3t-token-2"], "s3cr3t-token-2"), "***");
    }

    #[test]
    fn a_value_too_short_for_a_secret_stays() {
        assert_eq!(hidden(&["", "secret"], "a secret"), "a secret");
    }
}
