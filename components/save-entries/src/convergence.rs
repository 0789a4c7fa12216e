//! The next step of a replication after each outcome, until flag and service agree. Pure.

use crate::record::Item;
use registration::entry::Score;
use std::rc::Rc;
use worker_kit::Disposition;
use worker_kit::platform::{
    Error, ErrorKind,
    table::{Predicate, Update},
};
use worker_kit::services::Results;
use worker_kit::services::entry::{self, DeleteStatus, Deleted, UpsertStatus, Upserted};

/// Rounds of read, send and unflag, after which the record is delivered again.
pub const MAX_ROUNDS: usize = 5;

/// What to do next with an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing more: the disposition of its records.
    Settle(Disposition),
    /// The service has it: clear its flag.
    Unflag,
    /// It may have changed: read it again.
    Reread(Why),
    /// Send its present version.
    Put(Rc<Item>),
    /// Send its deletion, with the version that was sent last.
    Delete,
}

/// Why an item is read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The service has a newer version or a tombstone, as its answer with this status says.
    Refused(u16),
    /// It changed while it was sent: its flag could not be cleared.
    Changed,
}

/// The next step after a fan's entry was sent. If the answer does not mention it, its state is unknown.
pub fn after_upsert(answer: &Results<Upserted>, fan: &str) -> Next {
    let result = answer.results.iter().find(|result| result.global_user_id == fan);
    match result.map(|result| (result.status, result.message.as_deref())) {
        Some((UpsertStatus::Upserted, _)) => Next::Unflag,
        Some((UpsertStatus::Stale, _)) => Next::Reread(Why::Refused(answer.summary.status)),
        Some((UpsertStatus::Invalid, message)) => {
            let message = message.unwrap_or("it does not say why");
            Next::Settle(Disposition::retry(answer.told(format_args!("invalid: {message}"))))
        }
        None => Next::Settle(Disposition::retry(answer.unmentioned())),
    }
}

/// The next step after a deletion was sent. If the service has a newer version, that version has its own record.
pub fn after_delete(answer: &Results<Deleted>, fan: &str) -> Next {
    let result = answer.results.iter().find(|result| result.global_user_id == fan);
    match result.map(|result| result.status) {
        Some(DeleteStatus::Deleted | DeleteStatus::Stale) => Next::Settle(Disposition::Ack),
        None => Next::Settle(Disposition::retry(answer.unmentioned())),
    }
}

/// The next step after an attempt to clear the flag.
pub fn after_unflag(error: Option<&Error>) -> Next {
    match error {
        None => Next::Settle(Disposition::Ack),
        Some(error) if error.kind == ErrorKind::ConditionFailed => Next::Reread(Why::Changed),
        Some(error) => Next::Settle(error.disposition()),
    }
}

/// The next step after the item was read again; `sent` is the version that the service was sent.
pub fn after_reread(sent: &Item, why: Why, current: Option<Rc<Item>>) -> Next {
    match (why, current.map(|current| current.or_version(&sent.version))) {
        (Why::Changed, Some(current)) => Next::Put(current),
        (Why::Changed, None) => Next::Delete,
        // It has been removed since: the service has its tombstone, or the record of the removal will bring it.
        (Why::Refused(_), None) => Next::Settle(Disposition::Ack),
        // Another call has replicated it.
        (Why::Refused(_), Some(current)) if !current.entry.needs_replication => Next::Settle(Disposition::Ack),
        (Why::Refused(status), Some(current)) if current.version == sent.version => {
            let what = "stale: it holds a newer version than the table; the flag stays set";
            Next::Settle(Disposition::retry(format!("the entry service answered with status {status}: {what}")))
        }
        (Why::Refused(_), Some(current)) => Next::Put(current),
    }
}

/// Clears the flag, if the item is still the version that was sent. `now` is RFC 3339.
pub fn unflag(item: &Item, now: &str) -> Update {
    let same = |(path, value): &(&str, String)| Predicate::Equals(((*path).to_owned(), value.clone()));
    Update {
        key: item.key.clone(),
        set: vec![
            ("needsReplication".to_owned(), "false".to_owned()),
            ("replicatedAt".to_owned(), serde_json::Value::from(now).to_string()),
        ],
        increment: vec![],
        remove: vec![],
        condition: item.unchanged.iter().map(same).collect(),
    }
}

