//! Saves the records of a batch: the loop around [`scoring::save`].

use crate::table::Table;
use scoring::fan::Job;
use scoring::save::{Read, Step, forget, next};
use scoring::table::{Change, Key};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::{Disposition, calls};

/// Steps of a job at most. A job alone needs at most 18; more only while other workers write items of the same fan.
const MAX_ROUNDS: usize = 40;

/// Saves the jobs of a batch ([`scoring::fan::jobs`]), all together: a round takes one step of each. Returns each job with
/// what became of it. `ack`: the fan's item holds the record, or one that the record does not replace. `reject` and
/// `give-up`: the record is wrong, or another fan's item is in its place. `retry`: the table failed; the job may be saved
/// again from the beginning.
pub async fn save(table: &impl Table, jobs: Vec<Job>) -> Vec<(Job, Disposition)> {
    let (mut open, mut settled, mut read) = (jobs, vec![], Read::new());
    for _ in 0..MAX_ROUNDS {
        let mut round = Round::default();
        for job in open.drain(..) {
            match next(&job, &read) {
                Ok(Step::Done) => settled.push((job, Disposition::Ack)),
                Ok(step) => round.add(job, step),
                Err(reason) => settled.push((job, Disposition::Reject(reason))),
            }
        }
        if round.is_empty() {
            return settled;
        }
        round.write(table).await;
        // What was read before the writes is forgotten, and only then new reads begin (`scoring::save`).
        round.wrote.iter().for_each(|index| round.jobs.get(*index).into_iter().for_each(|job| forget(job, &mut read)));
        round.read(table, &mut read).await;
        for (index, job) in round.jobs.into_iter().enumerate() {
            match round.settled.remove(&index) {
                Some(disposition) => settled.push((job, disposition)),
                None => open.push(job),
            }
        }
    }
    let left = Disposition::retry("table demand-table: other workers keep changing the items of the same fan");
    settled.extend(open.into_iter().map(|job| (job, left.clone())));
    settled
}

