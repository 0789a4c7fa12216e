//! Tests of saving: rules one by one, and workers that interrupt each other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod shared;

use super::*;
use crate::fan::{SCORE, jobs};
use crate::testing::{Table, record};
use proptest::prelude::*;

/// Saving one job, as a worker does it, one step at a time.
struct Saver {
    job: Job,
    read: Read,
}

impl Saver {
    fn new(record: ScoreRecord) -> Self {
        Self { job: jobs([(0, record)]).remove(0), read: Read::new() }
    }

    /// Takes a step; `true` if nothing is left to do.
    fn step(&mut self, table: &mut Table) -> bool {
        match next(&self.job, &self.read).unwrap() {
            Step::Read(keys) => {
                assert!(!keys.is_empty());
                for key in keys {
                    let item = table.get(&key);
                    assert!(self.read.insert(key, item).is_none(), "read twice without a write between");
                }
                return false;
            }
            Step::Link(changes) => changes.iter().for_each(|change| _ = table.apply(change)),
            Step::Put { change, is_last } => {
                if table.apply(&change).is_ok() && is_last {
                    return true;
                }
            }
            Step::Remove(keys) => keys.iter().for_each(|key| _ = table.items.remove(key)),
            Step::Done => return true,
        }
        forget(&self.job, &mut self.read);
        false
    }
}

fn save(table: &mut Table, record: ScoreRecord) {
    let mut saver = Saver::new(record);
    let mut steps = 0;
    while !saver.step(table) {
        steps += 1;
        assert!(steps < 30, "does not end");
    }
}

/// The score items: key, score, and the names in them.
fn scores(table: &Table) -> Vec<String> {
    let items = table.items.iter().filter(|(key, _)| key.sk.starts_with(SCORE));
    let text = |value: Option<&Value>| value.map(|value| format!(" {}", value.as_str().unwrap()));
    let names = |item: &serde_json::Map<String, Value>| {
        ["memberId", "globalUserId", "email"].into_iter().filter_map(|name| text(item.get(name))).collect::<String>()
    };
    items.map(|(key, item)| format!("{} {}{}", &key.sk[SCORE.len()..], item["score"], names(item))).collect()
}

fn sorted(table: &Table) -> Vec<String> {
    let mut scores = scores(table);
    scores.sort();
    scores
}

#[track_caller]
fn check(records: &[(&str, &str, i32)], expected: &[&str]) {
    let mut table = Table::default();
    for (names, sequencer, score) in records {
        save(&mut table, record(names, sequencer, *score));
    }
    assert_eq!(scores(&table), expected, "{records:?}");
}

#[test]
fn req_007_a_record_is_an_item_of_the_campaign() {
    let mut table = Table::default();
    let full = ScoreRecord {
        market_id: Some("market".into()),
        event_id: Some("event".into()),
        rank: Some(0),
        selected: Some(false),
        ..record("m1 g1 e1", "1", 850)
    };
    save(&mut table, full.clone());
    let key = Key::of_campaign("c", "SCORE#m1");
    assert_eq!(serde_json::from_str::<ScoreRecord>(&table.get(&key).unwrap()).unwrap(), full);
    assert_eq!(key.pk, "CAMPAIGN#c");
}

#[test]
fn the_highest_score_of_a_file_is_kept() {
    check(&[("m1", "1", 5), ("m1", "1", 9), ("m1", "1", 7), ("m1", "1", 5)], &["m1 9 m1"]);
}

#[test]
fn a_later_file_replaces_also_with_a_lower_score_and_verified_becomes_rejected() {
    check(&[("m1", "1", 9), ("m1", "2", -1), ("m1", "1", 10)], &["m1 -1 m1"]);
    let mut table = Table::default();
    let old = ScoreRecord { rank: Some(0), market_id: Some("x".into()), ..record("m1 e1", "1", 9) };
    save(&mut table, old);
    save(&mut table, record("m1", "2", -1));
    let item = &table.items[&Key::of_campaign("c", "SCORE#m1")];
    assert_eq!(item["verification"], "rejected");
    assert!(!item.contains_key("rank") && !item.contains_key("marketId"), "{item:?}");
    assert_eq!(item["email"], "e1@example.com", "names stay");
}

