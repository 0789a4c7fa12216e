//! Lambda's event shapes: any body is a list of events or refused as a whole; every record gets one disposition, with
//! the id that its source uses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host_adapters_json::{Decimal, pointer, same};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use worker_kit::lambda::batch_response::{BatchResponse, ItemIdentifier};
use worker_kit::lambda::{Context, Incoming, appsync, parse};
use worker_kit::{Disposition, Event, Payload};

/// Checks one body.
pub fn run(data: &[u8]) {
    let parsed = parse(data, &Context::default(), &mut |_| ());
    // JSON that serde_json refuses may be accepted where a value is not read, for example with a broken character in
    // the name of an unread field.
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    match (parsed, event.get("Records").and_then(Value::as_array)) {
        (Ok(incoming), Some(records)) => {
            let text = serde_json::from_slice(data).expect("it was read above");
            check(&incoming, records, text);
        }
        (Ok(incoming), None) if event.get("records").is_some() => check_topics(&incoming, &event),
        (Ok(incoming), None) => panic!("{incoming:?} were found in a body that is not an event"),
        // Only a body that names its records twice has some and is refused.
        (Err(_), Some(_)) => assert!(parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).is_ok()),
        (Err(error), None) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(text) = std::str::from_utf8(data) {
        check_appsync(text, &event);
    }
}

/// `text` is the whole body: `records` have rounded numbers.
fn check(incoming: &[Incoming], records: &[Value], text: &RawValue) {
    assert_eq!(incoming.len(), records.len());
    for (index, (incoming, record)) in incoming.iter().zip(records).enumerate() {
        let in_topic = incoming.event().is_some_and(|event| event.log_place().is_some());
        // A record of Kafka's is named by where it is.
        if in_topic {
            assert!(member(record, "offset").is_some());
            continue;
        }
        assert_eq!(id(incoming), name(index, record));
        if let Incoming::Event(event) = incoming {
            check_event(event, record, pointer(text, &format!("/Records/{index}/body")));
        }
    }
    let events = incoming.iter().map(|record| record.events().len()).sum::<usize>();
    // One disposition fewer than events, as many, or one more.
    for answered in [events.saturating_sub(1), events, events + 1] {
        check_answer(incoming, (0..answered).map(|index| disposition(index, records)).collect(), events);
    }
}

/// The records of Kafka's topics: each is an event or malformed.
fn check_topics(incoming: &[Incoming], event: &Value) {
    let lists = event["records"].as_object().into_iter().flat_map(|topics| topics.values());
    let records: Vec<Value> = lists.flat_map(|list| list.as_array().cloned().unwrap_or_default()).collect();
    assert_eq!(incoming.len(), records.len());
    let events = incoming.iter().map(|record| record.events().len()).sum::<usize>();
    check_answer(incoming, (0..events).map(|index| disposition(index, &records)).collect(), events);
}

/// What the answer names a record by.
fn id(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Event(event) => ItemIdentifier::of(event).to_string(),
        Incoming::Several(several) => several.id.clone(),
        Incoming::Malformed { id, .. } => id.clone(),
    }
}

/// The id that the source uses for a record: AWS's own field, else its position.
fn name(index: usize, record: &Value) -> String {
    let field = |path: &[&str]| path.iter().try_fold(record, |value, key| member(value, key))?.as_str();
    field(&["messageId"])
        .or_else(|| field(&["responseElements", "x-amz-request-id"]))
        .or_else(|| field(&["Sns", "MessageId"]))
        .or_else(|| field(&["dynamodb", "SequenceNumber"]))
        .or_else(|| field(&["kinesis", "sequenceNumber"]))
        .or_else(|| field(&["offset"]))
        .or_else(|| field(&["eventID"]))
        .map_or_else(|| format!("record-{index}"), str::to_owned)
}

/// A member of an object. `None` for elements of lists, and for null.
fn member<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.as_object()?.get(key).filter(|value| !value.is_null())
}

fn check_event(event: &Event, record: &Value, body: Option<&RawValue>) {
    let payload = match &event.payload {
        Payload::Json(text) => text.as_str(),
        Payload::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => return assert!(member(record, "kinesis").is_some(), "a body is text"),
        },
    };
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(payload).is_ok();
    assert_eq!(is_json, matches!(event.payload, Payload::Json(_)), "text that is not JSON must be bytes");
    if member(record, "dynamodb").is_some() {
        check_change(event, payload, record);
    } else if member(record, "kinesis").is_none() {
        match record["body"].as_str() {
            Some(text) => assert_eq!(payload, text),
            None => assert!(body.is_some_and(|body| same(payload, body.get())), "{payload} is not {body:?}"),
        }
    }
}

/// A change has the keys of its record, and is the same event if it arrives by a Kinesis stream.
fn check_change(event: &Event, payload: &str, record: &Value) {
    let change: Value = serde_json::from_str(payload).expect("a change is JSON");
    let names = |keys: &Value| keys.as_object().map(|keys| keys.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names(&change["keys"]), names(&record["dynamodb"]["Keys"]));
    assert_eq!(change["eventName"], record["eventName"]);
    for (ours, theirs) in [("keys", "Keys"), ("newImage", "NewImage"), ("oldImage", "OldImage")] {
        check_numbers(payload, ours, &record["dynamodb"][theirs]);
    }
    let data = STANDARD.encode(record.to_string());
    let kinesis = json!({"Records": [{"kinesis": {"data": data, "sequenceNumber": event.id}}]});
    let incoming = parse(kinesis.to_string().as_bytes(), &Context::default(), &mut |_| ()).expect("an event");
    let same = incoming.first().and_then(Incoming::event).expect("the same event");
    assert_eq!((&same.id, &same.payload, &same.ordering_key), (&event.id, &event.payload, &event.ordering_key));
    assert_eq!(same.time_ms, event.time_ms);
}

