//! Tests of counting: rules one by one, and streams that repeat.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::testing::Table;
use proptest::prelude::*;
use serde_json::json;

fn totals(verified: i64, rejected: i64, selected: i64) -> Totals {
    Totals { verified, rejected, selected }
}

fn origin(sequence_number: &str) -> Origin<'_> {
    Origin { shard: "shard", sequence_number, time_ms: 7, redriven: false }
}

fn read(sk: &str, old: Value, new: Value) -> Totals {
    let payload = json!({"keys": {"pk": "CAMPAIGN#c", "sk": sk}, "oldImage": old, "newImage": new}).to_string();
    Record::read(&payload, &origin("1")).unwrap().map_or(Totals::default(), |record| record.change)
}

fn score(verification: &str) -> Value {
    json!({"verification": verification})
}

fn entry(verdict: impl Into<Value>) -> Value {
    json!({"verdict": verdict.into()})
}

#[test]
fn count_updates_new_verified_fan_plus_1_verified() {
    assert_eq!(read("SCORE#m", Value::Null, score("verified")), totals(1, 0, 0));
    assert_eq!(read("SCORE#m", Value::Null, score("rejected")), totals(0, 1, 0));
}

#[test]
fn count_updates_verification_status_flip_plus_1_to_new_state_minus_1_from_old_state() {
    assert_eq!(read("SCORE#m", score("verified"), score("rejected")), totals(-1, 1, 0));
    assert_eq!(read("SCORE#m", score("rejected"), score("verified")), totals(1, -1, 0));
    assert_eq!(read("SCORE#m", score("verified"), score("verified")), totals(0, 0, 0));
}

#[test]
fn count_updates_new_selection_plus_1_selected() {
    assert_eq!(read("USER#u", entry(false), entry(true)), totals(0, 0, 1));
    assert_eq!(read("USER#u", json!({}), entry("WINNER")), totals(0, 0, 1));
    assert_eq!(read("USER#u", Value::Null, entry("LOSER")), totals(0, 0, 0));
}

#[test]
fn count_updates_deselection_minus_1_selected() {
    assert_eq!(read("USER#u", entry(true), entry(false)), totals(0, 0, -1));
}

#[test]
fn a_remove_subtracts() {
    assert_eq!(read("SCORE#m", score("verified"), Value::Null), totals(-1, 0, 0));
    assert_eq!(read("USER#u", entry(true), Value::Null), totals(0, 0, -1));
}

#[test]
fn verified_and_rejected_are_counted_on_score_items_and_selected_on_user_items_alone() {
    let both = json!({"verification": "verified", "verdict": true});
    assert_eq!(read("SCORE#m", Value::Null, both.clone()), totals(1, 0, 0));
    assert_eq!(read("USER#u", Value::Null, both.clone()), totals(0, 0, 1));
    for sk in ["meta:counts", "ALIAS#user:g", "PLAN#m"] {
        assert_eq!(read(sk, Value::Null, both.clone()), totals(0, 0, 0));
    }
    let of_nobody = json!({"keys": {"pk": "fan:u", "sk": "USER#u"}, "newImage": both}).to_string();
    assert_eq!(Record::read(&of_nobody, &origin("1")), Ok(None));
}

#[test]
fn sequence_numbers_are_compared_as_the_numbers_they_are() {
    let position = |text: &str| Position::new(text).unwrap();
    assert!(position("9") < position("10"));
    assert!(
        position("49590338271490256608559692538361571095921575989136588898")
            < position("149590338271490256608559692538361571095921575989136588898")
    );
    assert_eq!(position("007"), position("7"));
    assert_eq!(position("7").as_str().len(), 128);
    for text in ["", "1a", "-1", &"9".repeat(129)] {
        assert_eq!(Position::new(text), None, "{text}");
    }
}

