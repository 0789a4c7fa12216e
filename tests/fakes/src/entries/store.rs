//! The entries of the Entry Service, and everything that it received.

use super::scoring::{Given, ScoringStore, WonCode};
use crate::violations::Violations;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The entries of every campaign. The newest version of each entry is kept, whatever the order of arrival.
#[derive(Default)]
pub struct EntryStore {
    campaigns: Mutex<BTreeMap<String, BTreeMap<String, Record>>>,
    /// Told of entries while `campaigns` is locked, so that both have the same.
    pub(super) scoring: ScoringStore,
    stats: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// One entry: its newest version, the version up to which it is deleted, and everything that was sent.
#[derive(Default)]
struct Record {
    stored: Option<Stored>,
    tombstone: Option<String>,
    sent: Vec<Sent>,
}

struct Stored {
    version: String,
    scored: bool,
    entry: Arc<str>,
}

/// One version that the service was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The version as sent.
    pub version: String,
    /// Whether it was sent to be stored or deleted.
    pub operation: Operation,
    /// Whether it took effect. A stale version does not.
    pub accepted: bool,
    /// When it arrived, milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The entry as sent, as JSON text; `None` for a deletion.
    pub entry: Option<Arc<str>>,
}

/// The operation that a version was sent with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// `POST /{campaignId}/entries`.
    Upsert,
    /// `DELETE /{campaignId}/entries`.
    Delete,
}

/// A version that took effect and when it arrived, to compute the replication lag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// The entry's fan.
    pub global_user_id: String,
    /// The version.
    pub version: String,
    /// When it arrived, milliseconds since 1970 (UTC).
    pub at_ms: u64,
}

impl EntryStore {
    pub(crate) fn new(violations: Violations) -> Self {
        Self { scoring: ScoringStore::new(violations), ..Self::default() }
    }

    /// Stores an entry unless a newer version is stored or it is deleted up to this version. Returns whether it did.
    pub(crate) fn upsert(
        &self,
        campaign: &str,
        id: &str,
        version: &str,
        entry: &Value,
        scored: bool,
        ignore_version: bool,
    ) -> bool {
        let text: Arc<str> = entry.to_string().into();
        let mut campaigns = self.lock();
        let record = record(&mut campaigns, campaign, id);
        let newer = record.stored.as_ref().is_some_and(|stored| stored.version.as_str() > version);
        let deleted = record.tombstone.as_deref().is_some_and(|tombstone| tombstone >= version);
        let accepted = ignore_version || !(newer || deleted);
        if accepted {
            record.stored = Some(Stored { version: version.to_owned(), scored, entry: text.clone() });
            self.scoring.enter(campaign, id, Some(entry));
        }
        record.log(Operation::Upsert, version, accepted, Some(text));
        accepted
    }

    /// Records whether the score of an entry could be computed. Returns false if there is no such entry.
    pub(crate) fn score(&self, campaign: &str, id: &str, scored: bool) -> bool {
        let mut campaigns = self.lock();
        let record = campaigns.get_mut(campaign).and_then(|fans| fans.get_mut(id));
        let stored = record.and_then(|record| record.stored.as_mut());
        stored.map(|stored| stored.scored = scored).is_some()
    }

    /// Campaign and globalUserId of the entries whose score failed at the last attempt.
    pub(crate) fn unscored(&self) -> Vec<(String, String)> {
        let campaigns = self.lock();
        let records = campaigns.iter().flat_map(|(campaign, fans)| fans.iter().map(move |fan| (campaign, fan)));
        let unscored = records.filter(|(_, (_, record))| record.stored.as_ref().is_some_and(|stored| !stored.scored));
        unscored.map(|(campaign, (id, _))| (campaign.clone(), id.clone())).collect()
    }

    /// Deletes an entry unless a newer version is stored. Returns whether it did. A tombstone is stored in any case.
    pub(crate) fn delete(&self, campaign: &str, id: &str, version: &str, ignore_version: bool) -> bool {
        let mut campaigns = self.lock();
        let record = record(&mut campaigns, campaign, id);
        let newer = record.stored.as_ref().is_some_and(|stored| stored.version.as_str() > version);
        let accepted = ignore_version || !newer;
        if accepted {
            record.stored = None;
            self.scoring.enter(campaign, id, None);
        }
        if record.tombstone.as_deref().is_none_or(|tombstone| tombstone < version) {
            record.tombstone = Some(version.to_owned());
        }
        record.log(Operation::Delete, version, accepted, None);
        accepted
    }

