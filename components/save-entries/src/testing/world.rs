//! The small world itself.

use super::{answer, image, item};
use crate::ports::{Ports, Score};
use crate::record::Record;
use registration::entry::{Entry, Operation};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::platform::table::{Key, Predicate, Update};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::{self, DeleteStatus, Deleted, Deletion, UpsertStatus, Upserted};
use worker_kit::services::{ResponseSummary, Results, ServiceError};
use worker_kit::testing::{Choices, Fate};

/// Something that happens to an item of campaign `c`.
#[derive(Clone, Debug)]
pub enum Change {
    /// Its fan creates or changes it.
    Fan(&'static str, &'static str),
    /// It is removed.
    Remove(&'static str),
    /// A system writes a verdict.
    Verdict(&'static str),
}

/// The entry of a fan in the service: a version and the form, or a tombstone.
pub type StoredEntry = (String, Option<Map<String, Value>>);

/// The world.
#[derive(Default)]
pub struct World {
    pub table: RefCell<BTreeMap<Key, Value>>,
    pub service: RefCell<BTreeMap<(String, String), StoredEntry>>,
    /// The records that enqueueEntries would have sent.
    pub records: RefCell<Vec<Record>>,
    /// The changes between calls, last first.
    pub changes: RefCell<Vec<Change>>,
    pub choices: Choices,
    /// Fans whose entries the service never accepts.
    pub invalid: BTreeSet<String>,
    /// Fans whose entry makes the service refuse the whole request.
    pub poison: BTreeSet<String>,
    /// Fans whose score fails.
    pub unscored: BTreeSet<String>,
    /// The error of every request to the service.
    pub outage: Option<ServiceError>,
    /// The error of every read.
    pub blind: Option<Error>,
    /// Whether the queue refuses all messages.
    pub queue_down: bool,
    pub scores: RefCell<Vec<Score>>,
    /// Sizes of all requests to the service.
    pub requests: RefCell<Vec<usize>>,
    clock: Cell<u32>,
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

fn service_down() -> ServiceError {
    ServiceError::Unavailable { service: "entry", message: "down".to_owned() }
}

impl World {
    /// A world with these items.
    pub fn with(items: impl IntoIterator<Item = Value>) -> Self {
        let world = Self::default();
        world.table.borrow_mut().extend(items.into_iter().map(|image| (item(&image).key, image)));
        world
    }

    /// Makes a change, and queues its record as enqueueEntries would.
    pub fn happen(&self, change: &Change) {
        let (Change::Fan(fan, _) | Change::Remove(fan) | Change::Verdict(fan)) = change;
        let key = item(&image(fan, 0, "")).key;
        let old = self.table.borrow().get(&key).cloned();
        let (operation, new) = match (change, old) {
            (Change::Fan(_, market), old) => {
                self.clock.set(self.clock.get() + 1);
                let operation = if old.is_some() { Operation::Modify } else { Operation::Insert };
                (operation, image(fan, self.clock.get(), market))
            }
            (Change::Verdict(_), Some(mut new)) => {
                new["verdict"] = true.into();
                (Operation::Modify, new)
            }
            (Change::Remove(_), Some(old)) => (Operation::Remove, old),
            (_, None) => return,
        };
        match operation {
            Operation::Remove => self.table.borrow_mut().remove(&key),
            _ => self.table.borrow_mut().insert(key, new.clone()),
        };
        if operation == Operation::Remove || new["needsReplication"] == true {
            self.records.borrow_mut().push(Record { operation, image: item(&new).into() });
        }
    }

    /// Decides the fate of a call; changes may happen meanwhile.
    async fn fate(&self) -> Fate {
        let change = || {
            let change = self.changes.borrow_mut().pop();
            change.iter().for_each(|change| self.happen(change));
        };
        self.choices.fate(change).await
    }

    /// `Ok` if flag, table and service agree about every entry.
    pub fn agreement(&self) -> Result<(), String> {
        let (table, service) = (self.table.borrow(), self.service.borrow());
        for image in table.values() {
            let item = item(image);
            let id = (item.entry.campaign_id.clone(), item.entry.global_user_id.clone());
            let stored = service.get(&id);
            if stored.map(|(version, entry)| (version, entry.is_some())) != Some((&item.version, true)) {
                return Err(format!("{id:?} is {image}, the service has {stored:?}"));
            }
            if stored.and_then(|(_, fields)| fields.as_ref()) != item.entry.fields.members().as_ref() {
                return Err(format!("{id:?} has other fields: {stored:?}"));
            }
            if item.entry.needs_replication {
                return Err(format!("{id:?} is still flagged: {image}"));
            }
        }
        let alive = service.iter().filter(|(_, (_, entry))| entry.is_some()).count();
        if alive == table.len() { Ok(()) } else { Err(format!("the service has {alive}, the table {}", table.len())) }
    }

    pub fn is_flagged(&self, image: &Value) -> bool {
        let table = self.table.borrow();
        Entry::from_image(&table[&item(image).key]).unwrap().needs_replication
    }

    fn store(&self, entry: &entry::Entry<'_>) -> Upserted {
        let id = (entry.campaign_id.to_owned(), entry.global_user_id.to_owned());
        let mut service = self.service.borrow_mut();
        let refused = service.get(&id).is_some_and(|(version, stored)| {
            if stored.is_some() { **version > *entry.version } else { **version >= *entry.version }
        });
        let status = if self.invalid.contains(entry.global_user_id) {
            UpsertStatus::Invalid
        } else if refused {
            UpsertStatus::Stale
        } else {
            service.insert(id, (entry.version.to_owned(), serde_json::from_str(entry.fields.get()).unwrap()));
            UpsertStatus::Upserted
        };
        let score = self.unscored.contains(entry.global_user_id).then(|| "failed".to_owned());
        Upserted { global_user_id: entry.global_user_id.to_owned(), status, message: None, score }
    }

    fn tombstone(&self, campaign_id: &str, deletion: &Deletion) -> Deleted {
        let id = (campaign_id.to_owned(), deletion.global_user_id.clone());
        let mut service = self.service.borrow_mut();
        let newer = service.get(&id).is_some_and(|(version, _)| *version > deletion.version);
        if !newer {
            service.insert(id, (deletion.version.clone(), None));
        }
        let status = if newer { DeleteStatus::Stale } else { DeleteStatus::Deleted };
        Deleted { global_user_id: deletion.global_user_id.clone(), status }
    }

    fn apply(&self, update: &Update) -> Option<Error> {
        let mut table = self.table.borrow_mut();
        let holds = |predicate: &Predicate| match (table.get(&update.key), predicate) {
            (Some(item), Predicate::Equals((path, value))) => {
                item.pointer(&format!("/{}", path.replace('.', "/"))).map(Value::to_string).as_ref() == Some(value)
            }
            _ => false,
        };
        if !update.condition.iter().all(holds) {
            return Some(Error::new(ErrorKind::ConditionFailed, "changed"));
        }
        let item = table.get_mut(&update.key).unwrap();
        for (name, value) in &update.set {
            item[name.as_str()] = serde_json::from_str(value).unwrap();
        }
        None
    }

    fn refusal(&self, fans: impl IntoIterator<Item = String>) -> Option<ServiceError> {
        let spoiled = fans.into_iter().any(|fan| self.poison.contains(&fan));
        let refusal = ServiceError::Refused(ResponseSummary::new("entry", 400, "not mine"));
        self.outage.clone().or(spoiled.then_some(refusal))
    }
}

impl Ports for World {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        if let (Fate::Lost | Fate::ResponseLost, _) | (_, Some(_)) = (self.fate().await, &self.blind) {
            return Err(self.blind.clone().unwrap_or_else(down));
        }
        let table = self.table.borrow();
        Ok(keys.iter().map(|key| table.get(key).map(Value::to_string)).collect())
    }

    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(down());
        }
        let results = updates.iter().map(|update| self.apply(update)).collect();
        if matches!(fate, Fate::ResponseLost) { Err(down()) } else { Ok(results) }
    }

