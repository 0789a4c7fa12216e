//! The input: an AppSync event (`arguments.input`, with or without `body`), `{"body": …}` or the bare input. AppSync
//! hands over what a schema types as AWSJSON as text.

use serde_json::{Map, Value};
use worker_kit::lambda::appsync;

/// A fan's request to enter a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The slug of the campaign.
    pub slug: String,
    /// The form as filled in; empty if there is none.
    pub entry: Map<String, Value>,
    /// Whether an entry in a linked campaign should be transferred.
    pub do_transfer: bool,
    /// The country by which phones and postal codes are read (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// The fan's ids in the body. Only the token counts; a body about another fan is refused.
    claimed_ids: Vec<Value>,
}

/// Why an event cannot be read, as a message for its sender.
pub type Malformed = &'static str;

impl Input {
    /// Reads an event, once.
    pub fn parse(event: &str) -> Result<Self, Malformed> {
        let event = appsync::parse(event).map_err(|_| "the event is not JSON")?;
        let Value::Object(mut body) = appsync::input(event) else {
            return Err("the input is not an object: send slug, entry, userInfo and doTransfer");
        };
        let mut user_info = match body.remove("userInfo").map(appsync::json) {
            Some(Value::Object(user_info)) => user_info,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err("`userInfo` is not an object"),
        };
        let claimed_ids = [body.remove("globalUserId"), user_info.remove("globalUserId")];
        Ok(Self {
            slug: slug(body.remove("slug"))?,
            entry: entry(body.remove("entry"))?,
            do_transfer: do_transfer(body.remove("doTransfer"))?,
            country: user_info.remove("countryCode").and_then(text),
            claimed_ids: claimed_ids.into_iter().flatten().filter(|id| !id.is_null()).collect(),
        })
    }

    /// Whether the body is about the fan `subject`, or names no fan.
    pub fn is_about(&self, subject: &str) -> bool {
        self.claimed_ids.iter().all(|id| id.as_str() == Some(subject))
    }
}

fn slug(slug: Option<Value>) -> Result<String, Malformed> {
    slug.and_then(text).filter(|slug| !slug.is_empty()).ok_or("`slug` is missing: name the campaign")
}

fn entry(entry: Option<Value>) -> Result<Map<String, Value>, Malformed> {
    match entry.map(appsync::json) {
        Some(Value::Object(entry)) => Ok(entry),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err("`entry` is not an object"),
    }
}