    /// A stored entry, as JSON text.
    pub fn get(&self, campaign: &str, id: &str) -> Option<Arc<str>> {
        let campaigns = self.lock();
        campaigns.get(campaign)?.get(id)?.stored.as_ref().map(|stored| stored.entry.clone())
    }

    /// Whether exactly this version of an entry is stored.
    pub fn holds(&self, campaign: &str, id: &str, version: &str) -> bool {
        let campaigns = self.lock();
        let record = campaigns.get(campaign).and_then(|fans| fans.get(id));
        record.and_then(|record| record.stored.as_ref()).is_some_and(|stored| stored.version == version)
    }

    /// At most `limit` entries of a campaign after a globalUserId, in the order of globalUserIds, as JSON text.
    pub(crate) fn list(&self, campaign: &str, after: &str, limit: usize) -> Vec<(String, Arc<str>)> {
        let campaigns = self.lock();
        let records = campaigns.get(campaign).into_iter().flat_map(|c| c.range::<str, _>((Excluded(after), Unbounded)));
        let stored = records.filter_map(|(id, record)| Some((id.clone(), record.stored.as_ref()?.entry.clone())));
        stored.take(limit).collect()
    }

    /// The number of entries in all campaigns.
    pub fn count(&self) -> usize {
        self.lock().values().flat_map(BTreeMap::values).filter(|record| record.stored.is_some()).count()
    }