#[test]
fn a_fan_named_in_three_ways_has_one_score_item() {
    let one = ["m1 9 m1 g1 e1@example.com"];
    check(&[("m1 g1 e1", "1", 5), ("g1", "1", 9), ("e1", "1", 7), ("m1", "1", 8)], &one);
    check(&[("e1", "1", 5), ("g1", "1", 9), ("m1", "1", 7), ("m1 g1 e1", "1", 8)], &one);
    check(&[("e1", "1", 5), ("g1 e1", "1", 9), ("m1 e1", "1", 7)], &one);
    check(&[("m1 e1", "1", 9), ("g1 e1", "1", 5), ("g1", "1", 3)], &one);
    check(&[("e1", "1", 9), ("g1 e1", "1", 5)], &["g1 9 g1 e1@example.com"]);
}

#[test]
fn two_members_are_two_fans_also_with_one_address() {
    check(
        &[("m1 e1", "1", 5), ("m2 e1", "1", 9), ("e1", "1", 7)],
        &["m1 7 m1 e1@example.com", "m2 9 m2 e1@example.com"],
    );
}

#[test]
fn a_members_item_is_not_moved_because_its_id_is_anothers_global_user_id() {
    let mut table = Table::default();
    let member = ScoreRecord { member_id: Some("7".into()), ..record("", "1", 5) };
    let other = ScoreRecord { global_user_id: Some("7".into()), ..record("m1", "1", 9) };
    save(&mut table, member);
    save(&mut table, other);
    assert_eq!(scores(&table), ["7 5 7", "m1 9 m1 7"]);
}

/// Steps until the job is done or its rows are rejected.
fn rejected(table: &mut Table, record: ScoreRecord) -> Option<String> {
    let mut saver = Saver::new(record);
    loop {
        match next(&saver.job, &saver.read) {
            Ok(Step::Done) => return None,
            Err(reason) => return Some(reason),
            Ok(_) if saver.step(table) => return None,
            Ok(_) => {}
        }
    }
}

#[test]
fn a_fan_whose_id_is_the_key_of_anothers_item_is_rejected_by_name() {
    let member = ScoreRecord { member_id: Some("7".into()), ..record("", "1", 5) };
    let user = ScoreRecord { global_user_id: Some("7".into()), ..record("", "2", 9) };
    let reason = "SCORE#7 is the score of another fan, whose other id is the same";
    for (first, second, expected) in [(&member, &user, "7 5 7"), (&user, &member, "7 9 7")] {
        let mut table = Table::default();
        assert_eq!(rejected(&mut table, first.clone()), None);
        assert_eq!(rejected(&mut table, second.clone()).as_deref(), Some(reason));
        assert_eq!(scores(&table), [expected]);
        assert_eq!(rejected(&mut table, first.clone()), None, "the owner's rows are not in the way");
    }
}

#[test]
fn a_fan_whose_two_ids_are_the_same_is_not_rejected() {
    let both = ScoreRecord { member_id: Some("7".into()), global_user_id: Some("7".into()), ..record("", "1", 5) };
    let member = ScoreRecord { global_user_id: None, ..both.clone() };
    let user = ScoreRecord { member_id: None, ..both.clone() };
    for records in [[&both, &member, &user], [&user, &both, &member], [&both, &user, &member]] {
        let mut table = Table::default();
        records.iter().for_each(|record| save(&mut table, (*record).clone()));
        assert_eq!(scores(&table), ["7 5 7 7"]);
    }
    // A worker ended between the alias and the item.
    let mut table = Table::default();
    save(&mut table, user.clone());
    let mut interrupted = Saver::new(both);
    while !table.items.contains_key(&Key::of_campaign("c", "ALIAS#user:7")) {
        interrupted.step(&mut table);
    }
    save(&mut table, member);
    assert_eq!(scores(&table).len(), 1);
}

#[test]
fn a_member_alone_costs_one_read_and_one_write() {
    let (mut saver, mut table) = (Saver::new(record("m1", "1", 5)), Table::default());
    assert_eq!(next(&saver.job, &saver.read), Ok(Step::Read(vec![Key::of_campaign("c", "SCORE#m1")])));
    assert!(!saver.step(&mut table));
    assert!(saver.step(&mut table));
    assert_eq!(table.items.len(), 1);
}

#[test]
fn a_lower_score_writes_nothing() {
    let mut table = Table::default();
    save(&mut table, record("m1", "1", 5));
    let mut saver = Saver::new(record("m1", "1", 4));
    assert!(!saver.step(&mut table));
    assert_eq!(next(&saver.job, &saver.read), Ok(Step::Done));
}

