//! Checks the records of a stream, for each worker that reads it. A record is handed over only when those before it in
//! its key group are settled. A checkpoint never passes a record that is not settled, a child never overtakes its
//! parent, and retries are counted. A new host may repeat records after the checkpoint that it finds; a host never
//! hands over again what it has settled itself.

use super::isolation::Isolation;
use super::{Verdict, must};
use crate::simulation::disruption::Disruption;
use crate::simulation::journal::{DeadLetter, Fact, Said};
use crate::simulation::schedule::{Kind, Record, Schedule};
use crate::simulation::settings::Streams;
use host_adapters_delivery::OnReject;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use std::collections::{BTreeMap, BTreeSet};

/// For how long at least a record is refused alone before it is given up (docs/delivery.md, 7.8).
const LONGEST_PAUSE_MS: u64 = 60_000;

pub struct StreamOracle<'a> {
    schedule: &'a Schedule,
    settings: &'a Streams,
    /// The worker that reads it.
    worker: usize,
    config: &'a DynamodbStreamConfig,
    isolation: Isolation<'a>,
    shards: BTreeMap<String, Shard>,
    arrived_ms: BTreeMap<u64, u64>,
    /// Settled as far as this host knows.
    done: BTreeSet<u64>,
    with_worker: BTreeSet<u64>,
    attempts: BTreeMap<u64, Attempts>,
    dead_letters: BTreeSet<u64>,
    /// Whether dead letters may be stored again: a host ended, or did not learn that one was stored.
    disturbed: bool,
}

#[derive(Default)]
struct Shard {
    records: Vec<u64>,
    checkpoint: Option<u64>,
    ended: bool,
}

/// The attempts of one record by one host.
#[derive(Default)]
struct Attempts {
    attempts: u32,
    /// Failed calls that it was part of, not counting outages.
    failed: u32,
    /// Of those, the ones that it was the head of and that were not split.
    headed: u32,
    rejected: bool,
    /// Its call failed permanently while it was alone.
    failed_for_good: bool,
}

impl<'a> StreamOracle<'a> {
    pub fn new(schedule: &'a Schedule, settings: &'a Streams, worker: usize) -> Self {
        let config = &settings.configs[worker];
        let isolation = Isolation::new(schedule, worker, config.bisect);
        let (shards, done, with_worker) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (attempts, dead_letters, arrived_ms) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self {
            schedule,
            settings,
            worker,
            config,
            isolation,
            shards,
            arrived_ms,
            done,
            with_worker,
            attempts,
            dead_letters,
            disturbed: false,
        }
    }

