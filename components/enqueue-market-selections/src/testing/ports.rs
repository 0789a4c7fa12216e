//! What the services, the table and the queue of the small world do.

use super::{Fan, State, World};
use crate::input::Selection;
use crate::ports::Ports;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use registration::text::fits_queue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use worker_kit::platform::table::{Key, Page, Predicate, Update};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::campaign::{Campaign, Market};
use worker_kit::services::code::CodePage;
use worker_kit::services::entry::{ScoringPage, Stats};
use worker_kit::services::{ResponseSummary, ServiceError};

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

fn service_down(service: &'static str) -> ServiceError {
    ServiceError::Unavailable { service, message: "down".to_owned() }
}

fn refused(service: &'static str, status: u16, why: &str) -> ServiceError {
    ServiceError::from_answer(ResponseSummary::new(service, status, why), None)
}

/// A page of a list, and the place of the next one.
fn page<T: Clone>(all: &[T], after: Option<String>, per_page: usize) -> (Vec<T>, Option<String>) {
    let start = after.map_or(0, |after| after.parse().unwrap());
    let end = (start + per_page).min(all.len());
    (all[start..end].to_vec(), (end < all.len()).then(|| end.to_string()))
}

impl World {
    /// A page of the market's records without a code, in no particular order: the worker ranks them itself.
    fn records(&self, after: Option<String>) -> ScoringPage {
        let ten: DateTime<Utc> = "2024-01-01T10:00:00Z".parse().unwrap();
        let (held, gone) = (self.held.borrow(), self.gone.borrow());
        let is_open = |id: &String| !held.contains_key(id) && !gone.contains(id);
        let open = self.fans.iter().filter(|fan| fan.id.as_ref().is_none_or(is_open));
        let (fans, next) = page(&open.collect::<Vec<_>>(), after, self.per_page);
        let record = |(index, fan): (usize, &Fan)| {
            // The same instant in several notations.
            let offset = FixedOffset::east_opt(i32::try_from(index % 3).unwrap() * 3600).unwrap();
            let time = (ten + TimeDelta::minutes(fan.minute.into())).with_timezone(&offset).to_rfc3339();
            let record = json!({
                "campaignId": "c", "marketId": "m", "globalUserId": fan.id, "memberId": format!("member-{index}"),
                "score": fan.score, "registeredAt": time,
            });
            serde_json::from_str(&record.to_string()).unwrap()
        };
        ScoringPage { records: fans.into_iter().enumerate().map(record).collect(), next }
    }

    /// A page of the fans who got a code of this market.
    fn winners(&self, after: Option<String>) -> ScoringPage {
        let (held, pool) = (self.held.borrow(), self.pool.borrow());
        let ours: BTreeSet<_> = pool.iter().map(|(code, _)| code).collect();
        let won: Vec<_> = held.iter().filter(|(_, code)| ours.contains(code)).collect();
        let (won, next) = page(&won, after, self.per_page);
        let record = |(fan, code): (&String, &String)| {
            let record = json!({
                "campaignId": "c", "marketId": "m", "globalUserId": fan, "score": 1, "registeredAt": "2024-01-01T10:00:00Z",
                "verdict": true, "code": {"marketId": "m", "value": code}, "removed": self.gone.borrow().contains(fan),
            });
            serde_json::from_str(&record.to_string()).unwrap()
        };
        ScoringPage { records: won.into_iter().map(record).collect(), next }
    }

