//! The oracle judges what happened: it knows every record that was sent, follows the journal fact by fact, and names
//! the first fact that a correct host cannot cause.

mod dead_letters;
mod isolation;
mod queue;
mod stream;

use super::journal::{CallId, DeadLetter, Fact};
use super::schedule::{Kind, Schedule};
use super::settings::Streams;
use dead_letters::DeadLetters;
use queue::QueueOracle;
use std::collections::BTreeMap;
use stream::StreamOracle;

/// `Err` says what is wrong, in a sentence.
pub type Verdict = Result<(), String>;

/// Fails with a sentence unless `holds`.
fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A call of the worker in progress.
struct Call {
    kind: Kind,
    version: u32,
    batch: Vec<(u64, u32)>,
}

struct Oracle<'a> {
    calls: BTreeMap<CallId, Call>,
    queue: Option<QueueOracle<'a>>,
    /// One for each worker.
    streams: Vec<StreamOracle<'a>>,
    dead_letters: DeadLetters,
    at_ms: u64,
}

/// Judges a schedule that was played to its end.
pub fn judge(schedule: &Schedule, facts: &[(u64, Fact)]) -> Verdict {
    let mut oracle = Oracle {
        calls: BTreeMap::new(),
        queue: schedule.queue.as_ref().map(QueueOracle::new),
        streams: schedule.streams.iter().flat_map(|streams| of_workers(schedule, streams)).collect(),
        dead_letters: DeadLetters::default(),
        at_ms: 0,
    };
    for (at_ms, fact) in facts {
        oracle.at_ms = *at_ms;
        oracle.hear(fact).map_err(|wrong| format!("{wrong} (at {at_ms} ms: {fact})"))?;
    }
    oracle.queue.iter().try_for_each(|queue| queue.end())?;
    oracle.streams.iter().try_for_each(StreamOracle::end)
}

fn of_workers<'a>(schedule: &'a Schedule, streams: &'a Streams) -> impl Iterator<Item = StreamOracle<'a>> {
    (0..streams.configs.len()).map(move |worker| StreamOracle::new(schedule, streams, worker))
}

impl<'a> Oracle<'a> {
    fn stream(&mut self, worker: usize) -> Result<&mut StreamOracle<'a>, String> {
        self.streams.get_mut(worker).ok_or_else(|| format!("worker {worker} reads no stream"))
    }

    fn queue(&mut self) -> Result<&mut QueueOracle<'a>, String> {
        self.queue.as_mut().ok_or_else(|| "there is no queue".to_owned())
    }

    fn hear(&mut self, fact: &Fact) -> Verdict {
        match fact {
            Fact::Impossible(_) => Err("what may never happen".to_owned()),
            Fact::Began { call, kind, version, batch } => {
                self.calls.insert(*call, Call { kind: *kind, version: *version, batch: batch.clone() });
                self.began(*kind, batch)
            }
            Fact::Answered { call, .. } => {
                let call = self.calls.remove(call).ok_or("an answer to no call")?;
                self.dead_letters.handled(&call);
                self.answered(&call, fact)
            }
            Fact::DeadLettered(dead_letter) => self.given_up(dead_letter),
            Fact::Crashed => self.crashed(),
            Fact::Ended(kind, given_back) => self.ended(*kind, *given_back),
            other => {
                self.queue.iter_mut().try_for_each(|queue| queue.hear(other))?;
                self.streams.iter_mut().try_for_each(|stream| stream.hear(self.at_ms, other))
            }
        }
    }

    fn began(&mut self, kind: Kind, batch: &[(u64, u32)]) -> Verdict {
        let at_ms = self.at_ms;
        match kind {
            Kind::Queue => self.queue()?.began(batch),
            Kind::Stream(worker) => self.stream(worker)?.began(at_ms, batch),
        }
    }

    fn answered(&mut self, call: &Call, fact: &Fact) -> Verdict {
        let Fact::Answered { said, whole, outage, .. } = fact else { return Ok(()) };
        match call.kind {
            Kind::Queue => self.queue()?.answered(&call.batch, said, *outage),
            Kind::Stream(worker) => self.stream(worker)?.answered(&call.batch, said, *whole, *outage),
        }
    }

    fn given_up(&mut self, dead_letter: &DeadLetter) -> Verdict {
        let queue = self.queue.as_ref().filter(|_| dead_letter.kind == Kind::Queue);
        self.dead_letters.stored(dead_letter, queue.is_some_and(|queue| queue.is_disturbed(dead_letter.record)))?;
        let at_ms = self.at_ms;
        match dead_letter.kind {
            Kind::Queue => self.queue()?.given_up(dead_letter.record),
            Kind::Stream(worker) => self.stream(worker)?.given_up(at_ms, dead_letter),
        }
    }

    fn crashed(&mut self) -> Verdict {
        self.calls.clear();
        self.queue.iter_mut().for_each(QueueOracle::crashed);
        self.streams.iter_mut().for_each(StreamOracle::host_ended);
        Ok(())
    }

    /// A host that was drained reports how many records go back, including those of calls that were given up.
    fn ended(&mut self, kind: Kind, given_back: Option<usize>) -> Verdict {
        let open: usize = self.calls.values().filter(|call| call.kind == kind).map(|call| call.batch.len()).sum();
        must(given_back.is_some_and(|given_back| given_back >= open) || (given_back.is_none() && open == 0), || {
            format!("ended with {given_back:?} given back while the worker had {open}")
        })?;
        self.queue.iter().filter(|_| kind == Kind::Queue).try_for_each(QueueOracle::drained)?;
        self.calls.retain(|_, call| call.kind != kind);
        match kind {
            Kind::Queue => self.queue()?.host_ended(),
            Kind::Stream(worker) => self.stream(worker)?.host_ended(),
        }
        Ok(())
    }
}