/// Whether a job has nothing to write: the fan's item holds its record, or one that it does not replace; or the record is
/// one that is rejected. Only reads.
///
/// # Errors
/// When the table cannot be read.
pub async fn is_saved(table: &impl Table, jobs: &[Job]) -> Result<bool, Error> {
    let mut read = Read::new();
    for _ in 0..MAX_ROUNDS {
        let mut keys = BTreeSet::new();
        for job in jobs {
            match next(job, &read) {
                Ok(Step::Read(unread)) => keys.extend(unread),
                Ok(Step::Done) | Err(_) => {}
                Ok(Step::Link(_) | Step::Put { .. } | Step::Remove(_)) => return Ok(false),
            }
        }
        if keys.is_empty() {
            return Ok(true);
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let items = calls::each(&keys, async |keys| table.read(keys).await).await;
        for (key, item) in keys.into_iter().zip(items) {
            read.insert(key, item?);
        }
    }
    Ok(false)
}

/// One step of each job. Jobs are named by their index.
#[derive(Default)]
struct Round {
    jobs: Vec<Job>,
    /// Each update with its job, and whether the job is done when it holds.
    updates: Vec<(Change, usize, bool)>,
    removals: BTreeMap<Key, Vec<usize>>,
    reads: BTreeMap<Key, Vec<usize>>,
    /// Jobs whose step writes.
    wrote: BTreeSet<usize>,
    settled: BTreeMap<usize, Disposition>,
}

impl Round {
    fn add(&mut self, job: Job, step: Step) {
        let index = self.jobs.len();
        self.jobs.push(job);
        if !matches!(step, Step::Read(_) | Step::Done) {
            self.wrote.insert(index);
        }
        match step {
            Step::Read(keys) => keys.into_iter().for_each(|key| self.reads.entry(key).or_default().push(index)),
            Step::Link(changes) => self.updates.extend(changes.into_iter().map(|change| (change, index, false))),
            Step::Put { change, is_last } => self.updates.push((change, index, is_last)),
            Step::Remove(keys) => keys.into_iter().for_each(|key| self.removals.entry(key).or_default().push(index)),
            Step::Done => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    async fn write(&mut self, table: &impl Table) {
        let changes: Vec<_> = self.updates.iter().map(|(change, ..)| change).collect();
        let update = async |changes: Vec<&Change>| table.update(changes.into_iter().cloned().collect()).await;
        let results = calls::each(&changes, update).await;
        for ((_, index, is_last), result) in self.updates.iter().zip(results) {
            match result.unwrap_or_else(Some) {
                None if *is_last => _ = self.settled.insert(*index, Disposition::Ack),
                None => {}
                Some(error) if error.kind == ErrorKind::ConditionFailed => {}
                Some(error) => _ = self.settled.insert(*index, error.disposition()),
            }
        }
        let keys: Vec<_> = self.removals.keys().collect();
        let remove = async |keys: Vec<&Key>| table.remove(keys.into_iter().cloned().collect()).await;
        let results = calls::each(&keys, remove).await;
        for (jobs, result) in self.removals.values().zip(results) {
            if let Some(error) = result.unwrap_or_else(Some) {
                self.settled.extend(jobs.iter().map(|index| (*index, error.disposition())));
            }
        }
    }

    async fn read(&mut self, table: &impl Table, read: &mut Read) {
        let keys: Vec<_> = self.reads.keys().collect();
        let read_keys = async |keys: Vec<&Key>| table.read(keys.into_iter().cloned().collect()).await;
        let items = calls::each(&keys, read_keys).await;
        for ((key, jobs), item) in std::mem::take(&mut self.reads).into_iter().zip(items) {
            match item {
                Ok(item) => _ = read.insert(key, item),
                Err(error) => self.settled.extend(jobs.into_iter().map(|index| (index, error.disposition()))),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::World;
    use futures::executor::block_on;
    use futures::future::join;
    use proptest::prelude::*;
    use scoring::fan::{SCORE, jobs};
    use scoring::record::ScoreRecord;
    use scoring::testing::record;

    type Batch = Vec<(&'static str, &'static str, i32)>;

    fn batch(records: &[(&str, &str, i32)]) -> Vec<Job> {
        jobs(records.iter().map(|(names, sequencer, score)| record(names, sequencer, *score)).enumerate())
    }

    /// The score items: key and score.
    fn scores(world: &World) -> Vec<String> {
        let table = world.table.borrow();
        let items = table.items.iter().filter(|(key, _)| key.sk.starts_with(SCORE));
        items.map(|(key, item)| format!("{} {}", &key.sk[SCORE.len()..], item["score"])).collect()
    }

    /// Saves a batch, the failed jobs again until nothing fails.
    async fn save_all(world: &World, records: &[(&str, &str, i32)]) {
        let mut open = batch(records);
        while !open.is_empty() {
            let settled = save(world, open).await;
            let fails = |disposition: &Disposition| matches!(disposition, Disposition::Retry(_));
            open = settled.into_iter().filter(|(_, it)| fails(it)).map(|(job, _)| job).collect();
        }
    }

    #[test]
    fn req_007_a_batch_is_saved_in_a_few_calls() {
        let world = World::default();
        let names: Vec<_> = (0..400).map(|n| format!("m{n} g{n} e{n}")).collect();
        let records: Vec<_> = names.iter().map(|names| (names.as_str(), "1", 5)).collect();
        block_on(save_all(&world, &records));
        assert_eq!(scores(&world).len(), 400);
        assert!(*world.calls.borrow() < 20, "{:?}", world.calls);
    }

    #[test]
    fn req_008_a_job_that_fails_costs_no_other() {
        let world = World {
            stuck: BTreeMap::from([("SCORE#m1".to_owned(), Error::new(ErrorKind::Invalid, "no"))]),
            ..World::default()
        };
        let settled = block_on(save(&world, batch(&[("m1", "1", 5), ("m2 e2", "1", 6), ("m3", "1", 7)])));
        let told: BTreeMap<_, _> = settled.into_iter().map(|(job, it)| (job.record.member_id.unwrap(), it)).collect();
        assert_eq!(told["m1"], Disposition::GiveUp("invalid: no".to_owned()));
        assert_eq!((&told["m2"], &told["m3"]), (&Disposition::Ack, &Disposition::Ack));
        assert_eq!(scores(&world), ["m2 6", "m3 7"]);
    }

    #[test]
    fn a_record_is_saved_when_nothing_is_left_to_write() {
        let world = World::default();
        let records = [("m1 e1", "1", 5), ("g2", "1", 6)];
        assert_eq!(block_on(is_saved(&world, &batch(&records))), Ok(false));
        block_on(save_all(&world, &records[..1]));
        assert_eq!(block_on(is_saved(&world, &batch(&records))), Ok(false));
        block_on(save_all(&world, &records));
        assert_eq!(block_on(is_saved(&world, &batch(&records))), Ok(true));
        // A row that another one of its file has replaced, and one that is another fan's.
        assert_eq!(block_on(is_saved(&world, &batch(&[("e1", "1", 4)]))), Ok(true));
        let other = ScoreRecord { member_id: Some("g2".to_owned()), ..record("", "1", 9) };
        assert_eq!(block_on(is_saved(&world, &jobs([(0, other)]))), Ok(true));
        assert_eq!(block_on(is_saved(&world, &batch(&[("e1", "2", 4)]))), Ok(false));
    }

    proptest! {
        /// Two workers save batches at the same time; calls fail, and some take effect unheard.
        #[test]
        fn req_005_a_fan_has_one_item_with_the_highest_score_whatever_fails(
            choices in prop::collection::vec(any::<u8>(), 0..300),
            order in Just(vec![("m1 g1 e1", "1", 5), ("g1", "1", 9), ("e1", "1", 7), ("m1", "1", 8), ("m1 e1", "1", 3), ("m2 e2", "1", 1), ("e2", "1", 2)]).prop_shuffle(),
            split in 0_usize..7,
        ) {
            let order: Batch = order;
            let world = World::default();
            world.choices.set(choices);
            let (one, two) = order.split_at(split);
            block_on(join(save_all(&world, one), save_all(&world, two)));
            prop_assert_eq!(scores(&world), ["m1 9", "m2 2"]);
        }
    }
}