    pub fn hear(&mut self, at_ms: u64, fact: &Fact) -> Verdict {
        match fact {
            Fact::Arrived(Kind::Stream(_), number) => {
                let shard = self.record(*number)?.shard.clone();
                self.shards.entry(shard).or_default().records.push(*number);
                self.arrived_ms.insert(*number, at_ms);
                Ok(())
            }
            Fact::Started => {
                self.started();
                Ok(())
            }
            Fact::Settled { worker, shard, upto } if *worker == self.worker => self.checkpoint(shard, *upto),
            Fact::Failed { call, .. } => {
                self.disturbed |= call.starts_with("send");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn record(&self, number: u64) -> Result<&'a Record, String> {
        let record = usize::try_from(number).ok().and_then(|at| self.schedule.records.get(at));
        record
            .filter(|record| matches!(record.kind, Kind::Stream(_)))
            .ok_or_else(|| format!("{number} is not of the stream"))
    }

    fn age_ms(&self, at_ms: u64, number: u64) -> u64 {
        at_ms.saturating_sub(self.arrived_ms.get(&number).copied().unwrap_or(at_ms))
    }

    fn retries(&self) -> Option<u32> {
        u32::try_from(self.config.maximum_retry_attempts).ok()
    }

    /// A new host knows only the checkpoints.
    fn started(&mut self) {
        let done = self.shards.values().flat_map(|shard| {
            let settled = |number: &&u64| shard.ended || shard.checkpoint.is_some_and(|upto| **number <= upto);
            shard.records.iter().filter(settled)
        });
        self.done = done.copied().collect();
        self.attempts.clear();
    }

    pub fn host_ended(&mut self) {
        self.with_worker.clear();
        self.isolation.host_ended();
        self.disturbed = true;
    }

    pub fn began(&mut self, at_ms: u64, batch: &[(u64, u32)]) -> Verdict {
        let config = self.config;
        must(batch.len() <= config.batch_size, || "a batch larger than allowed".to_owned())?;
        must(batch.is_sorted_by(|one, next| one.0 < next.0), || "a batch that is not in order".to_owned())?;
        let numbers: BTreeSet<u64> = batch.iter().map(|(number, _)| *number).collect();
        for (number, attempt) in batch {
            self.in_turn(*number, &numbers)?;
            self.young_enough(at_ms, *number)?;
            let attempts = self.attempts.entry(*number).or_default();
            attempts.attempts += 1;
            must(!attempts.failed_for_good, || format!("{number} again, though it failed permanently alone"))?;
            must(*attempt == attempts.attempts, || format!("{number} is at attempt {}", attempts.attempts))?;
        }
        self.with_worker.extend(numbers);
        Ok(())
    }

    /// All records before it in its key group are settled or in the same batch, its parent shard is at its end, and it
    /// is not settled itself.
    fn in_turn(&self, number: u64, batch: &BTreeSet<u64>) -> Verdict {
        let record = self.record(number)?;
        must(!self.done.contains(&number), || format!("{number} again, though settled"))?;
        must(!self.with_worker.contains(&number), || format!("{number} is with the worker already"))?;
        let one_slice = self.config.parallelization_factor == 1;
        let shard = self.shards.get(&record.shard).ok_or_else(|| format!("{number} has not arrived"))?;
        for before in shard.records.iter().take_while(|before| **before < number) {
            let same_slice = one_slice || self.record(*before)?.key == record.key;
            let settled = self.done.contains(before) || batch.contains(before);
            must(!same_slice || settled, || format!("{number} before {before}, which is not settled"))?;
        }
        let parents = self.settings.parents_of(&record.shard);
        // A parent without records is closed before its children begin, and has nothing to overtake.
        let ended = |parent: &String| self.shards.get(parent).is_none_or(|parent| parent.ended);
        must(parents.iter().all(ended), || format!("{number} before the end of its parent shard"))
    }

    fn young_enough(&self, at_ms: u64, number: u64) -> Verdict {
        let age_ms = self.age_ms(at_ms, number);
        let most = u64::try_from(self.config.maximum_record_age_secs).ok().map(|secs| secs * 1_000 + 20);
        must(most.is_none_or(|most| age_ms <= most), || format!("{number} is {age_ms} ms old"))
    }

    pub fn answered(&mut self, batch: &[(u64, u32)], said: &[Said], whole: bool, outage: bool) -> Verdict {
        let keeps_rejected = self.config.on_reject == OnReject::DeadLetter;
        let first_retry = said.iter().position(Said::fails).unwrap_or(batch.len());
        for ((number, _), said) in batch.iter().zip(said).take(first_retry) {
            if keeps_rejected && *said == Said::Reject {
                self.attempts.entry(*number).or_default().rejected = true;
            } else {
                self.done.insert(*number);
            }
        }
        self.with_worker.retain(|number| batch.iter().all(|(answered, _)| answered != number));
        if !outage {
            let for_good = said.contains(&Said::FailedForGood);
            // A record that only waits uses no retry, nor do those behind it.
            let waits = matches!(said.get(first_retry), Some(Said::Retry(Some(_))));
            let again = if waits { &[] } else { &batch[first_retry..] };
            self.failed(again, first_retry > 0, whole, for_good)?;
        }
        self.isolation.answered(batch, said, whole, outage)
    }

    /// These records are to be delivered again. The head has used a retry, unless it was not the head of its call or
    /// the call is split to find the culprit.
    fn failed(&mut self, again: &[(u64, u32)], was_cut: bool, whole: bool, for_good: bool) -> Verdict {
        again.iter().for_each(|(number, _)| self.attempts.entry(*number).or_default().failed += 1);
        let split = whole && (self.config.bisect || for_good) && again.len() > 1;
        let Some((head, _)) = again.first().filter(|_| !split && !was_cut) else { return Ok(()) };
        let attempts = self.attempts.entry(*head).or_default();
        attempts.headed += 1;
        attempts.failed_for_good |= for_good;
        let (headed, most) = (attempts.headed, self.retries().map(|retries| retries + 1));
        must(most.is_none_or(|most| headed <= most), || format!("{head} failed {headed} times, at most {most:?}"))
    }

    pub fn given_up(&mut self, at_ms: u64, dead_letter: &DeadLetter) -> Verdict {
        let (number, config) = (dead_letter.record, self.config);
        let age_ms = self.age_ms(at_ms, number);
        let attempts = self.attempts.entry(number).or_default();
        // Without halving, the whole batch is retried and given up, whatever its head is.
        let used = if config.bisect { attempts.headed } else { attempts.failed };
        let due = match dead_letter.condition.as_deref() {
            Some("RetryAttemptsExhausted") => {
                let most = u32::try_from(config.maximum_retry_attempts);
                let refused_alone = self.schedule.disruptions.contains(&Disruption::Refusals)
                    && age_ms >= LONGEST_PAUSE_MS
                    && most.is_ok_and(|retries| attempts.attempts > retries);
                attempts.failed_for_good || refused_alone || most.is_ok_and(|retries| used > retries)
            }
            // The stream's times are rounded to 10 ms.
            Some("RecordAgeExceeded") => {
                u64::try_from(config.maximum_record_age_secs).is_ok_and(|secs| age_ms + 10 > secs * 1_000)
            }
            Some("RecordRejected") => attempts.rejected,
            _ => false,
        };
        must(due, || format!("{number} given up after {used} attempts at an age of {age_ms} ms"))?;
        must(!self.with_worker.contains(&number), || format!("{number} given up while the worker has it"))?;
        self.done.insert(number);
        must(self.dead_letters.insert(number) || self.disturbed, || format!("a second dead letter of {number}"))
    }

    /// A checkpoint may not pass a record that is not settled, nor be moved back.
    fn checkpoint(&mut self, id: &str, upto: Option<u64>) -> Verdict {
        let shard = self.shards.entry(id.to_owned()).or_default();
        must(!shard.ended || upto.is_none(), || "a checkpoint after the end of its shard".to_owned())?;
        must(upto.is_none() || upto >= shard.checkpoint, || "a checkpoint moved back".to_owned())?;
        let passed = shard.records.iter().filter(|number| upto.is_none_or(|upto| **number <= upto));
        let open = passed.into_iter().find(|number| !self.done.contains(number));
        must(open.is_none(), || format!("a checkpoint passes {open:?}, which is not settled: lost"))?;
        match upto {
            Some(upto) => shard.checkpoint = Some(upto),
            None => shard.ended = true,
        }
        Ok(())
    }

    /// Every record was settled or became a dead letter.
    pub fn end(&self) -> Verdict {
        let mut records = self.shards.values().flat_map(|shard| &shard.records);
        let open = records.find(|number| !self.done.contains(number));
        must(open.is_none(), || format!("{open:?} is lost"))
    }
}
