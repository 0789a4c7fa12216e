//! Fans who share addresses, and rows that contradict each other. Which fan has an address, or which of two
//! globalUserIds a member has, depends on what comes first; that two ids of a kind are two fans does not.

use super::*;
use std::collections::{BTreeMap, HashSet};

#[test]
fn an_address_that_two_global_user_ids_share_is_the_first_ones() {
    let [both, user] = ["m1 5 m1 g1 e1@example.com", "g2 9 g2 e1@example.com"];
    check(&[("m1 g1 e1", "1", 5), ("g2 e1", "1", 9)], &[user, both]);
    check(&[("g2 e1", "1", 9), ("m1 g1 e1", "1", 5), ("e1", "1", 8)], &[user, both]);
    check(&[("e1", "1", 5), ("m1 g1 e1", "1", 4), ("g2 e1", "1", 9)], &[user, both]);
    check(&[("m1 e1", "1", 5), ("m1 g1", "1", 4), ("g2 e1", "1", 9)], &[user, both]);
    check(&[("m1 g1", "1", 5), ("g2 e1", "1", 9), ("m1 e1", "1", 4), ("e1", "1", 8)], &[user, both]);
    check(&[("g2 e1", "1", 9), ("g1 e1", "1", 5), ("m1 g1 e1", "1", 4)], &[user, both]);
}

#[test]
fn who_has_a_members_address_is_the_member_unless_the_member_has_another_global_user_id() {
    let one = "m1 9 m1 g2 e1@example.com";
    check(&[("m1 e1", "1", 5), ("g2 e1", "1", 9)], &[one]);
    check(&[("g2 e1", "1", 9), ("m1 e1", "1", 5)], &[one]);
    // What was one fan stays so. Rows of the other globalUserId that name no member have an item of their own.
    check(&[("m1 e1", "1", 5), ("g2 e1", "1", 9), ("m1 g1", "1", 7), ("g1", "1", 1)], &["g1 1 g1", one]);
    check(&[("m1 e1", "1", 5), ("m1 g1", "1", 7), ("m1 g2", "1", 3)], &["m1 7 m1 g1 e1@example.com"]);
}

/// Records with any of three memberIds, three globalUserIds and two addresses.
fn records() -> impl Strategy<Value = Vec<ScoreRecord>> {
    let of = (0..4_usize, 0..4_usize, 0..3_usize, 1..3_u8, -5..5_i32);
    let named = of.prop_filter_map("has no name", |(member, user, email, sequencer, score)| {
        let names = [("m", member, 3), ("g", user, 3), ("e", email, 2)];
        let names = names.into_iter().filter(|(_, number, count)| number < count);
        let names: Vec<_> = names.map(|(kind, number, _)| format!("{kind}{number}")).collect();
        (!names.is_empty()).then(|| record(&names.join(" "), &sequencer.to_string(), score))
    });
    prop::collection::vec(named, 1..9)
}

/// Records and table, for the message of a failure.
fn told(table: &Table, records: &[ScoreRecord]) -> String {
    let record = |record: &ScoreRecord| format!("{:?} {:?} {:?}", Name::all_of(record), record.sequencer, record.score);
    let records: Vec<_> = records.iter().map(record).collect();
    let items: Vec<_> = table.items.iter().map(|(key, item)| format!("{}: {item:?}", key.sk)).collect();
    format!("{records:#?}\n{items:#?}")
}

/// The name that a name leads to in the end.
fn root(table: &Table, name: &Name) -> Name {
    let alias = name.alias_key("c").and_then(|key| table.get(&key));
    alias.map_or_else(|| name.clone(), |alias| root(table, &name.read_alias(&alias).unwrap()))
}

/// Whose record it is: what its strongest name leads to.
fn fan(table: &Table, record: &ScoreRecord) -> Name {
    root(table, Name::all_of(record).first().unwrap())
}

/// The globalUserId that a fan has.
fn user(table: &Table, fan: &Name) -> Option<String> {
    match fan {
        Name::Member(_) => table.items.get(&fan.score_key("c"))?.get("globalUserId")?.as_str().map(str::to_owned),
        Name::User(id) => Some(id.clone()),
        Name::Email(_) => None,
    }
}

