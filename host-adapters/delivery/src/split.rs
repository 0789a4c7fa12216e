//! The next step for a batch of an ordered source after a call (docs/delivery.md, 5), as a pure function.
//!
//! The first `retry` decides: the records before it are settled; this record and all after it are delivered again. When
//! a call fails as a whole, the culprit is unknown: the batch is halved until the culprit is alone. A record that only
//! waits for capacity, cutting and halving use no retry; only a record (or, without `bisect`, a batch) that fails at
//! the head of its call does. If the failure is permanent, the batch is halved in any case, and a record that is alone
//! is given up at once.

use super::call::CallOutcome;
use super::key_slice::Refused;
use super::retry::SHORTEST;
use crate::event::Disposition;
use std::time::Duration;

/// The longest wait that a worker may ask for: the records behind wait, too, and a stream keeps them for 24 h only.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How often to retry, and whether to bisect.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Retries after the first attempt; `None` retries until the record expires.
    pub max_retries: Option<u32>,
    /// Whether a batch whose call failed is halved.
    pub bisect: bool,
}

/// Consecutive records to be handed over in one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chunk<T> {
    /// In order, never empty.
    pub records: Vec<T>,
    /// The failures of its first record so far.
    pub head: Head,
}

/// The failures of the first record of a chunk so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// How often it has failed, not counting outages and splits.
    pub failures: u32,
    /// How often it was refused in what seems to be an outage.
    pub refused: Refused,
    /// Whether the records behind it were cut off again after they had shared its refusals, because such a call has
    /// failed as a whole. They no longer join it; otherwise the same calls would repeat forever.
    pub is_cut_off: bool,
}

impl Head {
    /// It got a response other than a refusal.
    fn answered(self) -> Self {
        Self { refused: Refused::default(), ..self }
    }

    /// It is halved off, because a call with the records behind it has failed as a whole.
    fn halved_off(self) -> Self {
        Self { is_cut_off: self.is_cut_off || self.refused.calls > 0, ..self.answered() }
    }
}

impl<T> Chunk<T> {
    /// Records that have not failed yet.
    pub fn new(records: Vec<T>) -> Self {
        Self { records, head: Head::default() }
    }
}

/// What to do after a call.
#[derive(Debug, Eq, PartialEq)]
pub struct Step<T> {
    /// Acknowledged, skipped, rejected or given up by the worker.
    pub settled: Vec<(T, Disposition)>,
    /// Out of retries.
    pub dead: Vec<T>,
    /// To be delivered again, in this order, before anything that follows.
    pub again: Vec<Chunk<T>>,
    /// How long to wait before that.
    pub wait: Wait,
}

/// How long to wait before the next call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Not at all.
    No,
    /// For as long as the worker asked, within limits: at least 1 s, so that endless waits cannot keep the host busy.
    For(Duration),
    /// For the backoff after this many failures.
    Backoff(u32),
}

/// The next step after a call with `chunk`.
pub fn step<T>(chunk: Chunk<T>, outcome: &CallOutcome, policy: Policy) -> Step<T> {
    let Chunk { mut records, head } = chunk;
    let first_retry = outcome.first_retry().unwrap_or(records.len()).min(records.len());
    let rest = records.split_off(first_retry);
    let settled = records.into_iter().zip(outcome.dispositions.iter().cloned()).collect();
    // If records before the culprit were settled, another record is the head now.
    let head = if first_retry == 0 { head } else { Head { refused: head.refused, ..Head::default() } };
    let (dead, again, wait) = if rest.is_empty() {
        (Vec::new(), Vec::new(), Wait::No)
    } else if outcome.outage.is_some() {
        (Vec::new(), vec![Chunk { records: rest, head }], Wait::No)
    } else if let Some(wait) = outcome.dispositions.get(first_retry).and_then(Disposition::wait) {
        let again = Chunk { records: rest, head: head.answered() };
        (Vec::new(), vec![again], Wait::For(wait.clamp(SHORTEST, LONGEST_WAIT)))
    } else if outcome.is_permanent() && rest.len() == 1 {
        (rest, Vec::new(), Wait::No)
    } else if rest.len() > 1 && (outcome.is_permanent() || outcome.failure.is_some() && policy.bisect) {
        (Vec::new(), halves(rest, head.halved_off()), Wait::No)
    } else {
        let was_cut = first_retry > 0 && policy.bisect;
        let failures = if was_cut { 0 } else { head.failures + 1 };
        fail(rest, Head { failures, ..head.answered() }, outcome, policy)
    };
    Step { settled, dead, again, wait }
}

