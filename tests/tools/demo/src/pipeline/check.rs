//! Compares the event log with what must be there.

use super::due::Due;
use super::read::Logged;
use super::schema::Schemas;
use crate::check::{Failures, Kind};
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeMap;

/// Members that must not be published: secrets, and what only the table is for.
const KEPT_BACK: [&str; 5] = ["accessCode", "sharedCode", "needsReplication", "pk", "sk"];

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// When each record was written first, milliseconds since 1970 (UTC), by the dedup identifier.
    pub first_ms: BTreeMap<String, i64>,
    /// Records that repeat another one.
    pub repeats: usize,
}

/// Compares. Repeats are allowed if they have the same value.
///
/// # Errors
/// When a schema cannot be understood.
pub fn check(
    due: &BTreeMap<String, Due>,
    logged: &[Logged],
    schemas: &Schemas,
    failures: &mut Failures,
) -> Result<Found> {
    let mut found = Found::default();
    let mut values = BTreeMap::<&str, &str>::new();
    for record in logged {
        let Some(id) = record.dedup_id.as_deref() else {
            failures.add(Kind::Logged, &record.topic, format!("a record without a dedup-id: {}", record.value));
            continue;
        };
        if let Some(first) = values.get(id) {
            found.repeats += 1;
            if *first != record.value {
                failures.add(Kind::Logged, id, "it is there twice, with different values");
            }
            continue;
        }
        values.insert(id, &record.value);
        found.first_ms.insert(id.to_owned(), record.time_ms);
        match due.get(id) {
            None => failures.add(Kind::Logged, id, format!("it is not due: {}", record.value)),
            Some(due) => {
                let faults = faults(id, due, record, schemas)?;
                faults.into_iter().for_each(|fault| failures.add(Kind::Logged, id, fault));
            }
        }
    }
    for id in due.keys().filter(|id| !values.contains_key(id.as_str())) {
        failures.add(Kind::Logged, id, "it is not in the event log");
    }
    Ok(found)
}

/// What is wrong with a record.
fn faults(id: &str, due: &Due, record: &Logged, schemas: &Schemas) -> Result<Vec<String>> {
    let Ok(value) = serde_json::from_str::<Value>(&record.value) else {
        return Ok(vec![format!("its value is not JSON: {}", record.value)]);
    };
    let mut faults = Vec::new();
    let mut expect = |what: &str, found: &Value, expected: &Value| {
        if found != expected {
            faults.push(format!("{what} is {found} and not {expected}"));
        }
    };
    expect("its topic", &record.topic.as_str().into(), &due.kind.topic().into());
    expect("its key", &record.key.as_str().into(), &due.key.as_str().into());
    let member = |pointer: &str| value.pointer(pointer).unwrap_or(&Value::Null);
    expect("its type", member("/type"), &due.kind.name().into());
    expect("its recordId", member("/data/recordId"), &id.into());
    let data = member("/data");
    for (name, expected) in &due.data {
        expect(&format!("/data/{name}"), data.get(name).unwrap_or(&Value::Null), expected);
    }
    let published = KEPT_BACK.iter().filter(|name| data.get(**name).is_some());
    faults.extend(published.map(|name| format!("/data/{name} is published")));
    faults.extend(schemas.faults(due.kind, data)?.into_iter().map(|fault| format!("not valid: /data{fault}")));
    Ok(faults)
}
