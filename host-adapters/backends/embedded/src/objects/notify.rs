//! Notifies queues of new files in buckets, as S3 does for objects.
//!
//! It lists the folders, because a file may come by `put`, from another program, or while no host runs. Each version of a
//! file is recorded with a growing number (`told`) before its message is sent, and marked as sent afterwards. After a crash
//! between the two the message is sent again, with the same number.

use super::{blocking, list, told};
use crate::Embedded;
use chrono::{DateTime, SecondsFormat};
use host_adapters_platform::limits::object::ObjectQuery;
use host_adapters_platform::objects::{Notification, encoded};
use host_adapters_platform::{QueueBackend, Result};
use host_adapters_records::objects::ObjectInfo;
use host_adapters_records::queue::Message;
use rusqlite::Connection;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often a folder is listed to find files of other programs.
const EVERY: Duration = Duration::from_millis(500);
/// Most messages that are sent at a time.
const AT_A_TIME: usize = 256;

impl Embedded {
    /// Sends the declared notifications to `queues`, in the background, until this store or `queues` is dropped.
    pub fn notify(self: &Arc<Self>, queues: &Arc<dyn QueueBackend>) {
        for wanted in self.notifications.iter().cloned() {
            let watch = Watch { store: Arc::downgrade(self), queues: Arc::downgrade(queues), wanted, known: None };
            tokio::spawn(watch.run());
        }
    }
}

/// One notification.
struct Watch {
    store: Weak<Embedded>,
    queues: Weak<dyn QueueBackend>,
    wanted: Notification,
    /// The etags of the objects that the queue was notified of, by key; `None` until they are read.
    known: Option<BTreeMap<String, String>>,
}

impl Watch {
    async fn run(mut self) {
        let mut logged = None;
        while let (Some(store), Some(queues)) = (self.store.upgrade(), self.queues.upgrade()) {
            let puts = Arc::clone(&store.puts);
            // Registered before the folder is listed, so that a put after that ends the wait.
            let put = puts.notified();
            let failure = self.round(&store, &*queues).await.err().map(|error| error.to_string());
            let Notification { bucket, queue, .. } = &self.wanted;
            if let Some(error) = failure.as_ref().filter(|_| logged != failure) {
                tracing::warn!(bucket, queue, error, "notification failed; retried until it succeeds");
            }
            logged = failure;
            drop((store, queues));
            tokio::select! { () = put => {}, () = tokio::time::sleep(EVERY) => {} }
        }
    }

    /// Notifies of objects that the queue was not notified of yet.
    async fn round(&mut self, store: &Embedded, queues: &dyn QueueBackend) -> Result<()> {
        let wanted = &self.wanted;
        let known = match &mut self.known {
            Some(known) => known,
            None => {
                let of = wanted.clone();
                self.known.insert(store.store.read(move |conn| told::sent(conn, &of)).await?)
            }
        };
        let found = store.found(wanted).await?;
        let keys: BTreeSet<&str> = found.iter().map(|it| it.key.as_str()).collect();
        let gone: Vec<String> = known.keys().filter(|key| !keys.contains(key.as_str())).cloned().collect();
        if !gone.is_empty() {
            gone.iter().for_each(|key| drop(known.remove(key)));
            let of = wanted.clone();
            store.store.write(move |conn| told::forget(conn, &of, &gone), |()| {}).await?;
        }
        let mut new: Vec<_> = found.into_iter().filter(|it| known.get(&it.key) != Some(&it.etag)).collect();
        new.sort_by_key(|it| it.modified_ms);
        for some in new.chunks(AT_A_TIME) {
            store.tell(wanted, some, queues, known).await?;
        }
        Ok(())
    }
}

impl Embedded {
    /// The objects that a queue must be notified of.
    async fn found(&self, wanted: &Notification) -> Result<Vec<ObjectInfo>> {
        let folder = self.buckets.folder(&wanted.bucket)?;
        let query = ObjectQuery { prefix: wanted.prefix.clone(), after: None, limit: u32::MAX };
        let mut found = blocking(&wanted.bucket, move || Ok(list::page(&folder, &query)?)).await?.items;
        found.retain(|it| wanted.is_of(&wanted.bucket, &it.key));
        Ok(found)
    }

    async fn tell(
        &self,
        wanted: &Notification,
        new: &[ObjectInfo],
        queues: &dyn QueueBackend,
        known: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let versions: Vec<_> = new.iter().map(|it| (it.key.clone(), it.etag.clone())).collect();
        let (of, noted) = (wanted.clone(), versions.clone());
        let note = move |conn: &Connection| told::note(conn, &of, &noted);
        let sequencers = self.store.write(note, |_: &Vec<i64>| {}).await?;
        let message = |(it, sequencer): (&ObjectInfo, i64)| Message::new(body(&wanted.bucket, it, sequencer));
        let sent = queues.send_batch(&wanted.queue, new.iter().zip(sequencers).map(message).collect()).await?;
        let (mut told, mut failed) = (Vec::new(), None);
        for (version, sent) in versions.into_iter().zip(sent) {
            match sent {
                Ok(_) => told.push(version),
                Err(error) => failed = Some(error),
            }
        }
        let (of, done) = (wanted.clone(), told.clone());
        self.store.write(move |conn| told::mark(conn, &of, &done), |()| {}).await?;
        known.extend(told);
        failed.map_or(Ok(()), Err)
    }
}

/// The message, in the format of S3's notifications.
fn body(bucket: &str, object: &ObjectInfo, sequencer: i64) -> String {
    let time = i64::try_from(object.modified_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "embedded",
        "eventTime": time.to_rfc3339_opts(SecondsFormat::Millis, true),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket},
            "object": {
                "key": encoded(&object.key),
                "size": object.size,
                "eTag": object.etag,
                "sequencer": format!("{sequencer:016X}"),
            },
        },
    });
    json!({ "Records": [record] }).to_string()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    non_snake_case,
    reason = "tests, named after lines of docs/delivery.md"
)]
mod tests;
