//! The small world itself.

use super::{answer, image};
use crate::ports::{Ports, Report};
use crate::selection::Prize;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::platform::table::{Key, Predicate, Update};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::{AssignStatus, Assigned, Assignment};
use worker_kit::services::{ResponseSummary, Results, ServiceError};
use worker_kit::testing::{Choices, Fate};

/// What a fan of campaign `c` does meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Changes the entry.
    Modify(&'static str),
    /// Removes it.
    Remove(&'static str),
}

/// The world.
#[derive(Default)]
pub struct World {
    pub table: RefCell<BTreeMap<Key, Value>>,
    /// The Entry Service's scoring records of campaign `c`: each fan's code.
    pub service: RefCell<BTreeMap<String, Option<Prize>>>,
    /// The messages to verdictReporterQueue.
    pub reports: RefCell<Vec<Report>>,
    /// The changes between calls, last first.
    pub changes: RefCell<Vec<Change>>,
    pub choices: Choices,
    /// Fans whom the service finds invalid.
    pub invalid: BTreeSet<String>,
    /// Fans whose assignment makes the service refuse the whole request.
    pub poison: BTreeSet<String>,
    /// Whether the service answers as the documents print it: without what became of each fan.
    pub terse: bool,
    /// The error of every request to the service.
    pub outage: Option<ServiceError>,
    /// Fans whose updates fail, with this error.
    pub stuck: BTreeMap<String, Error>,
    /// The error of every read.
    pub blind: Option<Error>,
    /// The error of every report.
    pub mute: Option<Error>,
    /// The sizes of all requests to the service.
    pub requests: RefCell<Vec<usize>>,
    /// How often each fan has changed the entry.
    pub versions: RefCell<BTreeMap<String, u32>>,
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

fn service_down() -> ServiceError {
    ServiceError::Unavailable { service: "entry", message: "down".to_owned() }
}

impl World {
    /// A world with entries of these fans of campaign `c`, none of whom has a code.
    pub fn with<'a>(fans: impl IntoIterator<Item = &'a str>) -> Self {
        let world = Self::default();
        for fan in fans {
            world.table.borrow_mut().insert(Self::key(fan), image(fan, 0));
            world.service.borrow_mut().insert(fan.to_owned(), None);
        }
        world
    }

    pub fn key(fan: &str) -> Key {
        Key { pk: "CAMPAIGN#c".to_owned(), sk: format!("USER#{fan}") }
    }

    pub fn item(&self, fan: &str) -> Option<Value> {
        self.table.borrow().get(&Self::key(fan)).cloned()
    }

    /// Verdict, code and market of an item.
    pub fn told(&self, fan: &str) -> [Value; 3] {
        let item = self.item(fan).unwrap();
        ["verdict", "accessCode", "marketId"].map(|name| item.get(name).cloned().unwrap_or_default())
    }

    /// Makes a change; what systems wrote stays, as it does where AppSync's resolver updates an item.
    pub fn happen(&self, change: Change) {
        let mut table = self.table.borrow_mut();
        match change {
            Change::Remove(fan) => drop(table.remove(&Self::key(fan))),
            Change::Modify(fan) => {
                let Some(item) = table.get_mut(&Self::key(fan)) else { return };
                let mut versions = self.versions.borrow_mut();
                let version = versions.entry(fan.to_owned()).or_default();
                *version += 1;
                let changed = image(fan, *version);
                item["fields"] = changed["fields"].clone();
                item["date"] = changed["date"].clone();
                item["needsReplication"] = true.into();
            }
        }
    }

    /// Decides the fate of a call; changes may happen meanwhile.
    async fn fate(&self) -> Fate {
        let change = || {
            let change = self.changes.borrow_mut().pop();
            change.into_iter().for_each(|change| self.happen(change));
        };
        self.choices.fate(change).await
    }

    /// The status of each assignment by itself, as the service would tell it.
    fn judge(&self, Assignment { global_user_id, market_id, code }: &Assignment) -> AssignStatus {
        let wanted = Prize { market_id: market_id.clone(), code: code.clone() };
        match self.service.borrow().get(global_user_id) {
            _ if self.invalid.contains(global_user_id) => AssignStatus::Invalid,
            None => AssignStatus::Unknown,
            Some(None) => AssignStatus::Unassigned,
            Some(Some(held)) if *held == wanted => AssignStatus::Assigned,
            Some(Some(_)) => AssignStatus::Held,
        }
    }

    /// Assigns all codes, or none if one cannot be.
    fn assign_all(&self, assignments: &[Assignment]) -> Vec<Assigned> {
        let mut statuses: Vec<_> = assignments.iter().map(|assignment| self.judge(assignment)).collect();
        if statuses.iter().all(|status| matches!(status, AssignStatus::Assigned | AssignStatus::Unassigned)) {
            for (status, Assignment { global_user_id, market_id, code }) in statuses.iter_mut().zip(assignments) {
                let prize = Prize { market_id: market_id.clone(), code: code.clone() };
                self.service.borrow_mut().insert(global_user_id.clone(), Some(prize));
                *status = AssignStatus::Assigned;
            }
        }
        let assigned = |(status, assignment): (AssignStatus, &Assignment)| Assigned {
            global_user_id: assignment.global_user_id.clone(),
            status,
            message: None,
        };
        statuses.into_iter().zip(assignments).map(assigned).collect()
    }

    fn apply(&self, update: &Update) -> Option<Error> {
        let fan = update.key.sk.trim_start_matches("USER#");
        if let Some(error) = self.stuck.get(fan) {
            return Some(error.clone());
        }
        let mut table = self.table.borrow_mut();
        let value = |path: &str| table.get(&update.key)?.get(path).map(Value::to_string);
        let holds = |predicate: &Predicate| match predicate {
            Predicate::Exists(path) => value(path).is_some(),
            Predicate::NotExists(path) => value(path).is_none(),
            Predicate::Equals((path, wanted)) => value(path).as_ref() == Some(wanted),
            Predicate::AbsentOrEquals((path, wanted)) => {
                value(path).is_none_or(|value| value == "null" || value == *wanted)
            }
            other @ Predicate::AbsentOrLessThan(_) => unreachable!("{other:?}"),
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
}

impl Ports for World {
    async fn assign(&self, campaign_id: &str, assignments: &[Assignment]) -> Result<Results<Assigned>, ServiceError> {
        assert_eq!(campaign_id, "c");
        let fans: BTreeSet<_> = assignments.iter().map(|assignment| &assignment.global_user_id).collect();
        assert_eq!(fans.len(), assignments.len(), "a fan is in a request once");
        self.requests.borrow_mut().push(assignments.len());
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(service_down());
        }
        if let Some(outage) = &self.outage {
            return Err(outage.clone());
        }
        if fans.into_iter().any(|fan| self.poison.contains(fan)) {
            return Err(ServiceError::Refused(ResponseSummary::new("entry", 400, "not mine")));
        }
        let results = self.assign_all(assignments);
        if self.terse && results.iter().any(|result| result.status != AssignStatus::Assigned) {
            let summary = ResponseSummary::new("entry", 200, r#"{"success":false}"#);
            return Err(ServiceError::Partial { summary, success: false, count: 0, sent: assignments.len() });
        }
        if matches!(fate, Fate::ResponseLost) { Err(service_down()) } else { Ok(answer(results)) }
    }

    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(down());
        }
        // Each on its own: some may fail.
        let one = |update| if self.choices.choose(8) == 7 { Some(down()) } else { self.apply(update) };
        let results = updates.iter().map(one).collect();
        if matches!(fate, Fate::ResponseLost) { Err(down()) } else { Ok(results) }
    }

    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        // DynamoDB refuses the whole request.
        if keys.iter().any(|key| key.sk.len() > 1_024) {
            return Err(Error::new(ErrorKind::Invalid, "a key is too long"));
        }
        if let (Fate::Lost | Fate::ResponseLost, _) | (_, Some(_)) = (self.fate().await, &self.blind) {
            return Err(self.blind.clone().unwrap_or_else(down));
        }
        let table = self.table.borrow();
        Ok(keys.iter().map(|key| table.get(key).map(Value::to_string)).collect())
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Result<String, Error>>, Error> {
        let fate = self.fate().await;
        if matches!(fate, Fate::Lost) {
            return Err(down());
        }
        if let Some(mute) = &self.mute {
            return Ok(vec![Err(mute.clone()); reports.len()]);
        }
        self.reports.borrow_mut().extend_from_slice(reports);
        if matches!(fate, Fate::ResponseLost) { Err(down()) } else { Ok(vec![Ok(String::new()); reports.len()]) }
    }

    fn warn(&self, _: &str, data: Value) {
        assert_ne!(data, Value::Null, "a warning says what happened");
    }

    fn failed(&self, message: &str, _: &ServiceError, data: Value) {
        self.warn(message, data);
    }
}