/// The entry in the service's form. Its `date.updated` is the version, even if the table has it in another notation
/// (API usage's examples have no milliseconds), because the service compares the two.
pub fn for_service(item: &Item) -> entry::Entry<'_> {
    let entry = &item.entry;
    entry::Entry {
        global_user_id: &entry.global_user_id,
        campaign_id: &entry.campaign_id,
        member_id: entry.member_id.as_deref(),
        fields: entry.fields.as_json(),
        linked_from: entry.linked_from.as_deref(),
        score: entry.score.as_ref().map(Score::as_json),
        date: entry::Dates {
            created: entry.date.created.as_deref(),
            updated: Some(&item.version),
            fan_modified: entry.date.fan_modified.as_deref(),
        },
        version: &item.version,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#[allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use crate::testing::{answer, image, item};

    /// The answer to one entry, and what follows.
    fn upserted(status: UpsertStatus, message: Option<&str>) -> Next {
        let message = message.map(str::to_owned);
        let result = Upserted { global_user_id: "u".to_owned(), status, message, score: None };
        after_upsert(&answer(vec![result]), "u")
    }

    #[test]
    fn case_01_a_score_is_sent_with_every_digit() {
        let stored = image("u", 1, "m").to_string();
        let stored = stored.replacen('{', r#"{"score":12345678901234567890123,"#, 1);
        let item = Item::from_table(&stored).unwrap();
        let sent = serde_json::to_string(&for_service(&item)).unwrap();
        assert!(sent.contains(r#""score":12345678901234567890123,"#), "{sent}");
    }

    #[test]
    fn an_entry_the_service_holds_is_unflagged() {
        assert_eq!(upserted(UpsertStatus::Upserted, None), Next::Unflag);
    }

    #[test]
    fn d2_6__point_2_point_15_an_invalid_entry_is_retried_and_keeps_its_flag() {
        let next = upserted(UpsertStatus::Invalid, Some("no e-mail"));
        let reason = "the entry service answered with status 200, and of the record: invalid: no e-mail";
        assert_eq!(next, Next::Settle(Disposition::retry(reason)));
    }

    #[test]
    fn a_missing_result_is_not_success() {
        let reason = "the entry service answered with status 200, which does not mention the record: {}";
        assert_eq!(after_upsert(&answer(vec![]), "u"), Next::Settle(Disposition::retry(reason)));
        assert_eq!(after_delete(&answer(vec![]), "u"), Next::Settle(Disposition::retry(reason)));
    }

    #[test]
    fn a_deletion_that_lost_to_a_newer_version_is_done() {
        let deleted = |status| Deleted { global_user_id: "u".to_owned(), status };
        for status in [DeleteStatus::Deleted, DeleteStatus::Stale] {
            assert_eq!(after_delete(&answer(vec![deleted(status)]), "u"), Next::Settle(Disposition::Ack));
        }
    }

    #[test]
    fn a_flag_that_cannot_be_cleared_means_read_or_retry() {
        assert_eq!(after_unflag(None), Next::Settle(Disposition::Ack));
        let failed = Error::new(ErrorKind::ConditionFailed, "changed");
        assert_eq!(after_unflag(Some(&failed)), Next::Reread(Why::Changed));
        let throttled = Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(9) };
        assert_eq!(after_unflag(Some(&throttled)), Next::Settle(Disposition::retry_after(Some(9), "later")));
        let denied = Error::new(ErrorKind::Denied, "no grant");
        assert_eq!(after_unflag(Some(&denied)), Next::Settle(Disposition::retry("no grant")));
    }

    #[test]
    fn an_item_that_changed_while_it_was_sent_is_sent_again() {
        let (sent, now) = (item(&image("u", 1, "a")), Rc::new(item(&image("u", 2, "b"))));
        assert_eq!(after_reread(&sent, Why::Changed, Some(now.clone())), Next::Put(now));
        assert_eq!(after_reread(&sent, Why::Changed, None), Next::Delete);
    }

    #[test]
    fn a_refused_item_is_settled_by_its_present_version() {
        let (sent, newer) = (Rc::new(item(&image("u", 1, "a"))), Rc::new(item(&image("u", 2, "b"))));
        let mut replicated = image("u", 2, "b");
        replicated["needsReplication"] = false.into();
        let reread = |current| after_reread(&sent, Why::Refused(200), current);
        assert_eq!(reread(None), Next::Settle(Disposition::Ack));
        assert_eq!(reread(Some(item(&replicated).into())), Next::Settle(Disposition::Ack));
        assert_eq!(reread(Some(newer.clone())), Next::Put(newer));
        let next = reread(Some(sent.clone()));
        let reason = "the entry service answered with status 200: stale: it holds a newer version than the table; \
            the flag stays set";
        assert_eq!(next, Next::Settle(Disposition::retry(reason)));
    }

    #[test]
    fn point_4_an_item_without_a_date_is_read_again_in_the_version_of_its_change() {
        let mut undated = image("u", 1, "a");
        undated["date"] = serde_json::json!({});
        let sent = Rc::new(item(&undated)).or_version("2024-01-01T10:00:00.001Z");
        let Next::Put(again) = after_reread(&sent, Why::Changed, Some(Rc::new(item(&undated)))) else { unreachable!() };
        assert_eq!(again.version, sent.version);
        assert_eq!(for_service(&again).date.updated, Some("2024-01-01T10:00:00.001Z"));
        let condition = unflag(&sent, "now").condition;
        let fields = serde_json::to_string(r#"{"markets":["a"]}"#).unwrap();
        assert_eq!(condition, [Predicate::Equals(("fields".to_owned(), fields))]);
    }

    /// API usage's example has no milliseconds.
    #[test]
    fn the_service_is_sent_the_version_as_date_updated() {
        let mut image = image("u", 1, "a");
        image["date"]["updated"] = "2024-01-15T10:30:00Z".into();
        let item = item(&image);
        let entry = for_service(&item);
        assert_eq!(entry.version, "2024-01-15T10:30:00.000Z");
        assert_eq!(entry.date.updated, Some(entry.version));
    }

    #[test]
    fn the_flag_is_cleared_only_while_the_version_is_the_one_sent() {
        let update = unflag(&item(&image("u", 1, "a")), "2024-01-01T11:00:00.000Z");
        assert_eq!(
            update.condition,
            [Predicate::Equals(("date.updated".to_owned(), r#""2024-01-01T10:00:00.001Z""#.to_owned()))]
        );
        assert_eq!(update.set[0], ("needsReplication".to_owned(), "false".to_owned()));
        assert_eq!(update.set[1], ("replicatedAt".to_owned(), r#""2024-01-01T11:00:00.000Z""#.to_owned()));
    }
}
