//! What happened in a schedule, in order. The oracle judges by nothing else, and it is the trace that people read.

use super::schedule::Kind;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use tokio::time::Instant;

/// What a host must take an answer for: silence and failures read as `Retry`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Said {
    Ack,
    Reject,
    /// With the wish for a wait in seconds.
    Retry(Option<u64>),
}

/// The name of a call of the worker: how many there were before it.
pub type CallId = usize;

/// Something that happened. Records are named by their numbers.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Fact {
    Arrived(Kind, u64),
    Started,
    Crashed,
    DrainBegan,
    /// By a drain, with so many records given back; `None` if everything in flight had ended.
    Ended(Kind, Option<usize>),
    /// A version of the worker is loaded.
    Swapped(u32),
    /// For the reader only.
    Note(&'static str),
    /// The worker is handed records with their attempts.
    Began {
        call: CallId,
        kind: Kind,
        version: u32,
        batch: Vec<(u64, u32)>,
    },
    /// It answered; `whole`: the call failed as a whole; `outage`: because something is down.
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
    /// The queue itself moves it to its DLQ.
    Moved(u64),
    /// The queue is asked to forget it.
    Deleted {
        record: u64,
        receipt: String,
    },
    /// The queue hides it for so many seconds.
    Hidden {
        record: u64,
        secs: u64,
    },
    /// A dead letter is stored.
    DeadLettered(DeadLetter),
    /// A checkpoint is stored; `None` is the shard's end.
    Settled {
        worker: usize,
        shard: String,
        upto: Option<u64>,
    },
    /// A call of a queue or stream failed, or its answer was lost, and these records were concerned.
    Failed {
        call: &'static str,
        records: Vec<u64>,
    },
    /// What no host may do, whatever happened.
    Impossible(String),
}

/// What a dead letter says.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DeadLetter {
    pub kind: Kind,
    pub record: u64,
    pub attempt: u32,
    /// Of the component that handled it last.
    pub digest: Option<String>,
    /// Of a stream's record.
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

/// The same for the same facts.
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