/// The numbers of an image have every digit of DynamoDB's.
fn check_numbers(payload: &str, image: &str, tagged: &Value) {
    let payload: &RawValue = serde_json::from_str(payload).expect("a change is JSON");
    let image = pointer(payload, &format!("/{image}")).map_or("{}", RawValue::get);
    let image: BTreeMap<String, &RawValue> = serde_json::from_str(image).expect("an image is an object");
    for (name, value) in tagged.as_object().into_iter().flatten() {
        if let Some(number) = value.get("N").and_then(Value::as_str) {
            let found = image.get(name).map(|found| found.get());
            assert_eq!(found.and_then(Decimal::parse), Decimal::parse(number), "{name} is {found:?}");
        }
    }
}

/// One of the five, always the same for the same records.
fn disposition(index: usize, records: &[Value]) -> Disposition {
    let mut hasher = DefaultHasher::new();
    (index, records.len(), records.first().map(Value::to_string)).hash(&mut hasher);
    match hasher.finish() % 5 {
        0 => Disposition::Ack,
        1 => Disposition::retry_after(Some(hasher.finish()), "not now"),
        2 => Disposition::Skip("overtaken".to_owned()),
        3 => Disposition::GiveUp("invalid".to_owned()),
        _ => Disposition::Reject("no".to_owned()),
    }
}

fn check_answer(incoming: &[Incoming], dispositions: Vec<Disposition>, events: usize) {
    let Ok(answer) = BatchResponse::new(incoming, dispositions.clone()) else {
        return assert!(dispositions.len() > events, "a response for this batch is refused");
    };
    assert!(dispositions.len() <= events, "a response for another batch is accepted");
    let mut given = dispositions.into_iter();
    let (mut failed, mut rejected) = (Vec::new(), Vec::new());
    for record in incoming {
        let mut next = || given.next().unwrap_or_else(|| Disposition::retry(""));
        let given = match record {
            Incoming::Event(_) => Some(next()),
            Incoming::Several(several) => {
                Some(several.disposition(several.events.iter().map(|_| next()).collect::<Vec<_>>()))
            }
            Incoming::Malformed { .. } => None,
        };
        match given {
            Some(Disposition::Ack) => {}
            Some(Disposition::Retry(_) | Disposition::GiveUp(_)) => failed.push(id(record)),
            Some(Disposition::Reject(_) | Disposition::Skip(_)) | None => rejected.push(id(record)),
        }
    }
    assert_eq!(answer.batch_item_failures.iter().map(|it| it.item_identifier.to_string()).collect::<Vec<_>>(), failed);
    assert_eq!(answer.rejected.iter().map(|it| it.item_identifier.clone()).collect::<Vec<_>>(), rejected);
    let count = answer.count;
    assert_eq!((count.received, count.failed, count.rejected), (incoming.len(), failed.len(), rejected.len()));
    assert_eq!(count.processed, incoming.len() - failed.len() - rejected.len());
    let text = serde_json::to_string(&answer).expect("an answer is JSON");
    assert_eq!(serde_json::from_str::<BatchResponse>(&text).expect("an answer can be read"), answer);
}

/// A token comes from the headers that the resolver forwards, whatever else the event contains.
fn check_appsync(text: &str, event: &Value) {
    let token = appsync::token(text);
    assert!(token.as_ref().is_none_or(|token| !token.is_empty() && token.trim() == token));
    let headers = event.pointer("/request/headers").cloned().unwrap_or_default();
    assert_eq!(token, appsync::token(&json!({"request": {"headers": headers}}).to_string()));
    let input = appsync::input(event.clone());
    let inside = ["", "/arguments/input/body", "/arguments/input", "/input/body", "/input", "/body"];
    let mut inside = inside.iter().filter_map(|path| event.pointer(path));
    assert!(inside.any(|it| *it == input || appsync::json(it.clone()) == input), "{input} is not what {event} holds");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    fn event(payload: &str) -> Event {
        let body = json!({"Records": [{"messageId": "m", "body": payload}]}).to_string();
        let incoming = parse(body.as_bytes(), &Context::default(), &mut |_| ()).expect("an event");
        incoming.first().and_then(Incoming::event).expect("a message").clone()
    }

    /// The rounded values of both are the same.
    #[test]
    fn a_payload_with_another_last_digit_is_another_payload() {
        let body = r#"{"score":12345678901234567890123}"#;
        let (record, text) = (json!({"body": {"score": 1.2345678901234568e22}}), serde_json::from_str(body).ok());
        check_event(&event(body), &record, text);
        let other = event(r#"{"score":12345678901234567890124}"#);
        assert!(catch_unwind(|| check_event(&other, &record, text)).is_err());
    }

    #[test]
    fn an_image_with_another_last_digit_is_another_image() {
        let tagged = json!({"score": {"N": "12345678901234567890123"}});
        check_numbers(r#"{"newImage":{"score":12345678901234567890123}}"#, "newImage", &tagged);
        let other = r#"{"newImage":{"score":12345678901234567890124}}"#;
        assert!(catch_unwind(|| check_numbers(other, "newImage", &tagged)).is_err());
    }
}