    /// The campaigns of all entries that were sent.
    pub(crate) fn campaigns(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Every version of an entry that was sent, in the order of arrival.
    pub fn versions(&self, campaign: &str, id: &str) -> Vec<Sent> {
        let campaigns = self.lock();
        campaigns.get(campaign).and_then(|c| c.get(id)).map(|record| record.sent.clone()).unwrap_or_default()
    }

    /// The versions of a campaign's entries that took effect.
    pub fn arrivals(&self, campaign: &str) -> Vec<Arrival> {
        let campaigns = self.lock();
        let records = campaigns.get(campaign).into_iter().flatten();
        let accepted = records.flat_map(|(id, record)| record.sent.iter().filter(|s| s.accepted).map(move |s| (id, s)));
        let arrival = |(id, sent): (&String, &Sent)| Arrival {
            global_user_id: id.clone(),
            version: sent.version.clone(),
            at_ms: sent.at_ms,
        };
        accepted.map(arrival).collect()
    }

    /// Takes scoring records as `POST /_control/scores/{campaignId}` does.
    pub fn give_scores(&self, campaign: &str, records: Value) -> Result<(), serde_json::Error> {
        let records: Vec<Given> = serde_json::from_value(records)?;
        records.into_iter().for_each(|record| self.scoring.give(campaign, record));
        Ok(())
    }

    /// The scores of a campaign that are held, one a fan, by memberId, else globalUserId, else address.
    pub fn scores(&self, campaign: &str) -> Vec<Value> {
        self.scoring.scores(campaign)
    }

    /// Refuses codes for these fans of a campaign, and for no others of it.
    pub fn refuse(&self, campaign: &str, fans: HashSet<String>) {
        self.scoring.refuse(campaign, fans);
    }

    /// The codes that the fans of a campaign have won, by globalUserId.
    pub fn codes(&self, campaign: &str) -> Vec<WonCode> {
        self.scoring.codes(campaign)
    }

    /// Keeps a report about a selection.
    pub(crate) fn report(&self, campaign: &str, stats: Value) {
        let mut reports = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        reports.entry(campaign.to_owned()).or_default().push(stats);
    }

    /// All reports about a campaign's selections, in the order of arrival.
    pub fn stats(&self, campaign: &str) -> Vec<Value> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).get(campaign).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Record>>> {
        self.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn log(&mut self, operation: Operation, version: &str, accepted: bool, entry: Option<Arc<str>>) {
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let at_ms = u64::try_from(at_ms).unwrap_or(u64::MAX);
        self.sent.push(Sent { version: version.to_owned(), operation, accepted, at_ms, entry });
    }
}

impl Sent {
    /// The JSON for `/_control/versions`.
    pub(crate) fn to_json(&self) -> Value {
        let entry = self.entry.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let operation = match self.operation {
            Operation::Upsert => "upsert",
            Operation::Delete => "delete",
        };
        json!({ "version": self.version, "operation": operation, "accepted": self.accepted, "atMs": self.at_ms,
                "entry": entry })
    }
}

fn record<'a>(
    campaigns: &'a mut BTreeMap<String, BTreeMap<String, Record>>,
    campaign: &str,
    id: &str,
) -> &'a mut Record {
    campaigns.entry(campaign.to_owned()).or_default().entry(id.to_owned()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `(operation, version)`s; returns which were accepted and which version is stored at the end.
    fn run(steps: &[(Operation, &str)], ignore_version: bool) -> (Vec<bool>, Option<String>) {
        let store = EntryStore::default();
        let send = |(operation, version): &(Operation, &str)| match operation {
            Operation::Upsert => store.upsert("c", "u", version, &json!(version), true, ignore_version),
            Operation::Delete => store.delete("c", "u", version, ignore_version),
        };
        let accepted = steps.iter().map(send).collect();
        (accepted, store.get("c", "u").map(|text| text.trim_matches('"').to_owned()))
    }

    #[test]
    fn of_each_entry_the_newest_version_is_kept() {
        use Operation::{Delete, Upsert};
        type Case = (&'static str, &'static [(Operation, &'static str)], &'static [bool], Option<&'static str>);
        let cases: [Case; 7] = [
            ("in order", &[(Upsert, "1"), (Upsert, "2")], &[true, true], Some("2")),
            ("out of order", &[(Upsert, "2"), (Upsert, "1")], &[true, false], Some("2")),
            ("twice", &[(Upsert, "1"), (Upsert, "1")], &[true, true], Some("1")),
            ("a deletion wins a tie", &[(Upsert, "1"), (Delete, "1")], &[true, true], None),
            ("a tombstone holds", &[(Delete, "2"), (Upsert, "1"), (Upsert, "2")], &[true, false, false], None),
            ("a newer entry lifts it", &[(Delete, "2"), (Upsert, "3"), (Delete, "2")], &[true, true, false], Some("3")),
            ("a late deletion leaves its tombstone", &[(Upsert, "3"), (Delete, "2")], &[true, false], Some("3")),
        ];
        for (name, steps, accepted, stored) in cases {
            assert_eq!(run(steps, false), (accepted.to_vec(), stored.map(str::to_owned)), "{name}");
        }
    }

    #[test]
    fn when_it_ignores_versions_it_keeps_the_last_sent() {
        let steps = [(Operation::Upsert, "2"), (Operation::Upsert, "1")];
        assert_eq!(run(&steps, true), (vec![true, true], Some("1".to_owned())));
    }

    #[test]
    fn a_failed_score_is_missing_until_it_is_computed() {
        let store = EntryStore::default();
        let missing = || store.unscored().into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        store.upsert("c", "u", "1", &json!({}), false, false);
        store.upsert("c", "v", "1", &json!({}), true, false);
        assert_eq!(missing(), ["u"]);
        assert!(store.score("c", "v", false) && store.score("c", "u", true) && !store.score("c", "w", true));
        assert_eq!(missing(), ["v"]);
        store.upsert("c", "v", "2", &json!({}), true, false);
        assert!(missing().is_empty());
    }

    #[test]
    fn everything_sent_is_recorded_and_accepted_versions_are_arrivals() {
        let store = EntryStore::default();
        store.upsert("c", "u", "2", &json!({}), true, false);
        store.upsert("c", "u", "1", &json!({}), true, false);
        let versions: Vec<_> = store.versions("c", "u").into_iter().map(|s| (s.version, s.accepted)).collect();
        assert_eq!(versions, [("2".to_owned(), true), ("1".to_owned(), false)]);
        let arrivals: Vec<_> = store.arrivals("c").into_iter().map(|a| (a.global_user_id, a.version)).collect();
        assert_eq!(arrivals, [("u".to_owned(), "2".to_owned())]);
    }
}
