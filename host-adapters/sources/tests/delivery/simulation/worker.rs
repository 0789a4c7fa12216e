//! The worker of a schedule: what it answers depends on its records' tempers, the outages, and a seeded die. A call
//! that has begun on one version ends on it.

use super::journal::{CallId, Fact, Said};
use super::network::Network;
use super::records;
use super::schedule::{Kind, Schedule, Temper, random};
use crate::model::{Reply, WORKER, retry, trap};
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event};
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct SimulatedWorker {
    schedule: Arc<Schedule>,
    network: Arc<Network>,
    state: Mutex<State>,
}

struct State {
    random: StdRng,
    calls: CallId,
    version: u32,
    /// How often each record was answered `retry` because of its temper.
    retried: BTreeMap<u64, u32>,
    /// What it needs is down, or (`false`) it cannot even be called.
    outage: Option<bool>,
    calm: bool,
}

/// The digest of a version.
pub fn digest(version: u32) -> String {
    format!("digest-{version}")
}

impl SimulatedWorker {
    pub fn new(schedule: Arc<Schedule>, network: Arc<Network>) -> Self {
        let random = random(schedule.seed, 3);
        let state = State { random, calls: 0, version: 1, retried: BTreeMap::new(), outage: None, calm: false };
        Self { schedule, network, state: Mutex::new(state) }
    }

    /// Loads the next version.
    pub fn swap(&self) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        self.network.journal.write(Fact::Swapped(state.version));
    }

    /// From now on what it needs is up, down, or (`Some(false)`) it cannot be called.
    pub fn outage(&self, outage: Option<bool>) {
        self.state.lock().unwrap().outage = outage;
    }

    /// From now on only records make trouble.
    pub fn calm(&self) {
        let mut state = self.state.lock().unwrap();
        (state.calm, state.outage) = (true, None);
    }

    /// The numbers of a batch; what is no record of this schedule is written down as such.
    fn numbers(&self, batch: &[Event]) -> Vec<u64> {
        let key = |record: u64| Some(self.schedule.records.get(usize::try_from(record).ok()?)?.key);
        let number = |event: &Event| {
            let record = records::of_event(event, key);
            record.unwrap_or_else(|| {
                self.network.journal.write(Fact::Impossible(format!("a record that nobody sent: {event:?}")));
                u64::MAX
            })
        };
        batch.iter().map(number).collect()
    }

    fn begin(&self, batch: &[Event], numbers: &[u64]) -> (CallId, Reply) {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let (call, version) = (state.calls, state.version);
        let queue = batch.iter().all(|event| event.source.starts_with("sqs:"));
        let kind = if queue { Kind::Queue } else { Kind::Stream };
        let batch = numbers.iter().zip(batch).map(|(number, event)| (*number, event.attempt)).collect();
        self.network.journal.write(Fact::Began { call, kind, version, batch });
        let mut reply = state.reply(&self.schedule, numbers);
        reply.dispatched.digest = digest(version);
        (call, reply)
    }
}

impl State {
    fn reply(&mut self, schedule: &Schedule, numbers: &[u64]) -> Reply {
        let tempers: Vec<Temper> = numbers.iter().map(|number| temper(schedule, *number)).collect();
        let limit = Duration::from_secs(schedule.time_limit_secs);
        if self.outage == Some(false) {
            return Reply::new(Err(CallError::NotCallable("does not compile".to_owned())));
        }
        if tempers.contains(&Temper::TimesOut) {
            return Reply::new(Err(CallError::TimedOut(limit))).takes(schedule.time_limit_secs);
        }
        let reply = match self.outage {
            _ if tempers.contains(&Temper::Traps) => trap(),
            Some(_) => self.without_service(numbers.len()),
            None => {
                Reply::new(Ok(numbers.iter().zip(tempers).map(|(number, temper)| self.say(*number, temper)).collect()))
            }
        };
        if self.calm { reply } else { self.hiccup(schedule, reply) }
    }

    /// Most records need what is down, some do not.
    fn without_service(&mut self, records: usize) -> Reply {
        if self.random.random_bool(0.1) {
            return Reply::new(Err(CallError::Failed("service down".to_owned()))).outage("service:entry");
        }
        let each = |_| if self.random.random_bool(0.3) { Disposition::Ack } else { retry() };
        Reply::new(Ok((0..records).map(each).collect())).outage("service:entry")
    }

    fn say(&mut self, number: u64, temper: Temper) -> Disposition {
        match temper {
            Temper::Rejected => Disposition::Reject { reason: "never".to_owned() },
            Temper::Retried(times, after) => {
                let retried = self.retried.entry(number).or_default();
                *retried = retried.saturating_add(1);
                let after = after.map(Duration::from_secs);
                if *retried <= times { Disposition::Retry { after } } else { Disposition::Ack }
            }
            Temper::Fine | Temper::Traps | Temper::TimesOut => Disposition::Ack,
        }
    }

    /// Slowness, traps and answers that are too short or too long.
    fn hiccup(&mut self, schedule: &Schedule, mut reply: Reply) -> Reply {
        if schedule.slowness_secs > 0 && self.random.random_bool(0.5) {
            reply = reply.takes(self.random.random_range(0..=schedule.slowness_secs));
        }
        if self.random.random_bool(schedule.hiccups) {
            let which = self.random.random_range(0..3);
            reply.dispatched.answer = match reply.dispatched.answer {
                Ok(mut said) if which == 0 => {
                    said.truncate(self.random.random_range(0..said.len()));
                    Ok(said)
                }
                Ok(said) if which == 1 => Ok([said, vec![Disposition::Ack]].concat()),
                _ => trap().dispatched.answer,
            };
        }
        reply
    }
}

fn temper(schedule: &Schedule, number: u64) -> Temper {
    usize::try_from(number).ok().and_then(|at| schedule.records.get(at)).map_or(Temper::Fine, |record| record.temper)
}

/// What a host must take an answer to `records` records for.
fn heard(call: CallId, dispatched: &Dispatched, records: usize) -> Fact {
    let answer = dispatched.answer.as_ref().ok().filter(|answer| answer.len() <= records);
    let mut said: Vec<Said> = answer.into_iter().flatten().map(one_heard).collect();
    said.resize(records, Said::Retry(None));
    let uncallable = matches!(dispatched.answer, Err(CallError::NotCallable(_)));
    let retried = said.iter().any(|said| matches!(said, Said::Retry(_)));
    let outage = uncallable || (retried && !dispatched.outages.is_empty());
    Fact::Answered { call, said, whole: answer.is_none(), outage }
}

fn one_heard(disposition: &Disposition) -> Said {
    match disposition {
        Disposition::Ack => Said::Ack,
        Disposition::Retry { after } => Said::Retry(after.map(|after| after.as_secs())),
        Disposition::Reject { .. } => Said::Reject,
    }
}

#[async_trait::async_trait]
impl Dispatch for SimulatedWorker {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        assert_eq!(worker, WORKER);
        assert!(!batch.is_empty(), "a call without records");
        let numbers = self.numbers(&batch);
        let (call, reply) = self.begin(&batch, &numbers);
        tokio::time::sleep(reply.after).await;
        self.network.travel().await;
        self.network.journal.write(heard(call, &reply.dispatched, batch.len()));
        reply.dispatched
    }
}
