//! The workers of a schedule. Their dispositions depend on the records' tempers, the outages, and a seed. A call that
//! has begun on one version ends on it.

use super::journal::{CallId, Fact, Said};
use super::network::Network;
use super::records;
use super::schedule::{Kind, Schedule, Temper, random};
use super::settings::WORKERS;
use crate::model::{Reply, retry, trap};
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event};
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
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
    /// How often each worker answered `retry` for each record because of its temper.
    retried: BTreeMap<(usize, u64), u32>,
    /// The workers with an outage: a dependency is down, or (`false`) the worker cannot be called.
    outages: BTreeMap<usize, bool>,
    /// The workers of which a service refuses everything.
    refused: BTreeSet<usize>,
    calm: bool,
}

/// The digest of a version.
pub fn digest(version: u32) -> String {
    format!("digest-{version}")
}

impl SimulatedWorker {
    pub fn new(schedule: Arc<Schedule>, network: Arc<Network>) -> Self {
        let random = random(schedule.seed, 3);
        let (retried, outages, refused) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let state = State { random, calls: 0, version: 1, retried, outages, refused, calm: false };
        Self { schedule, network, state: Mutex::new(state) }
    }

    /// Loads the next version.
    pub fn swap(&self) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        self.network.journal.write(Fact::Swapped(state.version));
    }

    /// Begins an outage: a dependency of the worker is down, or (`false`) the worker cannot be called.
    pub fn outage(&self, worker: usize, callable: bool) {
        self.state.lock().unwrap().outages.insert(worker, callable);
    }

    /// From now on a service refuses everything that the worker asks of it.
    pub fn refuse(&self, worker: usize) {
        self.state.lock().unwrap().refused.insert(worker);
    }

    /// From now on everything is up.
    pub fn recover(&self) {
        let mut state = self.state.lock().unwrap();
        state.outages.clear();
        state.refused.clear();
    }

    /// From now on only the records themselves cause failures.
    pub fn calm(&self) {
        let mut state = self.state.lock().unwrap();
        state.calm = true;
        state.outages.clear();
        state.refused.clear();
    }

    /// The numbers of a batch. Reports events that are not records of this schedule.
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

    fn begin(&self, worker: usize, batch: &[Event], numbers: &[u64]) -> (CallId, Reply) {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let (call, version) = (state.calls, state.version);
        let queue = batch.iter().all(|event| event.source.starts_with("sqs:"));
        let kind = if queue { Kind::Queue } else { Kind::Stream(worker) };
        let batch = numbers.iter().zip(batch).map(|(number, event)| (*number, event.attempt)).collect();
        self.network.journal.write(Fact::Began { call, kind, version, batch });
        let mut reply = state.reply(&self.schedule, worker, numbers);
        reply.dispatched.digest = digest(version);
        (call, reply)
    }
}

impl State {
    fn reply(&mut self, schedule: &Schedule, worker: usize, numbers: &[u64]) -> Reply {
        let tempers: Vec<Temper> = numbers.iter().map(|number| schedule.temper(*number, worker)).collect();
        let outage = self.outages.get(&worker).copied();
        let limit = Duration::from_secs(schedule.time_limit_secs);
        if outage == Some(false) {
            return Reply::new(Err(CallError::NotCallable("does not compile".to_owned())));
        }
        if tempers.contains(&Temper::TimesOut) {
            return Reply::new(Err(CallError::TimedOut(limit))).takes(schedule.time_limit_secs);
        }
        let reply = match outage {
            _ if tempers.contains(&Temper::Traps) => trap(),
            Some(_) => self.without_service(numbers.len()),
            None if self.refused.contains(&worker) => self.refused_by_service(numbers.len()),
            None if tempers.contains(&Temper::FailsForGood) => {
                Reply::new(Err(CallError::Permanent("malformed".to_owned())))
            }
            None => Reply::new(Ok(numbers
                .iter()
                .zip(tempers)
                .map(|(number, temper)| self.say((worker, *number), temper))
                .collect())),
        };
        if self.calm { reply } else { self.hiccup(schedule, reply) }
    }