#[test]
fn a_payload_that_is_not_a_change_is_named() {
    assert!(Record::read("{}", &origin("1")).unwrap_err().starts_with("malformed: missing field `keys`"));
    let payload = json!({"keys": {"pk": "CAMPAIGN#c", "sk": "SCORE#m"}, "newImage": score("verified")}).to_string();
    assert_eq!(Record::read(&payload, &origin("x")).unwrap_err(), "malformed: `x` is not a sequence number");
}

fn counted(shard: &str, sequence: u64, change: Totals) -> Record {
    let (campaign_id, shard) = ("c".to_owned(), shard.to_owned());
    Record { campaign_id, shard, position: position(sequence), time_ms: sequence, redriven: false, change }
}

/// One verified fan.
fn one(sequence: u64) -> Record {
    counted("a", sequence, totals(1, 0, 0))
}

fn position(sequence: u64) -> Position {
    Position::new(&sequence.to_string()).unwrap()
}

fn of(first: u64, last: u64) -> Place {
    Place { counted: Some(Counted { last: position(last), first: position(first) }), time_ms: last }
}

fn closed(time_ms: u64) -> Place {
    Place { counted: None, time_ms }
}

/// What a batch says beside its records.
fn beside(closed: &[&str], unreadable: &[u64]) -> Beside {
    Beside {
        closed: closed.iter().map(ToString::to_string).collect(),
        unreadable: unreadable.iter().map(|sequence| position(*sequence)).collect(),
    }
}

fn counts(table: &Table) -> Counts {
    Counts::read(table.get(&Counts::key("c")).as_deref()).unwrap()
}

/// Counts a batch as the worker does, with the item as read.
fn count_with(table: &mut Table, batch: &[Record], beside: &Beside) {
    for group in by_update(batch.iter().cloned().enumerate()).into_values() {
        match update(&group.records, &counts(table), beside) {
            Outcome::Update(change) => table.apply(&change).unwrap(),
            Outcome::Counted => {}
            Outcome::Late(reason) => panic!("{reason}"),
        }
    }
}

fn count(table: &mut Table, batch: &[Record]) {
    count_with(table, batch, &Beside::default());
}

fn change(records: &[Record], counts: &Counts) -> Change {
    match update(records, counts, &Beside::default()) {
        Outcome::Update(change) => change,
        other => panic!("{other:?}"),
    }
}

/// The outcome of a record that was a dead letter.
fn redriven(table: &Table, shard: &str, sequence: u64) -> Outcome {
    let record = Record { redriven: true, ..counted(shard, sequence, totals(1, 0, 0)) };
    update(&[record], &counts(table), &Beside::default())
}

fn late() -> Outcome {
    let reason = "late: records of its shard were counted after it, so it may be counted or not; recount campaign c";
    Outcome::Late(reason.to_owned())
}

#[test]
fn a_batch_is_one_update_per_campaign_and_moves_the_position() {
    let mut table = Table::default();
    let batch = [counted("a", 1, totals(1, 0, 0)), counted("a", 2, totals(1, 1, 0)), counted("a", 9, totals(-1, 0, 1))];
    count(&mut table, &batch);
    count(&mut table, &[counted("a", 10, totals(0, 1, 0))]);
    let Counts { totals: found, positions, .. } = counts(&table);
    assert_eq!(found, totals(1, 2, 1));
    assert_eq!(positions.unwrap(), BTreeMap::from([("a".to_owned(), of(10, 10))]));
    let other = Record { campaign_id: "d".into(), ..batch[1].clone() };
    assert_eq!(by_update([(0, batch[0].clone()), (1, other)]).len(), 2);
}

#[test]
fn records_at_or_below_the_position_are_left_out_first() {
    let mut table = Table::default();
    let records: Vec<_> = (1..=4).map(|sequence| counted("a", sequence, totals(1, 0, 0))).collect();
    count(&mut table, &records[..2]);
    assert_eq!(update(&records[..2], &counts(&table), &Beside::default()), Outcome::Counted);
    count(&mut table, &records[1..]);
    assert_eq!(counts(&table).totals, totals(4, 0, 0));
}

