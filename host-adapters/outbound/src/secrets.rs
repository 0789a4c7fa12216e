//! Removes what no component and no log may see from a service's response: some services and proxies quote the request
//! that they refuse, or return its address.

use host_adapters_settings::Value;
use http::{HeaderValue, Response};

/// In place of a secret.
const HIDDEN: &str = "***";

/// Parts of an address with fewer bytes are words that any text may have.
const SHORTEST: usize = 9;

/// Texts that are hidden, the longest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Of a secret address: the whole, its path, its host, and the segments of its path. Of another one nothing.
    pub(super) fn of_address(upstream: &Value) -> Self {
        let text = upstream.expose().trim_end_matches('/');
        let Some(url) = text.parse::<reqwest::Url>().ok().filter(|_| upstream.is_secret()) else {
            return Self::default();
        };
        let path = url.path().trim_end_matches('/');
        let parts = [text, path].into_iter().chain(url.host_str()).chain(path.split('/'));
        Self::new(parts.filter(|part| part.len() >= SHORTEST).map(str::to_owned))
    }

    /// These texts.
    pub(super) fn new(texts: impl Iterator<Item = String>) -> Self {
        let mut texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(texts)
    }

    /// A text without them; `None` if it has none of them.
    pub(super) fn hide(&self, text: &str) -> Option<String> {
        self.0.iter().any(|secret| text.contains(secret)).then(|| self.hidden(text.to_owned()))
    }

    /// A text without them.
    pub(super) fn hidden(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| text.replace(secret, HIDDEN))
    }

    /// Takes them out of the body of a response.
    pub(super) fn hide_in_body(&self, response: &mut Response<Vec<u8>>) {
        if self.0.is_empty() {
            return;
        }
        if let Some(hidden) = self.hide(&String::from_utf8_lossy(response.body())) {
            *response.body_mut() = hidden.into_bytes();
        }
    }

    /// Takes them out of the headers of a response, such as `location`.
    pub(super) fn hide_in_headers(&self, response: &mut Response<Vec<u8>>) {
        for value in response.headers_mut().values_mut() {
            if let Some(hidden) = self.hide(&String::from_utf8_lossy(value.as_bytes())) {
                *value = HeaderValue::try_from(hidden).unwrap_or(HeaderValue::from_static(HIDDEN));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = "https://hooks.slack.example/services/T024BE7LD/B024BE7LD/XXXXXXXXXXXXXXXXXXXXXXXX";

    fn hide(text: &str) -> Option<String> {
        Secrets::of_address(&Value::secret(WEBHOOK.to_owned())).hide(text)
    }

    #[test]
    fn a_secret_address_is_hidden_as_a_whole_and_in_parts() {
        for (said, hidden) in [
            (format!("moved to {WEBHOOK}/ "), "moved to ***/ "),
            ("Cannot POST /services/T024BE7LD/B024BE7LD/XXXXXXXXXXXXXXXXXXXXXXXX".to_owned(), "Cannot POST ***"),
            (r"no \/services\/XXXXXXXXXXXXXXXXXXXXXXXX here".to_owned(), r"no \/services\/*** here"),
            ("no team T024BE7LD".to_owned(), "no team ***"),
            ("certificate not valid for name hooks.slack.example".to_owned(), "certificate not valid for name ***"),
        ] {
            assert_eq!(hide(&said).as_deref(), Some(hidden));
        }
        assert_eq!(hide("no_service: /services"), None);
    }

    #[test]
    fn an_address_that_is_not_secret_is_not_hidden() {
        for upstream in [Value::plain(WEBHOOK.to_owned()), Value::secret(String::new())] {
            assert_eq!(Secrets::of_address(&upstream).hide(WEBHOOK), None);
        }
    }
}