fn halves<T>(mut records: Vec<T>, head: Head) -> Vec<Chunk<T>> {
    let second = records.split_off(records.len().div_ceil(2));
    vec![Chunk { records, head }, Chunk::new(second)]
}

/// The next step when the head of `rest` has failed once more.
fn fail<T>(mut rest: Vec<T>, head: Head, outcome: &CallOutcome, policy: Policy) -> (Vec<T>, Vec<Chunk<T>>, Wait) {
    if policy.max_retries.is_some_and(|max_retries| head.failures > max_retries) {
        // The first `retry` names the culprit. If the call failed as a whole, any record may be it.
        let culprits = if outcome.failure.is_some() { rest.len() } else { 1 };
        let others = rest.split_off(culprits.min(rest.len()));
        let again = if others.is_empty() { Vec::new() } else { vec![Chunk::new(others)] };
        return (rest, again, Wait::No);
    }
    (Vec::new(), vec![Chunk { records: rest, head }], Wait::Backoff(head.failures.max(1)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::dispatch::CallError;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, VecDeque};

    /// How a model worker fails on its poison records.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Manner {
        Names,
        Traps,
        /// Returns a permanent failure.
        FailsForGood,
    }

    fn outcome(chunk: &[u32], poison: &BTreeSet<u32>, manner: Manner) -> CallOutcome {
        let fails = chunk.iter().any(|record| poison.contains(record));
        let failure = match manner {
            Manner::Traps if fails => Some(CallError::Trapped("unreachable".into())),
            Manner::FailsForGood if fails => Some(CallError::Permanent("malformed".into())),
            _ => None,
        };
        let retried = |record: &u32| failure.is_some() || poison.contains(record);
        let disposition = |record| if retried(record) { Disposition::retry("poison") } else { Disposition::Ack };
        let dispositions = chunk.iter().map(disposition).collect();
        let (outage, digest, traceparent) = (None, String::new(), None);
        CallOutcome { dispositions, failure, outage, is_suspected: false, digest, traceparent }
    }

    /// The result of running a batch through `step`.
    #[derive(Debug, Default)]
    struct Run {
        settled: Vec<u32>,
        dead: Vec<u32>,
        calls: usize,
        failing: usize,
    }

    fn run(records: u32, poison: &BTreeSet<u32>, manner: Manner, policy: Policy) -> Run {
        let mut run = Run::default();
        let mut chunks = VecDeque::from([Chunk::new((0..records).collect())]);
        while let Some(chunk) = chunks.pop_front() {
            let outcome = outcome(&chunk.records, poison, manner);
            run.calls += 1;
            run.failing += usize::from(outcome.first_retry().is_some());
            let step = step(chunk, &outcome, policy);
            run.settled.extend(step.settled.into_iter().map(|(record, _)| record));
            run.dead.extend(step.dead);
            step.again.into_iter().rev().for_each(|chunk| chunks.push_front(chunk));
        }
        run
    }

    proptest! {
        /// In whatever way the worker fails, only poison records become dead letters, and all others are settled once
        /// and in order.
        #[test]
        fn exactly_the_poison_is_given_up(
            records in 1u32..60,
            poison in prop::collection::btree_set(0u32..60, 0..6),
            max_retries in 0u32..4,
            manner in prop::sample::select(vec![Manner::Names, Manner::Traps, Manner::FailsForGood]),
        ) {
            let run = run(records, &poison, manner, Policy { max_retries: Some(max_retries), bisect: true });
            let (bad, good): (Vec<u32>, Vec<u32>) = (0..records).partition(|record| poison.contains(record));
            prop_assert_eq!(run.dead, bad);
            prop_assert_eq!(run.settled, good);
        }

        /// docs/delivery.md, 5.8: N records, 1 poison, no retries: at most ⌈log2 N⌉+1 failing calls of at most 2⌈log2
        /// N⌉+1.
        #[test]
        fn halving_finds_one_poison_in_few_calls(records in 1u32..3000, at in any::<prop::sample::Index>()) {
            let poison = BTreeSet::from([at.index(records as usize) as u32]);
            for manner in [Manner::Traps, Manner::Names, Manner::FailsForGood] {
                let run = run(records, &poison, manner, Policy { max_retries: Some(0), bisect: true });
                let log2 = records.next_power_of_two().trailing_zeros() as usize;
                prop_assert!(run.failing <= log2.max(1) + 1, "{} failing", run.failing);
                prop_assert!(run.calls <= 2 * log2.max(1) + 1, "{} calls", run.calls);
            }
        }
    }

    #[test]
    fn a_lone_poison_record_is_retried_as_often_as_allowed() {
        for max_retries in 0..4 {
            let poison = BTreeSet::from([0]);
            let run = run(1, &poison, Manner::Traps, Policy { max_retries: Some(max_retries), bisect: true });
            assert_eq!(run.calls, max_retries as usize + 1);
        }
    }

    /// With any number of retries, and without `bisect`.
    #[test]
    fn a_record_that_fails_for_good_is_given_up_as_soon_as_it_is_alone() {
        for policy in [Policy { max_retries: None, bisect: false }, Policy { max_retries: Some(3), bisect: true }] {
            let run = run(4, &BTreeSet::from([2]), Manner::FailsForGood, policy);
            assert_eq!((run.dead, run.settled, run.calls), (vec![2], vec![0, 1, 3], 5));
        }
    }

    #[test]
    fn an_outage_makes_no_failure_permanent() {
        let mut outcome = outcome(&[1], &BTreeSet::from([1]), Manner::FailsForGood);
        outcome.outage = Some("service:entry".into());
        let step = step(Chunk::new(vec![1]), &outcome, Policy { max_retries: Some(0), bisect: true });
        assert_eq!((step.again, step.dead), (vec![Chunk::new(vec![1])], vec![]));
    }

    #[test]
    fn without_bisect_the_whole_batch_is_given_up() {
        let run = run(4, &BTreeSet::from([2]), Manner::Traps, Policy { max_retries: Some(2), bisect: false });
        assert_eq!((run.dead, run.calls), (vec![0, 1, 2, 3], 3));
    }

    #[test]
    fn a_record_that_only_waits_uses_no_retry() {
        let policy = Policy { max_retries: Some(0), bisect: true };
        for (acked, failures, left) in [(0, 2, vec![0, 1]), (1, 0, vec![1])] {
            let mut outcome = outcome(&[0, 1], &BTreeSet::new(), Manner::Names);
            outcome.dispositions[acked] = Disposition::retry_after(Some(90_000), "busy");
            let head = |failures| Head { failures, ..Head::default() };
            let step = step(Chunk { records: vec![0, 1], head: head(2) }, &outcome, policy);
            assert_eq!((step.again, step.dead), (vec![Chunk { records: left, head: head(failures) }], vec![]));
            assert_eq!(step.wait, Wait::For(Duration::from_secs(90)));
        }
    }

    #[test]
    fn an_outage_uses_no_retry() {
        let policy = Policy { max_retries: Some(0), bisect: true };
        let mut outcome = outcome(&[1, 2], &BTreeSet::from([1]), Manner::Traps);
        outcome.outage = Some("service:entry".into());
        let step = step(Chunk::new(vec![1, 2]), &outcome, policy);
        assert_eq!((step.again, step.dead), (vec![Chunk::new(vec![1, 2])], vec![]));
    }
}
