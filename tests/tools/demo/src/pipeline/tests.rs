//! What the comparison with the event log finds.

use super::check::{Found, check};
use super::due::{self, Due, Kind};
use super::read::Logged;
use super::schema::Schemas;
use crate::check::{Failures, Kind as Failure};
use crate::generate::{World, generate, scenario_1};
use crate::load::Outcome;
use crate::resolver::Written;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const UPDATED: &str = "2026-01-01T00:00:00.000Z";

fn outcome() -> Outcome {
    let written = Some(Written { version: UPDATED.to_owned(), at_ms: 1_000 });
    Outcome { reason: None, difference: None, took_us: 1, written }
}

/// What is due of a world of which every registration that is accepted is written.
fn due_of(world: &World) -> BTreeMap<String, Due> {
    let outcome = outcome();
    let outcomes: Vec<_> = world.registrations.iter().map(|it| it.accepted_by().map(|_| &outcome)).collect();
    due::all(world, &outcomes).unwrap()
}

fn world() -> (World, BTreeMap<String, Due>) {
    let world = generate(300, 1);
    let due = due_of(&world);
    (world, due)
}

/// The record that the workers make of a due one.
fn logged(id: &str, due: &Due) -> Logged {
    let mut data = Value::from(due.data.clone());
    data["recordId"] = id.into();
    data["date"]["updated"] = UPDATED.into();
    Logged {
        topic: due.kind.topic().to_owned(),
        key: due.key.clone(),
        value: json!({"type": due.kind.name(), "data": data}).to_string(),
        dedup_id: Some(id.to_owned()),
        time_ms: 1_250,
    }
}

/// The event log that has everything.
fn all(due: &BTreeMap<String, Due>) -> Vec<Logged> {
    due.iter().map(|(id, due)| logged(id, due)).collect()
}

fn compare(due: &BTreeMap<String, Due>, logged: &[Logged]) -> (Found, Vec<(String, String)>) {
    let mut failures = Failures::default();
    let found = check(due, logged, &Schemas::read().unwrap(), &mut failures).unwrap();
    let told = failures.of(Failure::Logged).iter().map(|it| (it.subject.clone(), it.detail.clone())).collect();
    (found, told)
}

#[test]
fn an_event_log_with_everything_is_right_and_repeats_are_counted() {
    let (_, due) = world();
    for kind in Kind::ALL {
        assert!(due.values().filter(|due| due.kind == kind).count() > 3, "{kind:?}");
    }
    let mut log = all(&due);
    log.extend(log[..7].to_vec());
    log.reverse();
    let (found, told) = compare(&due, &log);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!((found.repeats, found.first_ms.len()), (7, due.len()));
}

/// Changes a record, and its value.
type Spoil<'s> = &'s dyn Fn(&mut Logged, &mut Value);

#[test]
fn whatever_is_wrong_is_found_and_named() {
    let (_, due) = world();
    let id = due.iter().find(|(_, due)| due.kind == Kind::Registration).unwrap().0.clone();
    let spoilt = |spoil: Spoil<'_>| {
        let mut log = all(&due);
        let record = log.iter_mut().find(|record| record.dedup_id.as_ref() == Some(&id)).unwrap();
        let mut value: Value = serde_json::from_str(&record.value).unwrap();
        spoil(record, &mut value);
        record.value = value.to_string();
        let (_, told) = compare(&due, &log);
        assert!(told.iter().all(|(subject, _)| *subject == id), "{told:?}");
        told.into_iter().map(|(_, detail)| detail).collect::<Vec<_>>().join("; ")
    };
    let cases: [(&str, Spoil<'_>); 9] = [
        ("its topic is ", &|it, _| it.topic.push('x')),
        ("its key is ", &|it, _| it.key.push('x')),
        ("its type is ", &|_, value| value["type"] = "MARKET".into()),
        ("its recordId is ", &|_, value| value["data"]["recordId"] = "x".into()),
        ("/data/fields is ", &|_, value| value["data"]["fields"]["email"] = "other@example.com".into()),
        ("/data/accessCode is published", &|_, value| value["data"]["accessCode"] = "SECRET".into()),
        ("not valid: /data/score is not of the type", &|_, value| value["data"]["score"] = "high".into()),
        ("not valid: /data/date/updated is not a time", &|_, value| value["data"]["date"]["updated"] = "now".into()),
        ("not valid: /data has the member note", &|_, value| value["data"]["note"] = "n".into()),
    ];
    for (expected, spoil) in cases {
        let told = spoilt(spoil);
        assert!(told.contains(expected), "{expected}: {told}");
    }

    let log = all(&due);
    let without: Vec<_> = log.iter().filter(|record| record.dedup_id.as_ref() != Some(&id)).cloned().collect();
    assert_eq!(compare(&due, &without).1, [(id.clone(), "it is not in the event log".to_owned())]);
    let other = Logged { value: "{}".to_owned(), ..log[0].clone() };
    let (subject, detail) = compare(&due, &[log.as_slice(), &[other]].concat()).1.remove(0);
    assert_eq!((Some(subject), detail.as_str()), (log[0].dedup_id.clone(), "it is there twice, with different values"));
    let invalid = Logged { dedup_id: Some("REGISTRATION:invalid/invalid:1".to_owned()), ..log[0].clone() };
    let told = compare(&due, &[log.as_slice(), &[invalid]].concat()).1;
    assert!(told.len() == 1 && told[0].1.starts_with("it is not due: "), "{told:?}");
    let nameless = Logged { dedup_id: None, ..log[0].clone() };
    let told = compare(&due, &[log.as_slice(), &[nameless]].concat()).1;
    assert!(told.len() == 1 && told[0].1.starts_with("a record without a dedup-id"), "{told:?}");
}

