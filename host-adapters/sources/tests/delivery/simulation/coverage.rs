//! Counts what happened in the schedules. A simulation in which too little happens finds nothing, and fails.

use super::journal::{Fact, Said};
use super::schedule::Kind;
use std::collections::BTreeMap;

/// What must happen in at least a hundredth of all schedules.
const REQUIRED: [&str; 18] = [
    "crash",
    "drain in order",
    "drain that gives back",
    "swap",
    "answer in an outage",
    "failed call of several records",
    "permanent failure of several records",
    "message received again",
    "message moved by the queue",
    "message set aside",
    "second failure of a message",
    "failures forgotten",
    "dead letter of a message",
    "dead_letter: RetryAttemptsExhausted",
    "dead_letter: RecordAgeExceeded",
    "dead_letter: RecordRejected",
    "shard's end",
    "call of a second worker of the stream",
];

/// In how many schedules each of these happened.
#[derive(Default)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// Adds a schedule.
    pub fn add(&mut self, facts: &[(u64, Fact)]) {
        let mut names: Vec<String> = facts.iter().filter_map(|(_, fact)| name(fact)).collect();
        names.sort();
        names.dedup();
        names.into_iter().for_each(|name| *self.0.entry(name).or_default() += 1);
    }

    /// What happened in too few of this many schedules.
    pub fn missing(&self, schedules: u64) -> Vec<&'static str> {
        let often = |name: &&str| self.0.get(*name).is_some_and(|times| *times >= schedules / 100);
        REQUIRED.into_iter().filter(|name| !often(name)).collect()
    }
}

fn name(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Crashed => "crash".to_owned(),
        Fact::Ended(_, None) => "drain in order".to_owned(),
        Fact::Ended(_, Some(_)) => "drain that gives back".to_owned(),
        Fact::Swapped(_) => "swap".to_owned(),
        Fact::Answered { outage: true, .. } => "answer in an outage".to_owned(),
        Fact::Answered { said, .. } if said.len() > 1 && said.contains(&Said::FailedForGood) => {
            "permanent failure of several records".to_owned()
        }
        Fact::Answered { whole: true, said, .. } if said.len() > 1 => "failed call of several records".to_owned(),
        Fact::Received { receives, .. } if *receives > 1 => "message received again".to_owned(),
        Fact::Hidden { secs: 3_600, .. } => "message set aside".to_owned(),
        Fact::Counted { failures: 2.., .. } => "second failure of a message".to_owned(),
        Fact::Forgotten(_) => "failures forgotten".to_owned(),
        Fact::Moved(_) => "message moved by the queue".to_owned(),
        Fact::DeadLettered(dead_letter) => match &dead_letter.condition {
            Some(condition) => format!("dead_letter: {condition}"),
            None => "dead letter of a message".to_owned(),
        },
        Fact::Began { kind: Kind::Stream(1..), .. } => "call of a second worker of the stream".to_owned(),
        Fact::Settled { upto: None, .. } => "shard's end".to_owned(),
        _ => return None,
    })
}
