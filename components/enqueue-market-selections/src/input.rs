//! The input of a task. Pure.

use registration::text::fits_message;
use serde_json::{Map, Value};
use worker_kit::Request;

/// Most bytes of an id.
const MAX_ID_BYTES: usize = 256;
/// Most bytes of the ids of task and market together. A reservation's id, of 256 characters at most, has them in it.
const MAX_BOTH_IDS_BYTES: usize = 230;

/// The selection of one market's winners, by one task.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// The id of the task's execution, the same in all its attempts.
    pub task_id: String,
    /// The campaign.
    pub campaign_id: String,
    /// The market.
    pub market_id: String,
    /// How many fans of the market win in all, those of earlier tasks included. By default the market says it.
    pub count: Option<u64>,
    /// Whether another attempt follows for sure if this one fails and may be repeated.
    pub attempts_remain: bool,
}

/// Why a request is not a selection's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// The fault; it names the field.
    pub problem: String,
    /// What is known, if that is campaign and market: enough to report the failure.
    pub selection: Option<Selection>,
}

impl From<String> for Malformed {
    fn from(problem: String) -> Self {
        Self { problem, selection: None }
    }
}

impl Selection {
    /// Reads a request: `{campaignId, marketId, dateId?, selectionCount?}`. Without a task's id, as over HTTP, the
    /// correlation id is used instead: the same request again is the same task.
    ///
    /// The three ids become parts of sort keys that `#` separates. One that contains `#` is refused, not escaped: no id of
    /// a campaign, a market or an execution has it, and keys stay legible.
    ///
    /// # Errors
    /// The fault of the input.
    pub fn new(request: &Request) -> Result<Self, Malformed> {
        let input: Value = serde_json::from_str(&request.body).map_err(|_| "the input is not JSON".to_owned())?;
        let Value::Object(input) = input else { return Err("the input is not an object".to_owned().into()) };
        let (name, task_id) = match &request.task_id {
            Some(id) => ("the task's id", id),
            None => ("the correlation id", &request.correlation_id),
        };
        let (campaign_id, market_id) = (id(&input, "campaignId")?, id(&input, "marketId")?);
        let (task_id, attempts_remain) = (task_id.clone(), request.attempts_remain);
        let selection = Self { task_id, campaign_id, market_id, count: None, attempts_remain };
        match selection.rest(&input, name) {
            Ok(count) => Ok(Self { count, ..selection }),
            Err(problem) => Err(Malformed { problem, selection: Some(selection) }),
        }
    }

    /// Checks the task's id, of this name, and what is in the input beside campaign and market; returns the count.
    fn rest(&self, input: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
        check_id(name, &self.task_id)?;
        text(input, "dateId")?;
        let both = self.task_id.len() + self.market_id.len();
        if both > MAX_BOTH_IDS_BYTES {
            return Err(format!("marketId and {name} have {both} bytes (at most {MAX_BOTH_IDS_BYTES})"));
        }
        count(input, "selectionCount")
    }
}

fn id(input: &Map<String, Value>, name: &str) -> Result<String, String> {
    let id = text(input, name)?.ok_or_else(|| format!("{name} is missing"))?;
    check_id(name, id)?;
    Ok(id.to_owned())
}

fn check_id(name: &str, id: &str) -> Result<(), String> {
    match id {
        "" => Err(format!("{name} is empty")),
        _ if id.contains('#') => Err(format!("{name} contains `#`, which separates the parts of a key")),
        _ if !fits_message(id) => Err(format!("{name} contains a character that no queue takes")),
        _ if id.len() > MAX_ID_BYTES => Err(format!("{name} has {} bytes (at most {MAX_ID_BYTES})", id.len())),
        _ => Ok(()),
    }
}

fn text<'a>(input: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not text")),
    }
}

