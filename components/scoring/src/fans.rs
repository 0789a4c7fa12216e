//! Counts fans by their score items, each fan once.
//!
//! An item that gets a stronger name is rewritten before the old one is removed ([`crate::save`]), so for a moment a
//! fan has two or three. The strongest one has the names of the others.

use crate::fan::{Name, SCORE};
use crate::record::Verification;
use serde::Deserialize;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most names that are remembered, of either kind. A set of so many takes 2¹⁸ places of 9 bytes: 2.4 MB, and half as much
/// again while it grows; an instance keeps its memory as long as it lives. Of more fans those are counted twice whose item
/// is being moved just then. Their report expects too much, so it waits as long as it may ([`crate::report::PATIENCE_MS`]).
const MAX_NAMES: usize = 200_000;

/// The fans of a campaign that are counted.
#[derive(Debug, Default)]
pub struct Fans {
    /// Hashes of the names under which items are that may be moved to a stronger one.
    weak: HashSet<u64>,
    /// Hashes of the weaker names that items have beside their own.
    others: HashSet<u64>,
}

/// A score item, as far as it is counted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    sk: String,
    verification: Verification,
    member_id: Option<String>,
    global_user_id: Option<String>,
    email: Option<String>,
}

impl Fans {
    /// The state that an item counts as, and by how much: 1, or 0 for a fan who is already counted; less for a fan
    /// whose weaker names were counted as separate fans. `None` if it is not a score.
    pub fn count(&mut self, item: &str) -> Option<(Verification, i64)> {
        let Item { sk, verification, member_id, global_user_id, email } = serde_json::from_str(item).ok()?;
        if !sk.starts_with(SCORE) {
            return None;
        }
        let is_member = member_id.is_some();
        // From the strongest one on.
        let names = [member_id.map(Name::Member), global_user_id.map(Name::User), email.map(Name::Email)];
        let keys: Vec<String> = names.iter().flatten().map(Name::score_sk).collect();
        let place = keys.iter().position(|key| *key == sk);
        let is_weak = !(is_member && place == Some(0));
        let others = place.and_then(|place| keys.get(place + 1..)).unwrap_or_default();
        let own = hash(&sk);
        if is_weak && self.others.contains(&own) {
            return Some((verification, 0));
        }
        let others: Vec<u64> = others.iter().map(|key| hash(key)).collect();
        let counted: i64 = others.iter().map(|name| i64::from(self.weak.remove(name))).sum();
        note(&mut self.others, others);
        note(&mut self.weak, is_weak.then_some(own));
        Some((verification, 1 - counted))
    }
}

fn note(names: &mut HashSet<u64>, more: impl IntoIterator<Item = u64>) {
    let room = MAX_NAMES.saturating_sub(names.len());
    names.extend(more.into_iter().take(room));
}

fn hash(sk: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sk.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counted(items: &[(&str, [Option<&str>; 3])]) -> i64 {
        let mut fans = Fans::default();
        let item = |(sk, [member, user, email]): &(&str, [Option<&str>; 3])| {
            let sk = format!("SCORE#{sk}");
            json!({"sk": sk, "verification": "verified", "memberId": member, "globalUserId": user, "email": email})
        };
        items.iter().filter_map(|it| fans.count(&item(it).to_string())).map(|(_, fans)| fans).sum()
    }

    #[test]
    fn req_005_a_fan_whose_item_is_being_moved_is_counted_once_whichever_item_comes_first() {
        let member = ("m", [Some("m"), Some("g"), Some("a@x.org")]);
        for weaker in [("g", [None, Some("g"), None]), ("email:a@x.org", [None, None, Some("a@x.org")])] {
            assert_eq!([counted(&[weaker, member]), counted(&[member, weaker])], [1, 1], "{weaker:?}");
        }
        let user = ("g", [None, Some("g"), Some("a@x.org")]);
        let email = ("email:a@x.org", [None, None, Some("a@x.org")]);
        assert_eq!([counted(&[user, email]), counted(&[email, user, member])], [1, 1]);
        let unlinked = ("g", [None, Some("g"), None]);
        assert_eq!([counted(&[email, unlinked]), counted(&[email, unlinked, member])], [2, 1]);
        assert_eq!([counted(&[email, member, unlinked]), counted(&[member, email, unlinked])], [1, 1]);
    }

    #[test]
    fn fans_who_share_an_address_are_counted_each() {
        let fans = [("m1", [Some("m1"), None, Some("a@x.org")]), ("m2", [Some("m2"), None, Some("a@x.org")])];
        assert_eq!(counted(&[fans[0], fans[1], ("g", [None, Some("g"), Some("a@x.org")])]), 3);
    }

    #[test]
    fn of_more_fans_than_are_remembered_one_whose_item_is_being_moved_is_counted_twice() {
        let mut fans = Fans::default();
        let mut count = |member: Option<&str>, fan: usize| {
            let user = format!("g{fan}");
            let sk = format!("SCORE#{}", member.unwrap_or(&user));
            let item = json!({"sk": sk, "verification": "verified", "memberId": member, "globalUserId": user});
            fans.count(&item.to_string()).map(|(_, fans)| fans)
        };
        assert!((0..=MAX_NAMES).all(|fan| count(None, fan) == Some(1)));
        assert_eq!([count(Some("m0"), 0), count(Some("m1"), MAX_NAMES - 1)], [Some(0); 2]);
        assert_eq!(count(Some("m2"), MAX_NAMES), Some(1));
        assert!(fans.weak.capacity() < 1 << 18, "{}", fans.weak.capacity());
    }

    #[test]
    fn items_that_are_not_scores_are_not_counted() {
        let mut fans = Fans::default();
        for item in ["{}", "", r#"{"sk":"USER#g","verification":"verified"}"#, r#"{"sk":"SCORE#m","verification":"?"}"#]
        {
            assert_eq!(fans.count(item), None, "{item}");
        }
    }
}
