//! Does what the AppSync resolver does with an eligible registration: writes the entry, queues it for the data pipeline, and
//! queues the fan's profile.
//!
//! Entries that come at the same time are written together, at most as many as DynamoDB takes, so that the demo leaves
//! the machine to the host.

use crate::gateway::Gateway;
use crate::pipeline;
use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use host_adapters_records::Error;
use host_adapters_records::queue::{Message, SendBatch};
use host_adapters_records::table::BatchWrite;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// The table of entries.
pub const TABLE: &str = "demand-table";
/// The queue of the browsers' data.
pub const QUEUE: &str = "userInfoQueue";
/// Most items of one write to DynamoDB.
const BATCH: usize = 25;
const WRITERS: usize = 4;
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// An entry to write.
pub struct Entry<'a> {
    /// The campaign.
    pub campaign_id: &'a str,
    /// The fan.
    pub global_user_id: &'a str,
    /// The fan's memberId.
    pub member_id: Option<&'a str>,
    /// The fields, as check-eligibility returned them.
    pub fields: &'a Value,
    /// The campaign that it is transferred from.
    pub linked_from: Option<&'a str>,
    /// The data for the User Service.
    pub user_info: Map<String, Value>,
}

/// An entry that was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Its `date.updated`.
    pub version: String,
    /// When it was handed to the table, milliseconds since 1970 (UTC).
    pub at_ms: i64,
}

/// Writes entries.
pub struct Resolver {
    jobs: mpsc::Sender<Job>,
    dates: Mutex<HashMap<(String, String), Dates>>,
}

/// When an entry was first and last written, milliseconds since 1970 (UTC).
#[derive(Clone, Copy)]
struct Dates {
    created: i64,
    updated: i64,
}

struct Job {
    /// `None` if the write is to be lost.
    item: Option<String>,
    user_info: String,
    done: oneshot::Sender<Result<i64>>,
}

impl Resolver {
    /// A resolver that writes through the gateway.
    pub fn new(gateway: Gateway) -> Self {
        let (jobs, inbox) = mpsc::channel(4 * BATCH);
        let inbox = Arc::new(AsyncMutex::new(inbox));
        for _ in 0..WRITERS {
            tokio::spawn(work(gateway.clone(), inbox.clone()));
        }
        Self { jobs, dates: Mutex::default() }
    }

    /// Writes an entry. With `lose`, an injected fault, it only reports that it did.
    pub async fn write(&self, entry: Entry<'_>, lose: bool) -> Result<Written> {
        let dates = self.next_dates(&entry);
        let item = (!lose).then(|| item(&entry, dates).to_string());
        let mut user_info = entry.user_info;
        user_info.insert("updatedAt".to_owned(), instant(dates.updated).into());
        let user_info = Value::Object(user_info).to_string();
        let (done, written) = oneshot::channel();
        self.jobs.send(Job { item, user_info, done }).await.map_err(|_| anyhow!("the resolver has ended"))?;
        let at_ms = written.await.map_err(|_| anyhow!("the resolver has ended"))??;
        Ok(Written { version: instant(dates.updated), at_ms })
    }

    /// `date.updated` strictly increases for each item, even if a fan is faster than the clock.
    fn next_dates(&self, entry: &Entry<'_>) -> Dates {
        let now = Utc::now().timestamp_millis();
        let mut dates = self.dates.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (entry.campaign_id.to_owned(), entry.global_user_id.to_owned());
        let known = dates.entry(key).and_modify(|dates| dates.updated = now.max(dates.updated + 1));
        *known.or_insert(Dates { created: now, updated: now })
    }
}

