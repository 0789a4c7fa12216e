//! A schedule: all that befalls a host from outside, drawn from one number. Each kind of trouble is drawn from a
//! randomness of its own, so that leaving one out changes nothing else, and a failing schedule can be made smaller.

use super::settings::{self, Queue, Streams};
use super::trouble::{TROUBLES, Trouble};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;

/// Which source: the queue, or the stream as one of its workers has it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Queue,
    Stream(usize),
}

/// What the worker does with a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Temper {
    Fine,
    Rejected,
    /// Answered `retry` so many times, each with the wish for a wait in seconds.
    Retried(u32, Option<u64>),
    Traps,
    TimesOut,
}

impl Temper {
    /// Whether every call with it fails as a whole.
    pub fn is_poison(self) -> bool {
        matches!(self, Self::Traps | Self::TimesOut)
    }
}

/// A record; its number is its place in [`Schedule::records`].
#[derive(Clone, Debug)]
pub struct Record {
    pub kind: Kind,
    /// Of a stream: the item that changed, and in which shard.
    pub key: u64,
    pub shard: String,
    pub at_ms: u64,
    pub temper: Temper,
}

/// What happens from outside.
#[derive(Clone, Debug)]
pub enum Event {
    Arrive(u64),
    /// Shards are closed and these begin.
    Reshard(Vec<String>, Vec<String>),
    Swap,
    /// What the worker needs goes down, or the worker itself.
    Outage {
        callable: bool,
        /// Whose; all workers share what the others need.
        worker: usize,
    },
    Recover,
    Crash,
    /// The host dies at the n-th step from here.
    CrashAfter(u32),
    /// With so many seconds of grace.
    Drain(u64),
    /// No more troubles but those that are the records' own.
    Calm,
}

/// Everything drawn.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub seed: u64,
    /// Those that are part of it.
    pub troubles: BTreeSet<Trouble>,
    pub queue: Option<Queue>,
    pub streams: Option<Streams>,
    pub records: Vec<Record>,
    /// In order, with their milliseconds.
    pub events: Vec<(u64, Event)>,
    /// How likely each call fails or its answer is lost.
    pub chances: Vec<(&'static str, f64)>,
    /// How long the way to a queue or stream and back takes at most, each.
    pub latency_ms: u64,
    /// How long a call of the worker takes at most, until the calm.
    pub slowness_secs: u64,
    /// The worker's wall-time limit.
    pub time_limit_secs: u64,
    /// How likely a call has a hiccup, until the calm.
    pub hiccups: f64,
}

/// Randomness for one purpose.
pub fn random(seed: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose)
}

impl Schedule {
    /// The schedule of a number.
    pub fn new(seed: u64) -> Self {
        let mut random = random(seed, 0);
        let troubles = TROUBLES.into_iter().filter(|_| random.random_bool(0.4)).collect();
        Self::with(seed, troubles, usize::MAX)
    }

    /// The same, with these troubles only, and not more records.
    pub fn with(seed: u64, troubles: BTreeSet<Trouble>, most_records: usize) -> Self {
        let mut random = random(seed, 1);
        let which = random.random_range(0..3);
        let queue = (which != 0).then(|| settings::queue(&mut random));
        // Of a randomness of its own: seeds that once failed stay what they were.
        let streams = (which != 1).then(|| settings::streams(&mut random).shared(&mut self::random(seed, 4)));
        let time_limit_secs = random.random_range(5..60);
        let (records, events, chances) = (Vec::new(), Vec::new(), Vec::new());
        let mut this = Self {
            seed,
            troubles,
            queue,
            streams,
            records,
            events,
            chances,
            latency_ms: 0,
            slowness_secs: 0,
            time_limit_secs,
            hiccups: 0.0,
        };
        this.draw_records(&mut random, most_records);
        this.draw_tempers();
        this.draw_events();
        this.draw_chances();
        this
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.streams.as_ref().map_or(1, |streams| streams.configs.len())
    }

    /// What a worker does with a record. Where several read the stream, it is trouble to one of them only.
    pub fn temper(&self, number: u64, worker: usize) -> Temper {
        let record = usize::try_from(number).ok().and_then(|at| self.records.get(at));
        let concerned =
            |record: &&Record| record.kind == Kind::Queue || number % self.workers() as u64 == worker as u64;
        record.filter(concerned).map_or(Temper::Fine, |record| record.temper)
    }

    pub fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// Randomness for a trouble, if it is part of this.
    fn random(&self, trouble: Trouble) -> Option<StdRng> {
        self.has(trouble).then(|| random(self.seed, 100 + trouble as u64))
    }