/// A number without a fraction is an integer, however it is written.
fn count(input: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    const MAX: f64 = 1e9;
    let value = match input.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=MAX).contains(number);
    let number = value.as_f64().filter(whole);
    number.map(|number| Some(number as u64)).ok_or_else(|| format!("{name} is not a whole number from 0 to {MAX}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(body: &Value) -> Request {
        Request {
            body: body.to_string(),
            token: None,
            task_id: Some("task-1".to_owned()),
            attempt: 1,
            attempts_remain: true,
            correlation_id: "correlation-1".to_owned(),
            traceparent: None,
        }
    }

    fn refusal(body: &Value) -> String {
        Selection::new(&request(body)).unwrap_err().problem
    }

    #[test]
    fn the_documents_example_is_read() {
        let body: Value = serde_json::from_str(include_str!("../fixtures/task.json")).unwrap();
        let selection = Selection::new(&request(&body)).unwrap();
        assert_eq!((selection.campaign_id.as_str(), selection.market_id.as_str()), ("campaign-123", "market-456"));
        assert_eq!((selection.task_id.as_str(), selection.count, selection.attempts_remain), ("task-1", None, true));
    }

    #[test]
    fn an_invocation_without_a_task_is_named_by_its_correlation_id() {
        let request = Request { task_id: None, ..request(&json!({"campaignId": "c", "marketId": "m"})) };
        assert_eq!(Selection::new(&request).unwrap().task_id, "correlation-1");
        let nameless = Request { correlation_id: String::new(), ..request };
        assert_eq!(Selection::new(&nameless).unwrap_err().problem, "the correlation id is empty");
    }

    #[test]
    fn malformed_input_names_its_field() {
        for (body, problem) in [
            (json!([]), "the input is not an object"),
            (json!({"marketId": "m"}), "campaignId is missing"),
            (json!({"campaignId": null, "marketId": "m"}), "campaignId is missing"),
            (json!({"campaignId": "c"}), "marketId is missing"),
            (json!({"campaignId": 7, "marketId": "m"}), "campaignId is not text"),
            (json!({"campaignId": "c", "marketId": "m", "dateId": 7}), "dateId is not text"),
        ] {
            assert_eq!(refusal(&body), problem, "{body}");
        }
        assert_eq!(
            Selection::new(&Request { body: "{".into(), ..request(&json!({})) }).unwrap_err().problem,
            "the input is not JSON"
        );
    }

    #[test]
    fn malformed_input_that_names_campaign_and_market_tells_them() {
        let told = |more: &Value| {
            let mut body = json!({"campaignId": "c", "marketId": "m"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let selection = Selection::new(&request(&body)).unwrap_err().selection;
            selection.map(|selection| (selection.campaign_id, selection.market_id))
        };
        for more in [json!({"selectionCount": -1}), json!({"dateId": 7})] {
            assert_eq!(told(&more), Some(("c".to_owned(), "m".to_owned())), "{more}");
        }
        for more in [json!({"campaignId": ""}), json!({"marketId": "a#b"}), json!({"marketId": 7})] {
            assert_eq!(told(&more), None, "{more}");
        }
    }

    #[test]
    fn ids_that_cannot_be_part_of_a_key_or_of_a_message_are_refused() {
        let long = "é".repeat(129);
        for (id, problem) in [
            ("", "is empty"),
            ("a#b", "contains `#`, which separates the parts of a key"),
            ("a\u{fffe}", "contains a character that no queue takes"),
            (long.as_str(), "has 258 bytes (at most 256)"),
        ] {
            assert_eq!(refusal(&json!({"campaignId": id, "marketId": "m"})), format!("campaignId {problem}"));
            assert_eq!(refusal(&json!({"campaignId": "c", "marketId": id})), format!("marketId {problem}"));
        }
        let odd = json!({"campaignId": "c\u{1}", "marketId": "m\u{1b}"});
        assert!(Selection::new(&request(&odd)).is_ok(), "JSON escapes control characters");
        let body = json!({"campaignId": "c", "marketId": "m"});
        let of_task = |id: &str| {
            let request = Request { task_id: Some(id.to_owned()), ..request(&body) };
            Selection::new(&request).map(|selection| selection.task_id).map_err(|malformed| malformed.problem)
        };
        assert_eq!(of_task(""), Err("the task's id is empty".to_owned()));
        assert!(of_task("a#b").unwrap_err().starts_with("the task's id contains `#`"));
        assert!(of_task(&"t".repeat(257)).unwrap_err().starts_with("the task's id has 257 bytes"));
        assert!(of_task(&"t".repeat(229)).is_ok());
        let problem = "marketId and the task's id have 231 bytes (at most 230)".to_owned();
        assert_eq!(of_task(&"t".repeat(230)), Err(problem));
    }

    #[test]
    fn a_count_is_a_whole_number() {
        let count = |count: Value| {
            let body = json!({"campaignId": "c", "marketId": "m", "selectionCount": count});
            Selection::new(&request(&body)).map(|selection| selection.count).map_err(|malformed| malformed.problem)
        };
        assert_eq!(count(json!(500)), Ok(Some(500)));
        assert_eq!(count(json!(2.0)), Ok(Some(2)));
        assert_eq!(count(json!(0)), Ok(Some(0)));
        assert_eq!(count(Value::Null), Ok(None));
        for wrong in [json!(-1), json!(1.5), json!("5"), json!(1e10), json!(true)] {
            let problem = "selectionCount is not a whole number from 0 to 1000000000".to_owned();
            assert_eq!(count(wrong.clone()), Err(problem), "{wrong}");
        }
    }
}