#[test]
fn an_item_that_is_not_a_score_is_named() {
    let job = Saver::new(record("m1", "1", 5)).job;
    let key = Key::of_campaign("c", "SCORE#m1");
    let error = next(&job, &Read::from([(key, Some("{}".to_owned()))])).unwrap_err();
    assert!(error.starts_with("malformed: item CAMPAIGN#c/SCORE#m1: missing field"), "{error}");
}

/// Three fans, each with a name of each kind, of which a record has some.
fn records() -> impl Strategy<Value = Vec<ScoreRecord>> {
    let of = (0..3_usize, 1..8_u8, 1..3_u8, -5..5_i32).prop_map(|(fan, names, sequencer, score)| {
        let named = |bit, kind| if names & bit != 0 { format!("{kind}{fan} ") } else { String::new() };
        record(&(named(1, 'm') + &named(2, 'g') + &named(4, 'e')), &sequencer.to_string(), score)
    });
    prop::collection::vec(of, 1..9)
}

/// The fans that the records tell of: their strongest names, with the content that each must have.
fn fans(records: &[ScoreRecord]) -> Vec<String> {
    let mut fans: Vec<(BTreeSet<Name>, ScoreRecord)> = Vec::new();
    for record in records {
        let mut names = Name::all_of(record);
        let mut best = record.clone();
        fans.retain(|(known, held)| {
            let is_same = known.iter().any(|name| names.contains(name));
            if is_same {
                names.extend(known.iter().cloned());
                if !best.replaces(held) {
                    best = held.clone();
                }
            }
            !is_same
        });
        fans.push((names, best));
    }
    let key = |names: &BTreeSet<Name>| names.first().unwrap().score_key("c").sk[SCORE.len()..].to_owned();
    let text = |name: &Name| match name {
        Name::Member(text) | Name::User(text) | Name::Email(text) => format!(" {text}"),
    };
    let all = |names: &BTreeSet<Name>| names.iter().map(text).collect::<String>();
    let mut fans: Vec<_> =
        fans.iter().map(|(names, best)| format!("{} {}{}", key(names), best.score.as_json(), all(names))).collect();
    fans.sort();
    fans
}

/// When the reads of a round begin.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// After its writes and `forget`.
    AsTheRuleSays,
    /// Before: they are in progress while the round writes.
    ReadsFirst,
}

/// A worker that saves a batch in rounds, with one `Read` for all of its jobs. It may be interrupted in the middle of a
/// round.
struct Worker {
    records: Vec<ScoreRecord>,
    order: Order,
    jobs: Vec<Job>,
    read: Read,
    /// The second half of the round: the writes and what was read meanwhile, or the keys to read.
    rest: Option<Rest>,
}

/// The second half of a round.
type Rest = (Vec<(Job, Step)>, Vec<Key>, Read);

impl Worker {
    fn new(records: &[ScoreRecord], order: Order) -> Self {
        let jobs = jobs(records.iter().cloned().enumerate());
        Self { records: records.to_vec(), order, jobs, read: Read::new(), rest: None }
    }

    /// Does half a round; `true` if nothing is left to do.
    fn step(&mut self, table: &mut Table) -> bool {
        if let Some((writes, keys, early)) = self.rest.take() {
            self.write(writes, table);
            self.read.extend(early);
            self.read.extend(keys.into_iter().map(|key| (key.clone(), table.get(&key))));
            return self.jobs.is_empty();
        }
        let (mut writes, mut keys) = (Vec::new(), Vec::new());
        for job in &self.jobs {
            match next(job, &self.read).unwrap() {
                Step::Read(more) => keys.extend(more),
                step => writes.push((job.clone(), step)),
            }
        }
        self.rest = Some(match self.order {
            Order::AsTheRuleSays => {
                self.write(writes, table);
                (vec![], keys, Read::new())
            }
            Order::ReadsFirst => {
                let early = keys.into_iter().map(|key| (key.clone(), table.get(&key))).collect();
                (writes, vec![], early)
            }
        });
        self.jobs.is_empty()
    }

    fn write(&mut self, writes: Vec<(Job, Step)>, table: &mut Table) {
        for (job, step) in writes {
            let is_done = match step {
                Step::Link(changes) => {
                    changes.iter().for_each(|change| _ = table.apply(change));
                    false
                }
                Step::Put { change, is_last } => table.apply(&change).is_ok() && is_last,
                Step::Remove(keys) => {
                    keys.iter().for_each(|key| _ = table.items.remove(key));
                    false
                }
                Step::Read(_) | Step::Done => true,
            };
            if is_done {
                self.jobs.retain(|it| it.indices != job.indices);
            }
            forget(&job, &mut self.read);
        }
    }
}