    /// Arrivals: some at the beginning, then in bursts.
    fn draw_records(&mut self, random: &mut StdRng, most: usize) {
        let kinds = [self.queue.as_ref().map(|_| Kind::Queue), self.streams.as_ref().map(|_| Kind::Stream(0))];
        let keys = random.random_range(1..12);
        let mut at_ms = 0;
        for _ in 0..random.random_range(1..8) {
            for kind in kinds.iter().flatten() {
                for _ in 0..random.random_range(0..20) {
                    let key = random.random_range(0..keys);
                    let shard = self.streams.as_ref().map(|streams| streams.shard_of(key, at_ms)).unwrap_or_default();
                    self.records.push(Record { kind: *kind, key, shard, at_ms, temper: Temper::Fine });
                }
            }
            at_ms += random.random_range(0..40_000);
        }
        self.records.truncate(most);
    }

    fn draw_tempers(&mut self) {
        let (unruly, poison) = (self.random(Trouble::Unruliness), self.random(Trouble::Poison));
        if let Some(mut random) = unruly {
            self.records.iter_mut().for_each(|record| record.temper = unruly_temper(&mut random));
        }
        if let Some(mut random) = poison {
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..self.records.len().max(1));
                let temper = if random.random_bool(0.8) { Temper::Traps } else { Temper::TimesOut };
                self.records.iter_mut().skip(at).take(1).for_each(|record| record.temper = temper);
            }
        }
    }

    fn draw_events(&mut self) {
        let last = self.records.last().map_or(0, |record| record.at_ms);
        let calm = last + 60_000;
        let mut events: Vec<(u64, Event)> = Vec::new();
        for (at, parents, children) in self.streams.iter().flat_map(Streams::reshardings) {
            events.push((at, Event::Reshard(parents, children)));
        }
        for (number, record) in (0..).zip(&self.records) {
            events.push((record.at_ms, Event::Arrive(number)));
        }
        self.draw_endings(&mut events, calm);
        self.draw_weather(&mut events, calm);
        events.push((calm, Event::Calm));
        events.sort_by_key(|(at, _)| *at);
        self.events = events;
    }

    /// How hosts end before the calm.
    fn draw_endings(&self, events: &mut Vec<(u64, Event)>, calm: u64) {
        if let Some(mut random) = self.random(Trouble::Crashes) {
            for _ in 0..random.random_range(1..6) {
                let steps = random.random_range(1..80);
                let event = if random.random_bool(0.8) { Event::CrashAfter(steps) } else { Event::Crash };
                events.push((random.random_range(0..calm), event));
            }
        }
        if let Some(mut random) = self.random(Trouble::Drains) {
            for _ in 0..random.random_range(1..4) {
                events.push((random.random_range(0..calm), Event::Drain(random.random_range(0..30))));
            }
        }
    }

    /// What the worker and those it needs go through before the calm.
    fn draw_weather(&self, events: &mut Vec<(u64, Event)>, calm: u64) {
        if let Some(mut random) = self.random(Trouble::Swaps) {
            for _ in 0..random.random_range(1..6) {
                events.push((random.random_range(0..calm), Event::Swap));
            }
        }
        if let Some(mut random) = self.random(Trouble::Outages) {
            for _ in 0..random.random_range(1..3) {
                let from = random.random_range(0..calm);
                let callable = random.random_bool(0.7);
                let worker = if self.workers() > 1 { random.random_range(0..self.workers()) } else { 0 };
                events.push((from, Event::Outage { callable, worker }));
                events.push((random.random_range(from..calm), Event::Recover));
            }
        }
    }

    fn draw_chances(&mut self) {
        if let Some(mut random) = self.random(Trouble::Errors) {
            self.chances.extend(CALLS.iter().map(|call| (*call, likelihood(&mut random))));
        }
        if let Some(mut random) = self.random(Trouble::LostAnswers) {
            self.chances.extend(ANSWERS.iter().map(|answer| (*answer, likelihood(&mut random))));
        }
        self.latency_ms = self.random(Trouble::Latency).map_or(0, |mut random| random.random_range(1..300));
        self.slowness_secs = self.random(Trouble::Slowness).map_or(0, |mut random| random.random_range(1..90));
        self.hiccups = self.random(Trouble::Hiccups).map_or(0.0, |mut random| random.random_range(0.02..0.4));
    }
}

const CALLS: [&str; 11] = [
    "receive",
    "delete",
    "delete one",
    "visibility",
    "visibility one",
    "send",
    "send one",
    "shards",
    "records",
    "checkpoint",
    "set checkpoint",
];

const ANSWERS: [&str; 5] =
    ["receive answer", "delete answer", "visibility answer", "send answer", "set checkpoint answer"];

fn likelihood(random: &mut StdRng) -> f64 {
    [0.0, 0.0, 0.05, 0.3][random.random_range(0..4)]
}

fn unruly_temper(random: &mut StdRng) -> Temper {
    let after = random.random_bool(0.5).then(|| random.random_range(0..60));
    match random.random_range(0..20) {
        0..2 => Temper::Rejected,
        2..4 => Temper::Retried(random.random_range(1..4), after),
        4 => Temper::Retried(u32::MAX, after),
        _ => Temper::Fine,
    }
}