/// What the seeder queues is what a worker can read, except the records that are wrong.
#[test]
fn wrong_records_are_wrong_each_in_its_way() {
    let schemas = Schemas::read().unwrap();
    for body in due::invalid() {
        let Ok(body) = serde_json::from_str::<Value>(&body) else { continue };
        let kind = Kind::ALL.into_iter().find(|kind| body["type"] == kind.name());
        let faults = kind.map(|kind| schemas.faults(kind, &body["data"]).unwrap());
        assert!(faults.is_none_or(|faults| !faults.is_empty()), "{body}");
    }
    assert!(due::invalid().iter().all(|body| body.contains("invalid") || body.contains(r#""data":{}"#)));
}

/// `--input` may have such a campaign. The workers get its records all the same.
#[test]
fn nothing_is_due_of_a_campaign_whose_data_is_not_published() {
    let (mut world, due) = world();
    let queued = due::seeded(&world).unwrap().records.len();
    let off = due.values().find(|due| due.kind == Kind::Registration).unwrap().key.clone();
    let campaign = world.campaigns.iter_mut().find(|campaign| campaign["id"] == off.as_str()).unwrap();
    campaign["options"]["dataPipeline"] = false.into();
    let others: Vec<_> = due.iter().filter(|(_, due)| due.key != off).map(|(id, _)| id.clone()).collect();
    assert!(others.len() + 4 < due.len(), "registrations, markets and the campaign");
    assert_eq!(due_of(&world).into_keys().collect::<Vec<_>>(), others);
    assert_eq!(due::seeded(&world).unwrap().records.len(), queued);
}

/// `--input` may have such documents.
#[test]
fn documents_of_which_no_valid_record_can_be_made_are_not_queued() {
    let (world, _) = world();
    let queued = |campaign: &[(&str, Value)], market: &[(&str, Value)]| {
        let with = |document: &Value, members: &[(&str, Value)]| {
            let mut document = document.clone();
            members.iter().for_each(|(name, value)| document[*name] = value.clone());
            document
        };
        let campaigns = vec![with(&world.campaigns[0], campaign)];
        let world = World { campaigns, markets: vec![with(&world.markets[0], market)], ..World::default() };
        let seeded = due::seeded(&world).unwrap();
        let left_out = [(Kind::Campaign, &world.campaigns[0]), (Kind::Market, &world.markets[0])];
        let left_out =
            left_out.into_iter().filter(|(kind, _)| seeded.records.iter().all(|(_, due, _)| due.kind != *kind));
        let told: Vec<_> =
            left_out.map(|(_, document)| format!("no valid record can be made of {document}: ")).collect();
        assert_eq!(seeded.left_out.len(), told.len(), "{:?}", seeded.left_out);
        assert!(
            seeded.left_out.iter().zip(&told).all(|(found, told)| found.starts_with(told)),
            "{:?}",
            seeded.left_out
        );
        seeded.records.into_iter().map(|(_, due, _)| due.kind).collect::<Vec<_>>()
    };
    let of_market = [Kind::Market, Kind::EventMapping, Kind::RegisteredMarket];
    let all = [&[Kind::Campaign][..], &of_market].concat();
    assert_eq!(queued(&[], &[]), all);
    let odd = [("status", json!("OPEN")), ("locale", Value::Null), ("note", json!({"a": [1]}))];
    assert_eq!(queued(&odd, &[("version", json!("x")), ("options", Value::Null)]), all, "the workers accept these");
    for wrong in [("locale", json!("")), ("slug", Value::Null), ("gates", json!([{}])), ("date", json!("now"))] {
        assert_eq!(queued(&[wrong], &[]), of_market);
    }
    for wrong in [("timeZone", json!(5)), ("date", json!({"presale": "now"})), ("ticketer", Value::Null)] {
        assert_eq!(queued(&[], &[wrong]), [Kind::Campaign]);
    }
}

#[test]
fn of_every_document_of_a_generated_world_there_is_a_record() {
    for world in [generate(300, 1), scenario_1(300, 1, false), scenario_1(300, 1, true)] {
        let seeded = due::seeded(&world).unwrap();
        assert_eq!(seeded.left_out, [""; 0]);
        assert_eq!(seeded.records.len(), world.campaigns.len() + 3 * world.markets.len());
    }
}

/// Without what is null or not in the schema, at every depth, and with times in UTC.
#[test]
fn what_is_due_of_a_document_is_what_the_workers_make_of_it() {
    let campaign = json!({
        "id": "c", "slug": "s", "name": "n", "status": "OPEN", "locale": null, "note": 1,
        "createdAt": "2026-01-01T02:00:00+02:00",
        "date": {
            "open": "2026-01-01T00:00:00Z", "close": "2026-02-01T00:00:00.000001Z", "created": null, "other": 1,
            "sendReminderEmails": ["2026-01-01T01:00:00+01:00"],
        },
        "fields": [{"name": "f", "type": "string", "required": null, "options": ["a"], "hint": "h"}],
        "gates": [], "options": {"dataPipeline": null, "automatedReminders": true, "secret": "s"},
    });
    let world = World { campaigns: vec![campaign], ..World::default() };
    let (id, due, _) = due::seeded(&world).unwrap().records.remove(0);
    assert_eq!(id, "CAMPAIGN:c:1");
    let expected = json!({
        "id": "c", "slug": "s", "name": "n", "status": "ACTIVE", "version": 1,
        "date": {
            "open": "2026-01-01T00:00:00.000Z", "close": "2026-02-01T00:00:00.000001Z",
            "created": "2026-01-01T00:00:00.000Z", "updated": UPDATED,
            "sendReminderEmails": ["2026-01-01T00:00:00.000Z"],
        },
        "fields": [{"name": "f", "type": "string", "options": ["a"]}],
        "gates": [], "options": {"automatedReminders": true},
    });
    assert_eq!(Value::from(due.data), expected);
}

#[test]
fn whatever_is_wrong_with_a_seeded_document_is_found() {
    let (_, due) = world();
    let log = all(&due);
    let position = log.iter().position(|it| it.topic == Kind::Campaign.topic()).unwrap();
    for (pointer, wrong) in [
        ("/data/status", json!("TRANSFERRING")),
        ("/data/slug", json!("other")),
        ("/data/locale", json!("de-DE")),
        ("/data/date/close", json!("2098-12-31T00:00:00.000Z")),
        ("/data/date/updated", json!("2026-01-01T00:00:00.001Z")),
        ("/data/fields/0/required", json!(false)),
        ("/data/options/automatedReminders", json!(true)),
        ("/data/gates", json!([{"type": "other"}])),
    ] {
        let mut log = log.clone();
        let mut value: Value = serde_json::from_str(&log[position].value).unwrap();
        assert_ne!(*value.pointer(pointer).unwrap(), wrong, "{pointer}");
        *value.pointer_mut(pointer).unwrap() = wrong;
        log[position].value = value.to_string();
        let told = compare(&due, &log).1;
        let member = pointer.split('/').nth(2).unwrap();
        assert!(told.len() == 1 && told[0].1.starts_with(&format!("/data/{member} is ")), "{told:?}");
    }
}

#[test]
fn the_queues_of_the_data_pipeline_are_told_apart() {
    for (queue, expected) in [
        ("dataQueue", true),
        ("registeredMarketDataQueue", true),
        ("userInfoQueue", false),
        ("saveFanScores", false),
        ("dataQueueDlq", false),
    ] {
        assert_eq!(super::has(queue), expected, "{queue}");
    }
}

#[test]
fn ids_with_slashes_are_told_apart() {
    assert_ne!(due::registration_id("a/b", "c", UPDATED), due::registration_id("a", "b/c", UPDATED));
    assert_eq!(due::registration_id("a/b", "c%", UPDATED), format!("REGISTRATION:a%2Fb/c%25:{UPDATED}"));
}

#[test]
fn members_that_are_missing_are_named() {
    let schemas = Schemas::read().unwrap();
    let market = json!({"id": "m"});
    let faults = schemas.faults(Kind::Market, &market).unwrap();
    assert!(faults.iter().any(|fault| fault == " has no member campaignId"), "{faults:?}");
    assert!(faults.iter().any(|fault| fault == " fits 0 of the schemas of oneOf"), "{faults:?}");
}