    /// Most records need the dependency that is down, some do not.
    fn without_service(&mut self, records: usize) -> Reply {
        if self.random.random_bool(0.1) {
            return Reply::new(Err(CallError::Failed("service down".to_owned()))).outage("service:entry");
        }
        let each = |_| if self.random.random_bool(0.3) { Disposition::Ack } else { retry() };
        Reply::new(Ok((0..records).map(each).collect())).outage("service:entry")
    }

    /// Records that do not need the service are done.
    fn refused_by_service(&mut self, records: usize) -> Reply {
        let each = |_| if self.random.random_bool(0.1) { Disposition::Ack } else { retry() };
        Reply::new(Ok((0..records).map(each).collect())).refused("service:entry POST /x: every request gets 404")
    }

    fn say(&mut self, which: (usize, u64), temper: Temper) -> Disposition {
        match temper {
            Temper::Rejected => Disposition::Reject("never".to_owned()),
            Temper::Retried(times, after) => {
                let retried = self.retried.entry(which).or_default();
                *retried = retried.saturating_add(1);
                if *retried > times {
                    return Disposition::Ack;
                }
                Disposition::retry_after(after.map(|secs| secs * 1000), "not yet")
            }
            Temper::Fine | Temper::Traps | Temper::TimesOut | Temper::FailsForGood => Disposition::Ack,
        }
    }

    /// Makes the call slow, trap, or return too few or too many dispositions.
    fn hiccup(&mut self, schedule: &Schedule, mut reply: Reply) -> Reply {
        if schedule.slowness_secs > 0 && self.random.random_bool(0.5) {
            reply = reply.takes(self.random.random_range(0..=schedule.slowness_secs));
        }
        if self.random.random_bool(schedule.hiccups) {
            let which = self.random.random_range(0..3);
            reply.dispatched.result = match reply.dispatched.result {
                Ok(mut said) if which == 0 => {
                    said.truncate(self.random.random_range(0..said.len()));
                    Ok(said)
                }
                Ok(said) if which == 1 => Ok([said, vec![Disposition::Ack]].concat()),
                _ => trap().dispatched.result,
            };
        }
        reply
    }
}

/// How a host must read the result of a call with `records` records.
fn heard(call: CallId, dispatched: &Dispatched, records: usize) -> Fact {
    let answer = dispatched.result.as_ref().ok().filter(|answer| answer.len() <= records);
    let mut said: Vec<Said> = answer.into_iter().flatten().map(one_heard).collect();
    let for_good = matches!(dispatched.result, Err(CallError::Permanent(_)));
    said.resize(records, if for_good { Said::FailedForGood } else { Said::Retry(None) });
    let uncallable = matches!(dispatched.result, Err(CallError::NotCallable(_)));
    let retried = said.iter().any(|said| matches!(said, Said::Retry(_)));
    let is_down = !(dispatched.outages.is_empty() && dispatched.refusing.is_empty());
    let outage = uncallable || (retried && is_down);
    Fact::Answered { call, said, whole: answer.is_none(), outage }
}

fn one_heard(disposition: &Disposition) -> Said {
    match disposition {
        Disposition::Ack | Disposition::Skip(_) => Said::Ack,
        Disposition::Retry(retry) => Said::Retry(retry.after_ms.map(|millis| millis / 1000)),
        Disposition::Reject(_) => Said::Reject,
        Disposition::GiveUp(_) => unreachable!("no worker of a schedule gives a record up"),
    }
}

#[async_trait::async_trait]
impl Dispatch for SimulatedWorker {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        let worker = WORKERS.iter().position(|known| *known == worker).expect("only workers of the schedule");
        assert!(!batch.is_empty(), "a call without records");
        let numbers = self.numbers(&batch);
        let (call, reply) = self.begin(worker, &batch, &numbers);
        tokio::time::sleep(reply.after).await;
        self.network.travel().await;
        self.network.journal.write(heard(call, &reply.dispatched, batch.len()));
        reply.dispatched
    }
}