    fn take_codes(&self, count: usize, id: &str) -> Result<Vec<String>, ServiceError> {
        if let Some((_, codes)) = self.reservations.borrow().iter().find(|(known, _)| known == id) {
            return if codes.len() == count {
                Ok(codes.clone())
            } else {
                Err(refused("code", 409, r#"{"error":{"code":"RESERVATION_DIFFERS","message":"another reservation"}}"#))
            };
        }
        let mut pool = self.pool.borrow_mut();
        let free: Vec<_> = pool.iter_mut().filter(|(_, state)| *state == State::Free).take(count).collect();
        if free.len() < count {
            let message = format!("only {} codes are free", free.len());
            let body = json!({"error": {"code": "TOO_FEW_CODES", "message": message}}).to_string();
            return Err(refused("code", 409, &body));
        }
        let take = |(code, state): &mut (String, State)| {
            *state = State::Reserved;
            code.clone()
        };
        let codes: Vec<_> = free.into_iter().map(take).collect();
        self.reservations.borrow_mut().push((id.to_owned(), codes.clone()));
        Ok(codes)
    }

    fn apply(&self, update: Update) -> Option<Error> {
        let mut table = self.table.borrow_mut();
        let item = table.get(&update.key);
        let holds = |predicate: &Predicate| match predicate {
            Predicate::NotExists(path) => item.is_none_or(|item| item.get(path).is_none()),
            Predicate::Equals((path, value)) => {
                item.and_then(|item| item.get(path)).map(Value::to_string).as_ref() == Some(value)
            }
            other => unreachable!("{other:?}"),
        };
        if !update.condition.iter().all(holds) {
            return Some(Error::new(ErrorKind::ConditionFailed, "changed"));
        }
        let new = || json!({"pk": update.key.pk, "sk": update.key.sk});
        let item = table.entry(update.key.clone()).or_insert_with(new);
        for (name, value) in update.set {
            item[name.as_str()] = serde_json::from_str(&value).unwrap();
        }
        for name in update.remove {
            item.as_object_mut().unwrap().remove(&name);
        }
        None
    }
}

impl Ports for World {
    type Span = ();

    async fn campaign(&self, _: &Selection) -> Result<Option<Campaign>, ServiceError> {
        let campaign = || self.campaign.clone().map(|campaign| serde_json::from_value(campaign).unwrap());
        self.call(service_down("campaign"), |_| Ok(campaign())).await
    }

    async fn market(&self, _: &Selection) -> Result<Option<Market>, ServiceError> {
        let market = || self.market.borrow().clone().map(super::read_market);
        self.call(service_down("campaign"), |_| Ok(market())).await
    }

    async fn eligible_count(&self, _: &Selection) -> Result<u64, ServiceError> {
        self.call(service_down("entry"), |_| Ok(self.fans.len() as u64)).await
    }

    async fn unassigned(&self, _: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError> {
        self.call(service_down("entry"), |_| Ok(self.records(after))).await
    }

    async fn assigned(&self, _: &Selection, after: Option<String>) -> Result<ScoringPage, ServiceError> {
        self.call(service_down("entry"), |_| Ok(self.winners(after))).await
    }

    async fn report(&self, _: &Selection, stats: &Stats) -> Result<(), ServiceError> {
        let report = || {
            if self.refused_report == Some(stats.status) {
                return Err(refused("entry", 400, "not a report"));
            }
            self.reports.borrow_mut().push(json!(stats));
            Ok(())
        };
        self.call(service_down("entry"), |_| report()).await
    }

    async fn reserve(&self, _: &Selection, count: usize, id: &str) -> Result<Vec<String>, ServiceError> {
        self.call(service_down("code"), |_| self.take_codes(count, id)).await
    }

    async fn reserved(&self, _: &Selection, after: Option<String>) -> Result<CodePage, ServiceError> {
        let read = || {
            let (codes, next) = page(&self.codes("reserved"), after, self.per_page);
            Ok(CodePage { codes, next })
        };
        self.call(service_down("code"), |_| read()).await
    }

    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        let read = || keys.iter().map(|key| self.table.borrow().get(key).map(Value::to_string)).collect();
        self.call(down(), |_| Ok(read())).await
    }

    async fn write(&self, mut puts: Vec<String>, deletes: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        let write = |is_half: bool| {
            if is_half {
                puts.truncate(puts.len() / 2);
            }
            let mut table = self.table.borrow_mut();
            for put in &puts {
                let item: Value = serde_json::from_str(put).unwrap();
                table.insert(serde_json::from_str(put).unwrap(), item);
            }
            deletes.iter().for_each(|key| drop(table.remove(key)));
            Ok(vec![None; puts.len() + deletes.len()])
        };
        self.call(down(), write).await
    }

    async fn update(&self, update: Update) -> Result<Option<Error>, Error> {
        self.call(down(), |_| Ok(self.apply(update))).await
    }

    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error> {
        let read = || {
            let table = self.table.borrow();
            let found = table.iter().filter(|(key, _)| key.pk == pk && key.sk.starts_with(prefix));
            let rest: Vec<_> = found.filter(|(key, _)| after.as_ref().is_none_or(|after| key.sk > *after)).collect();
            let next = rest.get(1).and(rest.first()).map(|(key, _)| key.sk.clone());
            Page { items: rest.iter().take(1).map(|(_, item)| item.to_string()).collect(), next }
        };
        self.call(down(), |_| Ok(read())).await
    }

    async fn send(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        self.sends.set(self.sends.get() + 1);
        let mut send = |body: String| {
            self.sent.set(self.sent.get() + 1);
            if self.refuses_every.is_some_and(|every| self.sent.get().is_multiple_of(every)) {
                return Err(down());
            }
            if self.unusable || !fits_queue(&body) {
                return Err(Error::new(ErrorKind::Invalid, "a character that no queue takes"));
            }
            self.queued.borrow_mut().push(body);
            Ok("message".to_owned())
        };
        let sent = |is_half: bool| {
            let half = bodies.len() / 2;
            if let Some(error) = &self.queue {
                return Err(error.clone());
            }
            Ok(bodies.into_iter().take(if is_half { half } else { usize::MAX }).map(&mut send).collect())
        };
        self.call(down(), sent).await
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.get()
    }

    fn end(&self) -> Option<DateTime<Utc>> {
        self.end.get()
    }

    fn span(&self, _: &'static str) {}

    fn info(&self, _: &str, data: Value) {
        assert_ne!(data, json!(null), "a line says what happened");
    }

    fn warn(&self, message: &str, data: Value) {
        self.logs.borrow_mut().push((message.to_owned(), data));
    }

    fn error(&self, message: &str, data: Value) {
        self.logs.borrow_mut().push((message.to_owned(), data));
    }
}
