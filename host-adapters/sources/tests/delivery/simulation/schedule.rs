//! A schedule: everything that happens to a host from outside, drawn from a seed. Each kind of disruption has
//! randomness of its own, so that leaving one out does not change the others, and a failing schedule can be reduced.

use super::disruption::{DISRUPTIONS, Disruption};
use super::settings::{self, Queue, Streams};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;

/// The source: the queue, or the stream for one of its workers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Queue,
    Stream(usize),
}

/// How the worker handles a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Temper {
    Fine,
    Rejected,
    /// Answered `retry` this many times, each with the wait asked for, seconds.
    Retried(u32, Option<u64>),
    Traps,
    TimesOut,
    /// Its calls fail permanently.
    FailsForGood,
}

impl Temper {
    /// Whether every call with it fails as a whole.
    pub fn is_poison(self) -> bool {
        matches!(self, Self::Traps | Self::TimesOut | Self::FailsForGood)
    }
}

/// A record. Its number is its index in [`Schedule::records`].
#[derive(Clone, Debug)]
pub struct Record {
    pub kind: Kind,
    /// For a stream: the item that changed, and its shard.
    pub key: u64,
    pub shard: String,
    pub at_ms: u64,
    pub temper: Temper,
}

/// An event from outside.
#[derive(Clone, Debug)]
pub enum Event {
    Arrive(u64),
    /// Shards are closed and these begin.
    Reshard(Vec<String>, Vec<String>),
    Swap,
    /// A dependency of the worker goes down, or the worker itself.
    Outage {
        callable: bool,
        /// The index of the worker concerned. Dependencies of other workers stay up.
        worker: usize,
    },
    /// A service refuses everything that this worker asks of it.
    Refuse(usize),
    Recover,
    Crash,
    /// The host dies at the n-th step from here.
    CrashAfter(u32),
    /// With this many seconds of grace.
    Drain(u64),
    /// All disruptions end, except those that the records themselves cause.
    Calm,
}

/// All that was drawn from the seed.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub seed: u64,
    /// The disruptions in it.
    pub disruptions: BTreeSet<Disruption>,
    pub queue: Option<Queue>,
    pub streams: Option<Streams>,
    pub records: Vec<Record>,
    /// In order, with their times in milliseconds.
    pub events: Vec<(u64, Event)>,
    /// The probability that a call fails or that its response is lost, by call.
    pub chances: Vec<(&'static str, f64)>,
    /// The longest way to a queue or stream, and back, milliseconds each.
    pub latency_ms: u64,
    /// The longest call of the worker before the calm, seconds.
    pub slowness_secs: u64,
    /// The worker's wall-time limit.
    pub time_limit_secs: u64,
    /// The probability that a call has a hiccup, before the calm.
    pub hiccups: f64,
}

/// Randomness for one purpose.
pub fn random(seed: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose)
}

