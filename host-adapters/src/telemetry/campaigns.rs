//! Finds the campaigns of calls in their input and output, for spans. Inputs may be large, so they are searched, not
//! parsed.

use crate::telemetry::trace::CAMPAIGN_ID;
use opentelemetry::KeyValue;
use std::collections::BTreeSet;

/// The member that names a campaign, in all documents, messages and answers.
const MEMBER: &str = "campaignId";
/// Most campaigns that a span names.
const MOST: usize = 16;

/// The attribute that names the campaigns of these JSON texts; `None` if they name none.
pub fn attribute<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Option<KeyValue> {
    let mut found = BTreeSet::new();
    for text in texts.into_iter().filter_map(|text| std::str::from_utf8(text).ok()) {
        for id in members(text, MEMBER) {
            if found.insert(id) && found.len() == MOST {
                return Some(joined(found));
            }
        }
    }
    (!found.is_empty()).then(|| joined(found))
}

fn joined(ids: BTreeSet<String>) -> KeyValue {
    KeyValue::new(CAMPAIGN_ID, ids.into_iter().collect::<Vec<_>>().join(","))
}

/// The texts of the members of this name, wherever they are in a JSON text. Names in JSON that is itself a text are
/// escaped, and not found.
pub fn members<'a>(text: &'a str, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let quoted = format!("\"{name}\"");
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&*quoted)?;
        rest = behind;
        Some(behind.trim_start().strip_prefix(':').and_then(first_text))
    })
    .flatten()
    .filter(|text| !text.is_empty())
}

/// The text that a JSON text begins with.
fn first_text(json: &str) -> Option<String> {
    serde_json::Deserializer::from_str(json).into_iter::<String>().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> Option<String> {
        attribute(texts.iter().map(|text| text.as_bytes())).map(|it| it.value.to_string())
    }

    #[test]
    fn campaigns_are_found_by_name_in_any_event() {
        let message = r#"{"entry": {"campaignId" : "c\"1", "fields": "{\"campaignId\":\"not this\"}"}}"#;
        let change = r#"{"newImage":{"campaignId":"b"},"oldImage":{"campaignId":"b"}}"#;
        assert_eq!(named(&[message, change]).as_deref(), Some(r#"b,c"1"#));
        for none in
            ["", "{}", r#"{"campaignId":null}"#, r#"{"campaignId":7}"#, r#"["campaignId"]"#, "\"campaignId\":\""]
        {
            assert_eq!(named(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_span_names_so_many_campaigns_at_most() {
        let many: Vec<String> = (10..99).map(|n| format!(r#"{{"campaignId":"{n}"}}"#)).collect();
        let texts: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(named(&texts).unwrap_or_default().split(',').count(), MOST);
    }
}
