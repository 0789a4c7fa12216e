//! The stale check: whether the item is still as in the record. Pure.
//!
//! The check needs the *present* item, so reads must be strongly consistent. If a read returns an item older than the
//! record's own image, the read is late, and the record must not be lost because of it.

use crate::record::{Item, Record};
use registration::entry::Operation;

/// What to do with a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Send the present item: it is as in the record, or this attempt must correct what an earlier one sent.
    Put,
    /// Send the deletion of the record's image.
    Delete,
    /// Send nothing: the item has changed since, and that change has its own record.
    Stale(&'static str),
    /// The read is older than the record: read again later.
    Behind,
}

/// Checks a record against the present item. From the second `attempt` on, an earlier attempt may have sent a version
/// that is stale now, so the present item is sent instead.
pub fn check(record: &Record, current: Option<&Item>, attempt: u32) -> Check {
    match verdict(record, current) {
        Check::Stale(_) if attempt > 1 => current.map_or(Check::Delete, |_| Check::Put),
        check => check,
    }
}

fn verdict(record: &Record, current: Option<&Item>) -> Check {
    match (record.operation, current) {
        (Operation::Remove, None) => Check::Delete,
        (Operation::Remove, Some(_)) => Check::Stale("stale: the item was made again after this record"),
        (Operation::Insert | Operation::Modify, None) => Check::Stale("stale: the item was removed after this record"),
        (Operation::Insert | Operation::Modify, Some(current)) => compare(&record.image, current),
    }
}

/// Two images without a date differ by the fan's attributes alone.
fn compare(image: &Item, current: &Item) -> Check {
    let is_as_old = match (image.is_dated, current.is_dated) {
        (true, true) if current.version < image.version => return Check::Behind,
        (true, true) => current.version == image.version,
        (image, current) => image == current,
    };
    if is_as_old && current.entry.fan_attributes() == image.entry.fan_attributes() {
        Check::Put
    } else {
        Check::Stale("stale: the item changed after this record")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{image, item};
    use proptest::prelude::*;

    fn record(operation: Operation, version: u32, market: &str) -> Record {
        Record { operation, image: item(&image("u", version, market)).into() }
    }

    /// The documents' scenario 3, with its own times: [A, B] at 10:00:00, [A, C] at 10:00:05, event 2 handled first.
    #[test]
    fn scenario_3_race_condition_prevents_stale_replication() {
        let at = |time: &str, markets: &str| {
            let mut image = image("u", 0, "");
            image["date"]["updated"] = format!("2024-01-01T10:00:{time}Z").into();
            image["fields"] = format!(r#"{{"markets":{markets}}}"#).into();
            item(&image)
        };
        let event_1 = Record { operation: Operation::Modify, image: at("00", r#"["A","B"]"#).into() };
        let event_2 = Record { operation: Operation::Modify, image: at("05", r#"["A","C"]"#).into() };
        let now = at("05", r#"["A","C"]"#);
        assert_eq!(check(&event_2, Some(&now), 1), Check::Put);
        assert_eq!(check(&event_1, Some(&now), 1), Check::Stale("stale: the item changed after this record"));
    }

    #[test]
    fn the_fans_attributes_count_as_well_as_the_date() {
        let current = item(&image("u", 1, "b"));
        assert!(matches!(check(&record(Operation::Modify, 1, "a"), Some(&current), 1), Check::Stale(_)));
    }

    #[test]
    fn attributes_of_systems_make_nothing_stale() {
        let mut now = image("u", 1, "a");
        now["verdict"] = true.into();
        now["score"] = 1.into();
        now["needsReplication"] = false.into();
        assert_eq!(check(&record(Operation::Modify, 1, "a"), Some(&item(&now)), 1), Check::Put);
    }

    #[test]
    fn a_removal_is_sent_while_the_item_is_gone() {
        assert_eq!(check(&record(Operation::Remove, 1, "a"), None, 1), Check::Delete);
        let again = item(&image("u", 2, "a"));
        assert!(matches!(check(&record(Operation::Remove, 1, "a"), Some(&again), 1), Check::Stale(_)));
    }

    #[test]
    fn a_change_of_a_removed_item_is_stale() {
        assert!(matches!(check(&record(Operation::Insert, 1, "a"), None, 1), Check::Stale(_)));
    }

    #[test]
    fn a_record_is_not_lost_because_of_a_late_read() {
        let before = item(&image("u", 1, "a"));
        for attempt in [1, 2] {
            assert_eq!(check(&record(Operation::Modify, 2, "b"), Some(&before), attempt), Check::Behind);
        }
    }

    #[test]
    fn point_4_without_dates_the_fans_attributes_decide() {
        let undated = |market: &str| {
            let mut image = image("u", 1, market);
            image["date"] = serde_json::json!({});
            std::rc::Rc::new(item(&image)).or_version("2024-01-01T10:00:00.001Z")
        };
        let record = Record { operation: Operation::Modify, image: undated("a") };
        assert_eq!(check(&record, Some(&undated("a")), 1), Check::Put);
        assert!(matches!(check(&record, Some(&undated("b")), 1), Check::Stale(_)));
        assert!(matches!(check(&record, Some(&item(&image("u", 1, "a"))), 1), Check::Stale(_)), "it has a date now");
    }

    proptest! {
        /// No version older than the item is ever sent, and from the second attempt on something is always sent.
        #[test]
        fn only_the_present_is_sent(
            operation in prop::sample::select(vec![Operation::Insert, Operation::Modify, Operation::Remove]),
            version in 0_u32..3, market in "[ab]", attempt in 1_u32..4,
            now in prop::option::of((0_u32..3, "[ab]")),
        ) {
            let record = record(operation, version, &market);
            let current = now.as_ref().map(|(version, market)| item(&image("u", *version, market)));
            match check(&record, current.as_ref(), attempt) {
                Check::Put => prop_assert!(current.is_some()),
                Check::Delete => prop_assert!(current.is_none()),
                Check::Stale(_) => prop_assert_eq!(attempt, 1),
                Check::Behind => {
                    prop_assert!(operation != Operation::Remove && now.unwrap().0 < version);
                }
            }
        }
    }
}