    async fn upsert(&self, _: &str, entries: &[entry::Entry<'_>]) -> Result<Results<Upserted>, ServiceError> {
        self.requests.borrow_mut().push(entries.len());
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(service_down());
        }
        if let Some(refusal) = self.refusal(entries.iter().map(|entry| entry.global_user_id.to_owned())) {
            return Err(refusal);
        }
        let results = entries.iter().map(|entry| self.store(entry)).collect();
        if matches!(fate, Fate::ResponseLost) { Err(service_down()) } else { Ok(answer(results)) }
    }

    async fn delete(&self, campaign_id: &str, entries: &[Deletion]) -> Result<Results<Deleted>, ServiceError> {
        self.requests.borrow_mut().push(entries.len());
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(service_down());
        }
        if let Some(refusal) = self.refusal(entries.iter().map(|entry| entry.global_user_id.clone())) {
            return Err(refusal);
        }
        let results = entries.iter().map(|deletion| self.tombstone(campaign_id, deletion)).collect();
        if matches!(fate, Fate::ResponseLost) { Err(service_down()) } else { Ok(answer(results)) }
    }

    async fn queue_scores(&self, scores: &[Score]) -> Result<Vec<Result<String, Error>>, Error> {
        if self.queue_down {
            return Err(down());
        }
        self.scores.borrow_mut().extend_from_slice(scores);
        Ok(scores.iter().map(|score| Ok(score.global_user_id.clone())).collect())
    }

    fn now(&self) -> String {
        "2024-01-01T11:00:00.000Z".to_owned()
    }

    fn warn(&self, _: &str, data: Value) {
        assert_ne!(data, json!(null), "a warning says what happened");
    }

    fn failed(&self, message: &str, _: &ServiceError, data: Value) {
        self.warn(message, data);
    }
}