/// The table after workers saved batches of the records side by side, ended and began again.
fn saved_in_rounds(records: &[ScoreRecord], size: usize, schedule: &[(usize, bool)], order: Order) -> Table {
    let mut table = Table::default();
    let mut workers: Vec<_> = records.chunks(size).map(|batch| (Worker::new(batch, order), false)).collect();
    for (place, crashes) in schedule {
        let count = workers.len();
        let (worker, is_done) = &mut workers[place % count];
        if *crashes {
            (*worker, *is_done) = (Worker::new(&worker.records, order), false);
        } else if !*is_done {
            *is_done = worker.step(&mut table);
        }
    }
    for (worker, is_done) in &mut workers {
        let mut steps = 0;
        while !*is_done {
            *is_done = worker.step(&mut table);
            steps += 1;
            assert!(steps < 200, "does not end");
        }
    }
    table
}

/// The table after workers saved a record each. They are interrupted between any two steps, crash and begin again, and
/// get records again.
fn saved_side_by_side(records: &[ScoreRecord], schedule: &[(usize, bool)]) -> Table {
    let mut table = Table::default();
    let mut savers: Vec<_> = records.iter().map(|record| (Saver::new(record.clone()), false)).collect();
    for (place, crashes) in schedule {
        let index = place % savers.len();
        let (saver, is_done) = &mut savers[index];
        if *crashes {
            // Also a record that is done may be delivered again.
            (*saver, *is_done) = (Saver::new(records[index].clone()), false);
        } else if !*is_done {
            *is_done = saver.step(&mut table);
        }
    }
    for (saver, is_done) in &mut savers {
        let mut steps = 0;
        while !*is_done {
            *is_done = saver.step(&mut table);
            steps += 1;
            assert!(steps < 40, "does not end");
        }
    }
    table
}

fn rounds() -> impl Strategy<Value = (Vec<ScoreRecord>, usize, Vec<(usize, bool)>)> {
    (records(), 1..5_usize, prop::collection::vec((0..9_usize, prop::bool::weighted(0.05)), 0..100))
}

/// A worker is in the middle of a round in which one job links an address and another one reads the item under it. There the
/// other worker saves an item under that address.
fn interrupted_while_linking(order: Order) -> Vec<String> {
    let mut table = Table::default();
    save(&mut table, record("m1 e9", "1", 9));
    let mut linking = Worker::new(&[record("m1 e1", "1", 1), record("e1", "1", 2)], order);
    // The read of the aliases, and the first half of the round that links.
    for _ in 0..3 {
        assert!(!linking.step(&mut table));
    }
    for mut worker in [Worker::new(&[record("e1", "1", 3)], order), linking] {
        let mut steps = 0;
        while !worker.step(&mut table) {
            steps += 1;
            assert!(steps < 50, "does not end");
        }
    }
    scores(&table)
}

#[test]
fn a_read_that_begins_before_the_writes_of_its_round_makes_two_items_of_a_fan() {
    assert_eq!(interrupted_while_linking(Order::AsTheRuleSays), ["m1 9 m1 e9@example.com"]);
    let two = ["email:e1@example.com 3 e1@example.com", "m1 9 m1 e9@example.com"];
    assert_eq!(interrupted_while_linking(Order::ReadsFirst), two, "the test does not see what the order is for");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Workers that share what they read among the jobs of a batch, in rounds that interrupt each other.
    #[test]
    fn req_005_jobs_of_a_batch_may_share_what_they_read((records, size, schedule) in rounds()) {
        let table = saved_in_rounds(&records, size, &schedule, Order::AsTheRuleSays);
        prop_assert_eq!(sorted(&table), fans(&records));
    }

    #[test]
    fn req_005_whatever_the_order_no_fan_has_two_score_items(
        records in records(),
        schedule in prop::collection::vec((0..9_usize, prop::bool::weighted(0.1)), 0..200),
    ) {
        prop_assert_eq!(sorted(&saved_side_by_side(&records, &schedule)), fans(&records));
    }

    /// What the batch takes, and in which batches the records come, changes nothing.
    #[test]
    fn keeping_the_highest_is_the_same_in_any_batches(records in records(), size in 1..5_usize) {
        let mut table = Table::default();
        for batch in records.chunks(size) {
            for job in jobs(batch.iter().cloned().enumerate()) {
                let mut saver = Saver { job, read: Read::new() };
                while !saver.step(&mut table) {}
            }
        }
        prop_assert_eq!(sorted(&table), fans(&records));
    }
}