fn do_transfer(wish: Option<Value>) -> Result<bool, Malformed> {
    match wish {
        Some(Value::Bool(wish)) => Ok(wish),
        None | Some(Value::Null) => Ok(false),
        Some(_) => Err("`doTransfer` is neither true nor false"),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    const APPSYNC: &str = include_str!("../fixtures/appsync.json");
    const VARIABLES: &str = include_str!("../fixtures/variables.json");
    const INVOKE: &str = include_str!("../fixtures/invoke.json");

    fn parse(event: Value) -> Result<Input, Malformed> {
        Input::parse(&event.to_string())
    }

    #[test]
    fn the_documents_examples_are_read() {
        let input = Input::parse(APPSYNC).unwrap();
        assert_eq!((input.slug.as_str(), input.do_transfer), ("artist-presale-2024", false));
        assert_eq!(input.entry.len(), 4);
        assert_eq!(input.country.as_deref(), Some("US"));
        assert!(input.is_about("global-user-123"));
        assert_eq!(Input::parse(VARIABLES).unwrap(), input);
        let input = Input::parse(INVOKE).unwrap();
        assert_eq!(input.slug, "test-campaign");
        assert!(input.is_about("test-user-123"));
    }

    #[test]
    fn every_envelope_holds_the_same_input() {
        let body = json!({"slug": "s", "entry": {"email": "a@b.co"}, "doTransfer": true});
        let bare = parse(body.clone()).unwrap();
        assert!(bare.do_transfer);
        assert_eq!(parse(json!({"body": body})).unwrap(), bare);
        assert_eq!(parse(json!({"arguments": {"input": {"body": body}}})).unwrap(), bare);
    }

    #[test]
    fn point_7_input_without_a_body_and_aws_json() {
        let body =
            json!({"slug": "s", "entry": {"email": "a@b.co"}, "userInfo": {"globalUserId": "u", "countryCode": "DE"}});
        let bare = parse(body.clone()).unwrap();
        let mut texts = body.clone();
        for member in ["entry", "userInfo"] {
            texts[member] = body[member].to_string().into();
        }
        for input in [
            body.clone(),
            texts.clone(),
            json!({"body": texts}),
            json!({"body": body.to_string()}),
            json!(body.to_string()),
        ] {
            assert_eq!(parse(json!({"arguments": {"input": input}, "identity": null})).unwrap(), bare, "{input}");
        }
        assert_eq!(parse(texts).unwrap(), bare);
        assert!(!bare.is_about("somebody else"));
        let nothing = parse(json!({"slug": "s", "entry": "null", "userInfo": "null"})).unwrap();
        assert_eq!(nothing, parse(json!({"slug": "s"})).unwrap());
    }

    #[test]
    fn point_1_half_of_a_surrogate_pair_spoils_only_its_own_field() {
        for escape in [r"\ud83d", r"\uDE00", r"\ud83dx", r"\ud83d\ud83d\ude00"] {
            let input =
                Input::parse(&format!(r#"{{"slug":"s","entry":{{"note":"{escape}","email":"a@b.co"}}}}"#)).unwrap();
            assert!(input.entry["note"].as_str().unwrap().contains('\u{ffff}'), "{escape}");
            assert_eq!(input.entry["email"], "a@b.co");
        }
        let whole = Input::parse(r#"{"slug":"s","entry":{"note":"\ud83d\ude00 \\ud83d"}}"#).unwrap();
        assert_eq!(whole.entry["note"], "😀 \\ud83d");
    }

    #[test]
    fn absent_members_have_defaults() {
        let input = parse(json!({"slug": "s", "entry": null, "userInfo": null, "doTransfer": null})).unwrap();
        assert_eq!(input, parse(json!({"slug": "s"})).unwrap());
        assert!(input.entry.is_empty() && !input.do_transfer && input.is_about("anybody"));
    }

    #[test]
    fn a_body_about_another_fan_is_noticed() {
        for body in [
            json!({"slug": "s", "userInfo": {"globalUserId": "mallory"}}),
            json!({"slug": "s", "globalUserId": "mallory", "userInfo": {"globalUserId": "fan"}}),
            json!({"slug": "s", "userInfo": {"globalUserId": 7}}),
            json!({"slug": "s", "userInfo": {"globalUserId": ""}}),
        ] {
            assert!(!parse(body.clone()).unwrap().is_about("fan"), "{body}");
        }
        assert!(parse(json!({"slug": "s", "userInfo": {"globalUserId": null}})).unwrap().is_about("fan"));
    }

    #[test]
    fn bad_events_of_every_kind_are_refused() {
        let not_json = ["", "{", "slug=s", "\u{0}"];
        assert!(not_json.iter().all(|event| Input::parse(event) == Err("the event is not JSON")));
        for event in [
            json!(null),
            json!([]),
            json!("s"),
            json!({}),
            json!({"body": null}),
            json!({"body": []}),
            json!({"arguments": {"input": {"body": null}}}),
            json!({"slug": ""}),
            json!({"slug": 5}),
            json!({"slug": "s", "entry": []}),
            json!({"slug": "s", "entry": "[]"}),
            json!({"slug": "s", "entry": "{"}),
            json!({"slug": "s", "entry": ""}),
            json!({"slug": "s", "userInfo": "fan"}),
            json!({"slug": "s", "doTransfer": "true"}),
        ] {
            assert!(parse(event.clone()).is_err(), "{event}");
        }
    }
}
