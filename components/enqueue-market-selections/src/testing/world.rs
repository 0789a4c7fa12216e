//! The small world itself.

use super::market;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::platform::Error;
use worker_kit::platform::table::Key;
use worker_kit::services::entry::StatsStatus;
use worker_kit::yield_now;

/// A scoring record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fan {
    pub id: Option<String>,
    pub score: u32,
    /// When the fan registered, in minutes after ten o'clock.
    pub minute: u32,
}

/// The fate of one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It fails before it does anything.
    Lost,
    /// It takes effect, but the response is lost.
    ResponseLost,
    /// It takes half of its effect, and the response is lost.
    Half,
    /// The instance dies before it.
    Crash,
    /// The instance dies after it.
    CrashAfter,
}

impl Fault {
    pub const ALL: [Self; 5] = [Self::Lost, Self::ResponseLost, Self::Half, Self::Crash, Self::CrashAfter];
}

/// The state of a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Free,
    Reserved,
    Assigned,
}

/// A message to saveSelectionQueue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub task_id: String,
    pub campaign_id: String,
    pub market_id: String,
    #[serde(rename = "globalUserId")]
    pub fan: String,
    pub verdict: bool,
    pub code: Option<String>,
}

/// The world. Campaign `c` has market `m`.
pub struct World {
    pub table: RefCell<BTreeMap<Key, Value>>,
    pub campaign: Option<Value>,
    pub market: RefCell<Option<Value>>,
    pub fans: Vec<Fan>,
    /// Fans whose entries are removed from the table, which the Entry Service does not know yet, and those of whom it does.
    pub leaving: RefCell<BTreeSet<String>>,
    pub gone: RefCell<BTreeSet<String>>,
    /// Who got which code, of whichever market, by the Entry Service. It stays theirs when they leave.
    pub held: RefCell<BTreeMap<String, String>>,
    /// Codes that are in entries, and of which the Code Service does not know yet that they are assigned.
    pub unmarked: RefCell<BTreeSet<String>>,
    /// The market's codes, in the service's order.
    pub pool: RefCell<Vec<(String, State)>>,
    pub reservations: RefCell<Vec<(String, Vec<String>)>>,
    pub queued: RefCell<Vec<String>>,
    pub reports: RefCell<Vec<Value>>,
    pub logs: RefCell<Vec<(String, Value)>>,
    /// The Entry Service refuses reports of this status, as wrong.
    pub refused_report: Option<StatsStatus>,
    /// The queue refuses each n-th message it is sent.
    pub refuses_every: Option<usize>,
    /// The error of every call of the queue.
    pub queue: Option<Error>,
    /// The queue refuses each message as wrong in itself, as for an attribute that all have.
    pub unusable: bool,
    /// How often the queue was called, and how many messages that were.
    pub sends: Cell<usize>,
    pub sent: Cell<usize>,
    /// The calls of this attempt.
    pub steps: Cell<usize>,
    /// Which call of the attempt has a fault.
    pub fault: Cell<Option<(usize, Fault)>>,
    pub is_dead: Cell<bool>,
    /// Scoring records in a page, and codes.
    pub per_page: usize,
    /// How long each call takes, last first: how often other tasks continue meanwhile, and how many minutes pass.
    pub delays: RefCell<Vec<(u8, u8)>>,
    pub clock: Cell<DateTime<Utc>>,
    /// When an attempt is to come to its end.
    pub end: Cell<Option<DateTime<Utc>>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            table: RefCell::default(),
            campaign: Some(json!({"id": "c", "slug": "s", "status": "CLOSED"})),
            market: RefCell::new(Some(market(Some(10)))),
            fans: vec![],
            leaving: RefCell::default(),
            gone: RefCell::default(),
            held: RefCell::default(),
            unmarked: RefCell::default(),
            pool: RefCell::default(),
            reservations: RefCell::default(),
            queued: RefCell::default(),
            reports: RefCell::default(),
            logs: RefCell::default(),
            refused_report: None,
            refuses_every: None,
            queue: None,
            unusable: false,
            sends: Cell::default(),
            sent: Cell::default(),
            steps: Cell::default(),
            fault: Cell::default(),
            is_dead: Cell::default(),
            per_page: 100,
            delays: RefCell::default(),
            clock: Cell::new("2024-03-01T12:00:00Z".parse().unwrap()),
            end: Cell::default(),
        }
    }
}

impl World {
    /// A world with these scoring records and two thousand codes.
    pub fn with(fans: Vec<Fan>) -> Self {
        let per_page = if fans.len() > 10_000 { 1_000 } else { 100 };
        Self { fans, per_page, ..Self::with_codes(2_000) }
    }

    /// A world with this many codes.
    pub fn with_codes(count: usize) -> Self {
        let world = Self { per_page: if count > 10_000 { 1_000 } else { 100 }, ..Self::default() };
        world.add_codes(count);
        world
    }

    pub fn add_codes(&self, count: usize) {
        let mut pool = self.pool.borrow_mut();
        let first = pool.len();
        pool.extend((first..first + count).map(|n| (format!("CODE-{n}"), State::Free)));
    }

    pub fn sized(&self, capacity: u64) {
        *self.market.borrow_mut() = Some(market(Some(capacity)));
    }

    /// The codes that are not free, by their state.
    pub fn codes(&self, state: &str) -> Vec<String> {
        let wanted = if state == "reserved" { State::Reserved } else { State::Assigned };
        let pool = self.pool.borrow();
        pool.iter().filter(|(_, state)| *state == wanted).map(|(code, _)| code.clone()).collect()
    }

    pub fn reserved_count(&self) -> usize {
        self.codes("reserved").len()
    }