#[test]
fn req_002_a_position_that_moved_since_it_was_read_fails_the_condition() {
    let mut table = Table::default();
    let records: Vec<_> = (1..=4).map(|sequence| counted("a", sequence, totals(1, 0, 0))).collect();
    let before = counts(&table);
    count(&mut table, &records[..2]);
    table.apply(&change(&records, &before)).unwrap_err();
    let before = counts(&table);
    count(&mut table, &records[2..3]);
    table.apply(&change(&records, &before)).unwrap_err();
    table.apply(&change(&records, &counts(&table))).unwrap();
    assert_eq!(counts(&table).totals, totals(4, 0, 0));
}

/// Record 50 is given up, and its shard continues.
#[test]
fn a_redriven_record_that_the_position_has_passed_is_never_acknowledged() {
    let mut table = Table::default();
    assert!(matches!(redriven(&table, "a", 50), Outcome::Update(_)), "nothing of the campaign is counted");
    count(&mut table, &[one(48), one(49)]);
    assert!(matches!(redriven(&table, "a", 50), Outcome::Update(_)), "nothing has passed it yet");
    count(&mut table, &[one(51), one(53)]);
    assert_eq!(redriven(&table, "a", 50), late());
    assert_eq!(redriven(&table, "a", 48), late());
    // The latest update has counted all between its first record and its last one: the answer to its call was lost.
    for sequence in 51..=53 {
        assert_eq!(redriven(&table, "a", sequence), Outcome::Counted);
    }
    assert!(matches!(redriven(&table, "a", 54), Outcome::Update(_)));
    assert_eq!(redriven(&table, "b", 1), late(), "nobody knows what became of this shard");
    assert_eq!(counts(&table).totals, totals(4, 0, 0));
}

/// Records 3, 5 and 8 cannot be read, become dead letters of the batch that was counted, and are redriven to a version that
/// can read them.
#[test]
fn req_008_a_record_that_could_not_be_read_is_never_taken_for_counted() {
    let mut table = Table::default();
    let batch = [one(2), one(4), one(6), one(7)];
    count_with(&mut table, &batch, &beside(&[], &[3, 5, 8]));
    assert_eq!(counts(&table).positions.unwrap()["a"], of(6, 7));
    for sequence in [3, 5] {
        assert_eq!(redriven(&table, "a", sequence), late());
    }
    let Outcome::Update(change) = redriven(&table, "a", 8) else { panic!("nothing has passed it yet") };
    table.apply(&change).unwrap();
    // The batch comes again with more.
    count_with(&mut table, &[&batch[..], &[one(9)]].concat(), &beside(&[], &[3, 5, 8]));
    assert_eq!(counts(&table).totals, totals(6, 0, 0));
    assert_eq!(redriven(&table, "a", 5), late());
}

#[test]
fn what_a_stream_repeats_is_not_taken_for_redriven() {
    let mut table = Table::default();
    count(&mut table, &[one(48)]);
    count(&mut table, &[one(51)]);
    assert_eq!(update(&[one(48)], &counts(&table), &Beside::default()), Outcome::Counted);
}

/// Why the source has `strict_order`: what another slice of the shard has moved past is not counted.
#[test]
fn batches_of_a_shard_side_by_side_would_lose_counts() {
    let mut table = Table::default();
    count(&mut table, &[one(4)]);
    assert_eq!(update(&[one(3)], &counts(&table), &Beside::default()), Outcome::Counted);
}