/// Whether two fans have different ids of one kind.
fn are_two(table: &Table, one: &Name, other: &Name) -> bool {
    let users = (user(table, one), user(table, other));
    matches!((one, other), (Name::Member(one), Name::Member(other)) if one != other)
        || matches!(users, (Some(one), Some(other)) if one != other)
}

/// Each fan has one item, which has the record that replaces the others of this fan.
fn each_fan_has_one_item(table: &Table, records: &[ScoreRecord]) {
    let mut expected: BTreeMap<Key, ScoreRecord> = BTreeMap::new();
    for record in records {
        let held = expected.entry(fan(table, record).score_key("c")).or_insert_with(|| record.clone());
        if record.replaces(held) {
            *held = record.clone();
        }
    }
    let content = |record: &ScoreRecord| (record.sequencer.clone(), record.score.clone());
    let expected: BTreeMap<_, _> = expected.iter().map(|(key, record)| (key.clone(), content(record))).collect();
    let items = table.items.keys().filter(|key| key.sk.starts_with(SCORE));
    let read = |key: &Key| serde_json::from_str::<ScoreRecord>(&table.get(key).unwrap()).unwrap();
    let found: BTreeMap<_, _> = items.map(|key| (key.clone(), content(&read(key)))).collect();
    assert_eq!(found, expected, "{}", told(table, records));
}

/// No two globalUserIds are one fan. (No two memberIds are either, since a memberId leads to no other name.)
fn no_fan_has_two_global_user_ids(table: &Table, records: &[ScoreRecord]) {
    let users: BTreeSet<_> = records.iter().filter_map(|record| record.global_user_id.clone()).collect();
    let mut fans = HashSet::new();
    for user in users {
        let fan = root(table, &Name::User(user));
        assert!(fans.insert(fan.clone()), "{fan:?} has two: {}", told(table, records));
    }
}

/// The names of a record lead to one fan, unless another id shows that they are two fans'.
fn names_of_a_record_are_one_fans(table: &Table, records: &[ScoreRecord]) {
    for record in records {
        let fan = fan(table, record);
        for other in Name::all_of(record).iter().map(|name| root(table, name)) {
            assert!(other == fan || are_two(table, &fan, &other), "{fan:?}, {other:?}: {}", told(table, records));
        }
    }
}

/// A globalUserId leads to a memberId only if a record has both, or each is in one with the same address.
fn links_have_a_reason(table: &Table, records: &[ScoreRecord]) {
    let with = |name: &Name| {
        let records = records.iter().map(Name::all_of).filter(|names| names.contains(name));
        records.flatten().filter(|it| it == name || matches!(it, Name::Member(_) | Name::Email(_))).collect::<Vec<_>>()
    };
    for user in records.iter().filter_map(|record| record.global_user_id.clone().map(Name::User)) {
        let fan = root(table, &user);
        let names = with(&user);
        let has_reason = fan == user || names.contains(&fan) || with(&fan).iter().any(|name| names.contains(name));
        assert!(has_reason, "{user:?} is {fan:?}: {}", told(table, records));
    }
}

fn check_all(table: &Table, records: &[ScoreRecord]) {
    each_fan_has_one_item(table, records);
    no_fan_has_two_global_user_ids(table, records);
    names_of_a_record_are_one_fans(table, records);
    links_have_a_reason(table, records);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Also with concurrent workers that crash at any step.
    #[test]
    fn req_005_two_ids_of_a_kind_are_two_fans_whatever_the_order(
        records in records(),
        schedule in prop::collection::vec((0..9_usize, prop::bool::weighted(0.1)), 0..200),
    ) {
        check_all(&saved_side_by_side(&records, &schedule), &records);
    }

    /// Workers share what they read among the jobs of a batch.
    #[test]
    fn req_005_two_ids_of_a_kind_are_two_fans_also_in_a_batch(
        records in records(),
        size in 1..5_usize,
        schedule in prop::collection::vec((0..9_usize, prop::bool::weighted(0.05)), 0..100),
    ) {
        check_all(&saved_in_rounds(&records, size, &schedule, Order::AsTheRuleSays), &records);
    }
}