fn item(entry: &Entry<'_>, dates: Dates) -> Value {
    let Entry { campaign_id, global_user_id, member_id, fields, linked_from, .. } = entry;
    let updated = instant(dates.updated);
    let mut item = json!({
        "pk": format!("CAMPAIGN#{campaign_id}"), "sk": format!("USER#{global_user_id}"),
        "campaignId": campaign_id, "globalUserId": global_user_id, "fields": fields.to_string(),
        "needsReplication": true,
        "date": { "created": instant(dates.created), "updated": updated, "fanModified": updated },
    });
    if let Some(item) = item.as_object_mut() {
        item.extend(member_id.map(|id| ("memberId".to_owned(), id.into())));
        item.extend(linked_from.map(|id| ("linkedFrom".to_owned(), id.into())));
    }
    item
}

/// RFC 3339 in UTC with milliseconds.
pub fn instant(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn work(gateway: Gateway, inbox: Arc<AsyncMutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut jobs = Vec::with_capacity(BATCH);
        if inbox.lock().await.recv_many(&mut jobs, BATCH).await == 0 {
            return;
        }
        let result = write_all(&gateway, &jobs).await;
        for job in jobs {
            let told = result.as_ref().copied().map_err(|error| anyhow!("{error:#}"));
            // If the run was cancelled, no one waits.
            let _gone = job.done.send(told);
        }
    }
}

/// Writes a batch; returns when it was handed over.
async fn write_all(gateway: &Gateway, jobs: &[Job]) -> Result<i64> {
    let mut at_ms = Utc::now().timestamp_millis();
    let items: Vec<&String> = jobs.iter().filter_map(|job| job.item.as_ref()).collect();
    let mut puts: Vec<String> = items.iter().copied().cloned().collect();
    let mut attempts = 0;
    while !puts.is_empty() {
        at_ms = Utc::now().timestamp_millis();
        let write = BatchWrite { table: TABLE.to_owned(), puts, deletes: Vec::new() };
        let errors = gateway.call(&write).await?;
        puts = again(write.puts.into_iter().zip(errors), &mut attempts).await?;
    }
    let record = |item: &String| Message::new(pipeline::registration(item));
    send(gateway, pipeline::QUEUE, items.into_iter().map(record).collect()).await?;
    let message = |job: &Job| Message::new(&job.user_info);
    send(gateway, QUEUE, jobs.iter().map(message).collect()).await?;
    Ok(at_ms)
}

/// Sends messages; those that fail for now are sent again.
pub async fn send(gateway: &Gateway, queue: &str, mut messages: Vec<Message>) -> Result<()> {
    let mut attempts = 0;
    while !messages.is_empty() {
        let send = SendBatch { queue: queue.to_owned(), messages };
        let answers = gateway.call(&send).await?.into_iter().map(Result::err);
        messages = again(send.messages.into_iter().zip(answers), &mut attempts).await?;
    }
    Ok(())
}

/// The entries of a batch that must be sent again.
pub async fn again<T>(parts: impl Iterator<Item = (T, Option<Error>)>, attempts: &mut u32) -> Result<Vec<T>> {
    let mut left = Vec::new();
    for (part, error) in parts {
        match error {
            None => {}
            Some(error) if error.is_retryable() && *attempts < ATTEMPTS => left.push(part),
            Some(error) => bail!("the resolver cannot write: {error}"),
        }
    }
    if !left.is_empty() {
        *attempts += 1;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(left)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_the_documented_members() {
        let fields = json!({ "email": "fan@example.com" });
        let entry = Entry {
            campaign_id: "c1",
            global_user_id: "u1",
            member_id: Some("m1"),
            fields: &fields,
            linked_from: None,
            user_info: Map::new(),
        };
        let expected = json!({
            "pk": "CAMPAIGN#c1", "sk": "USER#u1", "campaignId": "c1", "globalUserId": "u1", "memberId": "m1",
            "fields": "{\"email\":\"fan@example.com\"}", "needsReplication": true,
            "date": { "created": "1970-01-01T00:00:00.001Z", "updated": "1970-01-01T00:00:01.000Z",
                      "fanModified": "1970-01-01T00:00:01.000Z" },
        });
        assert_eq!(item(&entry, Dates { created: 1, updated: 1_000 }), expected);
    }
}