#[test]
fn case_02_case_21_a_count_may_be_null_or_have_a_fraction_of_zeros() {
    let item = r#"{"verified":5.0,"rejected":null,"selected":2e0,"position":null}"#;
    assert_eq!(Counts::read(Some(item)).unwrap().totals, Totals { verified: 5, rejected: 0, selected: 2 });
    let problem = Counts::read(Some(r#"{"verified":1.5}"#)).unwrap_err();
    assert!(problem.starts_with("malformed: meta:counts: 1.5 is not a whole number"), "{problem}");
}

/// No table adds to null. The item may have a position, as after an operator's repair, or none.
#[test]
fn case_02_a_count_of_null_is_counted_from_0_on() {
    for item in [
        json!({"verified": null, "rejected": null, "selected": 2.0}),
        json!({"verified": null, "rejected": null, "selected": 2, "position": {"a": of(1, 1).text()}}),
    ] {
        let mut table = Table::default();
        table.items.insert(Counts::key("c"), item.as_object().unwrap().clone());
        count(&mut table, &[counted("a", 2, totals(1, 0, 1)), counted("a", 3, totals(1, 0, 0))]);
        assert_eq!(counts(&table).totals, totals(2, 0, 3), "{item}");
        assert_eq!(table.items[&Counts::key("c")]["rejected"], Value::Null, "what does not change is left: {item}");
        count(&mut table, &[counted("a", 4, totals(1, 1, 0))]);
        assert_eq!(counts(&table).totals, totals(3, 1, 3), "{item}");
    }
}

/// Two shards have read the same nulls: the second one sets none that the first has set.
#[test]
fn case_02_a_count_of_null_that_another_shard_has_counted_meanwhile_fails_the_condition() {
    let mut table = Table::default();
    let item = json!({"verified": null, "position": {"a": of(1, 1).text()}});
    table.items.insert(Counts::key("c"), item.as_object().unwrap().clone());
    let before = counts(&table);
    table.apply(&change(&[counted("a", 2, totals(1, 0, 0))], &before)).unwrap();
    let second = [counted("b", 1, totals(1, 0, 0))];
    table.apply(&change(&second, &before)).unwrap_err();
    table.apply(&change(&second, &counts(&table))).unwrap();
    assert_eq!(counts(&table).totals, totals(2, 0, 0));
}

#[test]
fn a_position_of_null_is_as_absent() {
    let mut table = Table::default();
    let item = json!({"verified": 5, "position": null});
    table.items.insert(Counts::key("c"), item.as_object().unwrap().clone());
    count(&mut table, &[counted("a", 1, totals(1, 0, 0))]);
    assert_eq!(counts(&table).totals, totals(6, 0, 0));
    assert_eq!(counts(&table).positions.unwrap(), BTreeMap::from([("a".to_owned(), of(1, 1))]));
    let before = Counts::read(Some(r#"{"verified": 5, "position": null}"#)).unwrap();
    table.apply(&change(&[counted("b", 1, totals(1, 0, 0))], &before)).unwrap_err();
}

#[test]
fn a_position_that_is_not_one_is_named() {
    let error = Counts::read(Some(r#"{"position": {"a": "7"}}"#)).unwrap_err();
    assert!(error.starts_with("malformed: meta:counts: `7` is not a position"), "{error}");
}

#[test]
fn shards_count_side_by_side() {
    let mut table = Table::default();
    count(&mut table, &[counted("a", 1, totals(1, 0, 0))]);
    let before = counts(&table);
    let (a, b) = (counted("a", 2, totals(1, 0, 0)), counted("b", 1, totals(1, 0, 0)));
    for record in [a, b] {
        table.apply(&change(&[record], &before)).unwrap();
    }
    assert_eq!(counts(&table).totals, totals(3, 0, 0));
}

/// A host that was suspended has record 1 of shard `a`, which another one has counted and settled to its end meanwhile.
#[test]
fn req_002_positions_of_closed_shards_are_marked_and_removed_after_two_days() {
    let mut table = Table::default();
    let before = counts(&table);
    for shard in ["a", "b", "c"] {
        count(&mut table, &[counted(shard, 1, totals(1, 0, 0))]);
    }
    count_with(&mut table, &[counted("c", 2, totals(1, 0, 0))], &beside(&["a", "c", "gone"], &[]));
    let positions = counts(&table).positions.unwrap();
    let expected = [("a", closed(2)), ("b", of(1, 1)), ("c", of(2, 2))];
    assert_eq!(positions, expected.map(|(shard, place)| (shard.to_owned(), place)).into(), "not its own");

    let (suspended, none) = ([counted("a", 1, totals(1, 0, 0)), counted("a", 2, totals(1, 0, 0))], Beside::default());
    let Outcome::Update(change) = update(&suspended, &before, &none) else { panic!("it has read the item before") };
    table.apply(&change).unwrap_err();
    let before = Counts { positions: Some(BTreeMap::new()), ..before };
    let Outcome::Update(change) = update(&suspended, &before, &none) else { panic!("it has read the item before") };
    table.apply(&change).unwrap_err();
    assert_eq!(update(&suspended, &counts(&table), &none), Outcome::Counted);
    assert_eq!(redriven(&table, "a", 2), late());

    count_with(&mut table, &[counted("c", 1 + KEPT_MS, totals(1, 0, 0))], &beside(&["a"], &[]));
    assert_eq!(counts(&table).positions.unwrap().len(), 3, "as long as a change may come again");
    count_with(&mut table, &[counted("c", 3 + KEPT_MS, totals(1, 0, 0))], &beside(&["a"], &[]));
    assert_eq!(counts(&table).positions.unwrap().keys().collect::<Vec<_>>(), ["c"]);
    assert_eq!(redriven(&table, "a", 2), late());
    assert_eq!(counts(&table).totals, totals(6, 0, 0));
}

/// What happens to one of six items: absent, or one of the states of its kind.
fn history() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..6_usize, 0..3_usize), 1..60)
}

fn image(item: usize, state: usize) -> Value {
    let states = match item % 2 {
        0 => [Value::Null, score("verified"), score("rejected")],
        _ => [Value::Null, entry(true), entry(false)],
    };
    states[state].clone()
}

proptest! {
    /// Two shards, batches of any size, of which each may come again, whole or from its middle, and may have been counted
    /// or not when its worker ended.
    #[test]
    fn counts_are_exact_whatever_comes_again(
        history in history(),
        deliveries in prop::collection::vec((0..2_usize, 1..9_usize, 0..4_usize, any::<bool>()), 0..40),
    ) {
        let mut states = [0_usize; 6];
        let mut shards: [Vec<Record>; 2] = Default::default();
        for (sequence, (item, state)) in history.into_iter().enumerate() {
            let (kind, shard) = (["SCORE#", "USER#"][item % 2], item / 3);
            let keys = json!({"pk": "CAMPAIGN#c", "sk": format!("{kind}{item}")});
            let images = (image(item, states[item]), image(item, state));
            let payload = json!({"keys": keys, "oldImage": images.0, "newImage": images.1}).to_string();
            shards[shard].extend(Record::read(&payload, &Origin { shard: &shard.to_string(), ..origin(&(sequence * 7).to_string()) }).unwrap());
            states[item] = state;
        }
        let (mut table, mut settled) = (Table::default(), [0_usize; 2]);
        for (shard, size, repeats, is_settled) in deliveries {
            let records = &shards[shard];
            let from = settled[shard].saturating_sub(repeats);
            let to = (settled[shard] + size).min(records.len());
            count(&mut table, &records[from..to]);
            if is_settled {
                settled[shard] = to;
            }
        }
        for shard in 0..2 {
            count(&mut table, &shards[shard][settled[shard]..]);
        }
        let of = |parity, state| (0..6).filter(|item| item % 2 == parity && states[*item] == state).count() as i64;
        prop_assert_eq!(counts(&table).totals, totals(of(0, 1), of(0, 2), of(1, 1)));
    }
}