impl Schedule {
    /// The schedule of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = random(seed, 0);
        let disruptions = DISRUPTIONS.into_iter().filter(|_| random.random_bool(0.4)).collect();
        Self::with(seed, disruptions, usize::MAX)
    }

    /// The same, with only these disruptions and at most this many records.
    pub fn with(seed: u64, disruptions: BTreeSet<Disruption>, most_records: usize) -> Self {
        let mut random = random(seed, 1);
        let which = random.random_range(0..3);
        let queue = (which != 0).then(|| settings::queue(&mut random));
        // Has randomness of its own, so that seeds that once failed still play the same schedule.
        let streams = (which != 1).then(|| settings::streams(&mut random).shared(&mut self::random(seed, 4)));
        let time_limit_secs = random.random_range(5..60);
        let (records, events, chances) = (Vec::new(), Vec::new(), Vec::new());
        let mut this = Self {
            seed,
            disruptions,
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

    /// How a worker handles a record. If several read the stream, only one of them has difficulties with it.
    pub fn temper(&self, number: u64, worker: usize) -> Temper {
        let record = usize::try_from(number).ok().and_then(|at| self.records.get(at));
        let concerned =
            |record: &&Record| record.kind == Kind::Queue || number % self.workers() as u64 == worker as u64;
        record.filter(concerned).map_or(Temper::Fine, |record| record.temper)
    }

    pub fn has(&self, disruption: Disruption) -> bool {
        self.disruptions.contains(&disruption)
    }

    /// Randomness for a disruption, if it is part of this schedule.
    fn random(&self, disruption: Disruption) -> Option<StdRng> {
        self.has(disruption).then(|| random(self.seed, 100 + disruption as u64))
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
        let (unruly, poison) = (self.random(Disruption::Unruliness), self.random(Disruption::Poison));
        if let Some(mut random) = unruly {
            self.records.iter_mut().for_each(|record| record.temper = unruly_temper(&mut random));
        }
        if let Some(mut random) = poison {
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..self.records.len().max(1));
                let temper = poisonous_temper(&mut random);
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
        self.draw_outages(&mut events, calm);
        events.push((calm, Event::Calm));
        events.sort_by_key(|(at, _)| *at);
        self.events = events;
    }

    /// Draws how hosts end before the calm.
    fn draw_endings(&self, events: &mut Vec<(u64, Event)>, calm: u64) {
        if let Some(mut random) = self.random(Disruption::Crashes) {
            for _ in 0..random.random_range(1..6) {
                let steps = random.random_range(1..80);
                let event = if random.random_bool(0.8) { Event::CrashAfter(steps) } else { Event::Crash };
                events.push((random.random_range(0..calm), event));
            }
        }
        if let Some(mut random) = self.random(Disruption::Drains) {
            for _ in 0..random.random_range(1..4) {
                events.push((random.random_range(0..calm), Event::Drain(random.random_range(0..30))));
            }
        }
    }

    /// Draws swaps and outages of workers before the calm.
    fn draw_outages(&self, events: &mut Vec<(u64, Event)>, calm: u64) {
        if let Some(mut random) = self.random(Disruption::Swaps) {
            for _ in 0..random.random_range(1..6) {
                events.push((random.random_range(0..calm), Event::Swap));
            }
        }
        if let Some(mut random) = self.random(Disruption::Outages) {
            for _ in 0..random.random_range(1..3) {
                let from = random.random_range(0..calm);
                let callable = random.random_bool(0.7);
                let worker = if self.workers() > 1 { random.random_range(0..self.workers()) } else { 0 };
                events.push((from, Event::Outage { callable, worker }));
                events.push((random.random_range(from..calm), Event::Recover));
            }
        }
        if let Some(mut random) = self.random(Disruption::Refusals) {
            let from = random.random_range(0..calm);
            events.push((from, Event::Refuse(random.random_range(0..self.workers()))));
            events.push((random.random_range(from..calm), Event::Recover));
        }
    }

    fn draw_chances(&mut self) {
        if let Some(mut random) = self.random(Disruption::Errors) {
            self.chances.extend(CALLS.iter().map(|call| (*call, likelihood(&mut random))));
        }
        if let Some(mut random) = self.random(Disruption::LostResponses) {
            self.chances.extend(ANSWERS.iter().map(|answer| (*answer, likelihood(&mut random))));
        }
        self.latency_ms = self.random(Disruption::Latency).map_or(0, |mut random| random.random_range(1..300));
        self.slowness_secs = self.random(Disruption::Slowness).map_or(0, |mut random| random.random_range(1..90));
        self.hiccups = self.random(Disruption::Hiccups).map_or(0.0, |mut random| random.random_range(0.02..0.4));
    }
}

const CALLS: [&str; 13] = [
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
    "count failures",
    "forget failures",
];

const ANSWERS: [&str; 6] = [
    "receive response",
    "delete response",
    "visibility response",
    "send response",
    "set checkpoint response",
    "count failures response",
];

fn likelihood(random: &mut StdRng) -> f64 {
    [0.0, 0.0, 0.05, 0.3][random.random_range(0..4)]
}

fn poisonous_temper(random: &mut StdRng) -> Temper {
    match random.random_range(0..10) {
        0..5 => Temper::Traps,
        5..8 => Temper::FailsForGood,
        _ => Temper::TimesOut,
    }
}

fn unruly_temper(random: &mut StdRng) -> Temper {
    let after = random.random_bool(0.5).then(|| random.random_range(0..60));
    match random.random_range(0..20) {
        0..2 => Temper::Rejected,
        2..4 => Temper::Retried(random.random_range(1..4), after),
        // With a time it would wait forever, because that uses no attempt.
        4 => Temper::Retried(u32::MAX, None),
        _ => Temper::Fine,
    }
}
