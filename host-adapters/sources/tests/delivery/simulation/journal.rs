//! What happened in a schedule, in order. The oracle judges only by it, and people read it as the trace.

use super::schedule::Kind;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use tokio::time::Instant;

/// A disposition as a host must read it: a missing one and a failure that is not permanent are `Retry`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Said {
    Ack,
    Reject,
    /// With the wait that the worker asked for, seconds.
    Retry(Option<u64>),
    /// Its call failed permanently.
    FailedForGood,
}

impl Said {
    /// Whether the record is not settled.
    pub fn fails(&self) -> bool {
        matches!(self, Self::Retry(_) | Self::FailedForGood)
    }
}

/// Names a call of the worker: the number of calls before it.
pub type CallId = usize;

/// Something that happened. Records are named by their numbers.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Fact {
    Arrived(Kind, u64),
    Started,
    Crashed,
    DrainBegan,
    /// By a drain, with this many records given back; `None` if everything in flight had ended.
    Ended(Kind, Option<usize>),
    /// A version of the worker is loaded.
    Swapped(u32),
    /// A remark for the reader of the trace.
    Note(&'static str),
    /// The worker is handed records with their attempts.
    Began {
        call: CallId,
        kind: Kind,
        version: u32,
        batch: Vec<(u64, u32)>,
    },
    /// It answered. `whole`: the call failed as a whole. `outage`: because a dependency is down.
    Answered {
        call: CallId,
        said: Vec<Said>,
        whole: bool,
        outage: bool,
    },
    /// The queue hands out a message.
    Received {
        record: u64,
        receipt: String,
        receives: u32,
    },
    /// The queue's own redrive moves it to the DLQ.
    Moved(u64),
    /// The queue is asked to delete it.
    Deleted {
        record: u64,
        receipt: String,
    },
    /// The queue hides it for this many seconds.
    Hidden {
        record: u64,
        secs: u64,
    },
    /// A failure of a message is counted, and this many have been.
    Counted {
        record: u64,
        failures: u32,
    },
    /// Failures of a message are forgotten.
    Forgotten(u64),
    /// A dead letter is stored.
    DeadLettered(DeadLetter),
    /// A checkpoint is stored; `None` is the shard's end.
    Settled {
        worker: usize,
        shard: String,
        upto: Option<u64>,
    },
    /// A call of a queue or stream for these records failed, or its response was lost.
    Failed {
        call: &'static str,
        records: Vec<u64>,
    },
    /// Something that no host may do in any situation.
    Impossible(String),
}

/// The contents of a dead letter.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DeadLetter {
    pub kind: Kind,
    pub record: u64,
    pub attempt: u32,
    /// Digest of the component that handled it last.
    pub digest: Option<String>,
    /// The condition, of a stream's record.
    pub condition: Option<String>,
}

/// Collects facts.
pub struct Journal {
    began: Instant,
    facts: Mutex<Vec<(u64, Fact)>>,
}

impl Journal {
    pub fn new(began: Instant) -> Self {
        Self { began, facts: Mutex::default() }
    }

    pub fn write(&self, fact: Fact) {
        self.facts.lock().unwrap().push((self.now_ms(), fact));
    }

    /// Milliseconds since the schedule began.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    pub fn take(&self) -> Vec<(u64, Fact)> {
        std::mem::take(&mut self.facts.lock().unwrap())
    }
}

/// A hash of the facts.
pub fn hash(facts: &[(u64, Fact)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    facts.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { call, kind, version, batch } => {
                write!(f, "call {call} of version {version}, {kind:?}:")?;
                batch.iter().try_for_each(|(record, attempt)| write!(f, " {record}(attempt {attempt})"))
            }
            Self::Answered { call, said, whole, outage } => {
                let said: Vec<String> = said.iter().map(|said| format!("{said:?}")).collect();
                let whole = if *whole { " failed," } else { "" };
                let outage = if *outage { " in an outage," } else { "" };
                write!(f, "call {call}:{whole}{outage} {}", said.join(" "))
            }
            Self::Impossible(what) => f.write_str(what),
            other => write!(f, "{other:?}"),
        }
    }
}