    /// The service breaks its word: a code that is reserved can be reserved again, and is still listed.
    pub fn forget_reservation(&self) {
        let mut pool = self.pool.borrow_mut();
        let code = pool.iter().find(|(_, state)| *state == State::Reserved).unwrap().0.clone();
        pool.insert(0, (code, State::Free));
    }

    fn key(fan: &str) -> Key {
        Key { pk: "CAMPAIGN#c".to_owned(), sk: format!("USER#{fan}") }
    }

    pub fn put_entry(&self, fan: &str, code: Option<&str>) {
        let key = Self::key(fan);
        let mut entry = json!({"pk": key.pk, "sk": key.sk, "globalUserId": fan, "verdict": code.is_some()});
        if let Some(code) = code {
            entry["accessCode"] = code.into();
        }
        self.table.borrow_mut().insert(key, entry);
    }

    pub fn entry(&self, fan: &str) -> Value {
        self.table.borrow().get(&Self::key(fan)).cloned().unwrap_or_default()
    }

    pub fn pass(&self, time: TimeDelta) {
        self.clock.set(self.clock.get() + time);
    }

    pub fn messages(&self) -> Vec<Message> {
        self.queued.borrow().iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    /// A fan's entry is removed from the table.
    pub fn remove(&self, fan: &str) {
        self.table.borrow_mut().remove(&Self::key(fan));
        self.leaving.borrow_mut().insert(fan.to_owned());
    }

    /// The Entry Service deletes the entries that are removed.
    pub fn replicate(&self) {
        self.gone.borrow_mut().append(&mut self.leaving.borrow_mut());
    }

    /// Whether the fan's entry is removed.
    pub fn is_removed(&self, fan: &str) -> bool {
        self.leaving.borrow().contains(fan) || self.gone.borrow().contains(fan)
    }

    /// A fan gets a code of another market.
    pub fn win_elsewhere(&self, fan: &str) {
        if self.is_removed(fan) {
            return;
        }
        let code = format!("OTHER-{fan}");
        self.held.borrow_mut().entry(fan.to_owned()).or_insert_with(|| code.clone());
        self.put_entry(fan, self.held.borrow().get(fan).map(String::as_str));
    }

    /// What saveSelections does with a message.
    pub fn deliver(&self, message: &Message) {
        let Some(code) = &message.code else {
            // A loss is written on condition that the entry exists and holds no code.
            if self.entry(&message.fan)["accessCode"].is_null() && !self.is_removed(&message.fan) {
                self.put_entry(&message.fan, None);
            }
            return;
        };
        // A winner's entry is looked at first.
        if !self.is_removed(&message.fan) && self.assign(&message.fan, code) {
            self.put_entry(&message.fan, Some(code));
            self.unmarked.borrow_mut().insert(code.clone());
        }
    }

    /// What the Entry Service does with a winner's code. Returns whether the fan has it.
    pub fn assign(&self, fan: &str, code: &str) -> bool {
        let mut held = self.held.borrow_mut();
        if !held.contains_key(fan) {
            let owner = held.iter().find(|(_, held)| *held == code).map(|(fan, _)| fan.clone());
            assert_eq!(owner, None, "{code} is given to {fan} too");
            held.insert(fan.to_owned(), code.to_owned());
        }
        held[fan] == code
    }

    /// What markAssignedCodes does when the stream is read.
    pub fn mark(&self) {
        let marked = self.unmarked.take();
        for (code, state) in self.pool.borrow_mut().iter_mut().filter(|(code, _)| marked.contains(code)) {
            assert_ne!(*state, State::Free, "{code} was never reserved");
            *state = State::Assigned;
        }
    }

    /// Delivers all messages, in order, and marks the codes.
    pub fn deliver_all(&self) {
        self.messages().iter().for_each(|message| self.deliver(message));
        self.mark();
    }

    /// The fans whom the Entry Service knows, in the order that the documents ask for, each once.
    pub fn ranking(&self) -> Vec<String> {
        let gone = self.gone.borrow();
        let counts = |fan: &&Fan| fan.id.as_ref().is_some_and(|id| !id.is_empty() && !gone.contains(id));
        let mut fans: Vec<_> = self.fans.iter().filter(counts).collect();
        fans.sort_by(|a, b| b.score.cmp(&a.score).then(a.minute.cmp(&b.minute)).then(a.id.cmp(&b.id)));
        let mut seen = BTreeSet::new();
        fans.into_iter().filter_map(|fan| fan.id.clone()).filter(|id| seen.insert(id.clone())).collect()
    }

    /// Makes a call, unless its fault is in the way. `effect` is told whether only half of it is to happen.
    pub async fn call<T, E>(&self, down: E, effect: impl FnOnce(bool) -> Result<T, E>) -> Result<T, E> {
        let step = self.steps.get();
        self.steps.set(step + 1);
        let (turns, minutes) = self.delays.borrow_mut().pop().unwrap_or_default();
        self.pass(TimeDelta::minutes(minutes.into()));
        for _ in 0..turns {
            yield_now().await;
        }
        match self.fault.get().filter(|(at, _)| *at == step).map(|(_, fault)| fault) {
            None => return effect(false),
            Some(Fault::Lost) => {}
            Some(Fault::ResponseLost) => drop(effect(false)),
            Some(Fault::Half) => drop(effect(true)),
            Some(Fault::Crash) => self.die().await,
            Some(Fault::CrashAfter) => {
                drop(effect(false));
                self.die().await;
            }
        }
        Err(down)
    }

    async fn die(&self) {
        self.is_dead.set(true);
        std::future::pending().await
    }
}
