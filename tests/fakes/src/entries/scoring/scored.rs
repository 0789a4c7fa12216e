//! The scores that the service received: one per fan, whichever names scores and entries use for the fan. Two memberIds
//! are two fans, and so are two globalUserIds; an address that they share belongs to the first one.

use serde_json::{Number, Value};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// A name of a fan. The stronger ones come first.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name {
    Member(String),
    User(String),
    Email(String),
}

/// The scores of a campaign. A name that was sent together with a stronger one leads to it from then on.
#[derive(Default)]
pub(crate) struct Scores {
    /// By the strongest name of each fan.
    fans: HashMap<Name, Fan>,
    /// The strongest name that a weaker one leads to.
    roots: HashMap<Name, Name>,
}

#[derive(Default)]
struct Fan {
    names: BTreeSet<Name>,
    /// The globalUserId that was told first.
    user: Option<String>,
    score: Option<Scored>,
}

/// A score that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Scored {
    pub(crate) score: Number,
    pub(crate) is_rejected: bool,
    sequencer: String,
    /// As it was sent, as JSON text.
    text: Box<str>,
}

impl Name {
    /// The names in a score, or in what an entry says of its fan.
    pub(crate) fn all_of(value: &Value) -> BTreeSet<Self> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let email = text("/email").or_else(|| text("/fields/email")).map(|email| Self::Email(email.to_lowercase()));
        let ids = [text("/memberId").map(Self::Member), text("/globalUserId").map(Self::User)];
        ids.into_iter().flatten().chain(email).collect()
    }

    fn user(&self) -> Option<&str> {
        match self {
            Self::User(id) => Some(id),
            Self::Member(_) | Self::Email(_) => None,
        }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Member(_) => 0,
            Self::User(_) => 1,
            Self::Email(_) => 2,
        }
    }
}

impl Scored {
    fn read(score: &Value) -> Option<Self> {
        let sequencer = score.get("sequencer").and_then(Value::as_str)?.to_owned();
        let is_rejected = score.get("verification").and_then(Value::as_str) == Some("rejected");
        let number = score.get("score").and_then(Value::as_number)?.clone();
        Some(Self { score: number, is_rejected, sequencer, text: score.to_string().into() })
    }

    /// The later file's score is the greater one, and of one file the higher.
    fn order(&self, other: &Self) -> Ordering {
        let number = |scored: &Self| scored.score.as_f64().unwrap_or_default();
        self.sequencer.cmp(&other.sequencer).then(number(self).total_cmp(&number(other)))
    }

    pub(crate) fn to_json(&self) -> Value {
        super::super::parse(&self.text)
    }
}

impl Fan {
    /// Whether the score is kept, or was already.
    fn take(&mut self, score: Option<Scored>) -> bool {
        let Some(score) = score else { return true };
        let order = self.score.as_ref().map_or(Ordering::Greater, |held| score.order(held));
        if order == Ordering::Greater {
            self.score = Some(score);
        }
        order != Ordering::Less
    }
}

impl Scores {
    /// Takes a score. Returns whether it is held now, and all names of its fan.
    pub(crate) fn take(&mut self, score: &Value) -> (bool, BTreeSet<Name>) {
        let names = Name::all_of(score);
        let roots: Vec<Name> = names.iter().map(|name| self.root(name).clone()).collect();
        let Some(fan) = self.whose(&roots).cloned() else { return (false, names) };
        let user = names.iter().chain(&roots).find_map(Name::user).map(str::to_owned);
        let known = &mut self.fans.entry(fan.clone()).or_default().user;
        *known = known.take().or(user);
        for root in roots {
            if root == fan {
                self.fans.entry(root.clone()).or_default().names.insert(root);
            } else if root.strength() > fan.strength() && self.may_be(&fan, root.user()) {
                self.unite(root, &fan);
            }
        }
        let kept = self.fans.entry(fan).or_default();
        (kept.take(Scored::read(score)), kept.names.clone())
    }

    /// Whose score it is: the fan of the strongest name. If that is a globalUserId, and the address is a member's, they
    /// are one fan, unless the member has another globalUserId.
    fn whose<'a>(&self, roots: &'a [Name]) -> Option<&'a Name> {
        let first = roots.first()?;
        let mut members = roots.iter().filter(|root| root.strength() < first.strength());
        members.find(|member| self.may_be(member, first.user())).or(Some(first))
    }

    /// Whether a fan may have this globalUserId.
    fn may_be(&self, fan: &Name, user: Option<&str>) -> bool {
        let known = fan.user().or_else(|| self.fans.get(fan)?.user.as_deref());
        known.is_none() || user.is_none() || known == user
    }

    /// Makes a name, and those that lead to it, lead to a stronger one.
    fn unite(&mut self, weaker: Name, fan: &Name) {
        let mut former = self.fans.remove(&weaker).unwrap_or_default();
        former.names.insert(weaker);
        self.roots.extend(former.names.iter().map(|name| (name.clone(), fan.clone())));
        let kept = self.fans.entry(fan.clone()).or_default();
        kept.names.append(&mut former.names);
        kept.take(former.score);
    }

    fn root<'a>(&'a self, name: &'a Name) -> &'a Name {
        self.roots.get(name).unwrap_or(name)
    }

    /// The score of the fan with these names. An id that the fan does not have is another fan's, who shares an address
    /// with this one.
    pub(crate) fn of(&self, names: &BTreeSet<Name>) -> Option<&Scored> {
        let has_member_id = names.iter().any(|name| matches!(name, Name::Member(_)));
        let user = names.iter().find_map(Name::user);
        let is_other_member = |root: &Name| has_member_id && matches!(root, Name::Member(_));
        let is_anothers = |root: &Name| !names.contains(root) && (is_other_member(root) || !self.may_be(root, user));
        let roots = names.iter().map(|name| self.root(name)).filter(|root| !is_anothers(root));
        roots.filter_map(|root| self.fans.get(root)?.score.as_ref()).max_by(|one, other| one.order(other))
    }

    /// The score of each fan, by the strongest name.
    pub(crate) fn all(&self) -> Vec<Value> {
        let mut fans: Vec<_> = self.fans.iter().collect();
        fans.sort_by_key(|(root, _)| *root);
        fans.into_iter().filter_map(|(_, fan)| Some(fan.score.as_ref()?.to_json())).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    /// What names say, as in `m1 g1 e1`.
    fn fan(names: &str) -> Value {
        let mut fan = json!({});
        for name in names.split(' ') {
            let field = match &name[..1] {
                "m" => "memberId",
                "g" => "globalUserId",
                _ => "email",
            };
            fan[field] = name.into();
        }
        fan
    }

    fn score(names: &str, sequencer: &str, number: f64) -> Value {
        let mut score = fan(names);
        score["sequencer"] = sequencer.into();
        score["score"] = number.into();
        score
    }

    /// Sends the scores; returns which were held after they came.
    fn send(scores: &mut Scores, sent: &[(&str, &str, f64)]) -> Vec<bool> {
        sent.iter().map(|(names, sequencer, number)| scores.take(&score(names, sequencer, *number)).0).collect()
    }

    fn of(scores: &Scores, names: &str) -> Option<f64> {
        scores.of(&Name::all_of(&fan(names))).and_then(|scored| scored.score.as_f64())
    }

    #[test]
    fn the_latest_files_score_is_kept_and_of_one_file_the_highest() {
        let mut scores = Scores::default();
        let sent = [("m1", "1", 5.0), ("m1", "1", 9.0), ("m1", "1", 9.0), ("m1", "1", 8.0), ("m1", "2", 1.0)];
        assert_eq!(send(&mut scores, &sent), [true, true, true, false, true]);
        assert_eq!(send(&mut scores, &[("m1", "1", 99.0)]), [false]);
        assert_eq!((of(&scores, "m1"), scores.all().len()), (Some(1.0), 1));
    }

    #[test]
    fn a_fan_who_is_named_in_three_ways_has_one_score() {
        let sent = [("e1", "1", 5.0), ("g1", "1", 7.0), ("m1 e1", "1", 3.0), ("g1 e1", "1", 4.0)];
        let mut scores = Scores::default();
        assert_eq!(send(&mut scores, &sent), [true, true, false, false]);
        assert_eq!((scores.all().len(), scores.all()[0]["score"].as_f64()), (1, Some(7.0)));
        for names in ["m1", "g1", "e1", "g1 m1 e1", "g9 m1"] {
            assert_eq!(of(&scores, names), Some(7.0), "{names}");
        }
        assert_eq!((of(&scores, "g9"), of(&scores, "g9 e1")), (None, None));
    }

    #[test]
    fn an_address_that_two_members_share_is_the_first_ones() {
        let mut scores = Scores::default();
        send(&mut scores, &[("m1 e1", "1", 9.0), ("m2 e1", "1", 5.0), ("e1", "1", 10.0)]);
        assert_eq!(
            (of(&scores, "g1 m1 e1"), of(&scores, "g2 m2 e1"), of(&scores, "m3 e1")),
            (Some(10.0), Some(5.0), None)
        );
    }

    #[test]
    fn an_address_that_two_global_user_ids_share_is_the_first_ones() {
        for first in ["m1 g1 e1", "g1 e1"] {
            let mut scores = Scores::default();
            send(&mut scores, &[(first, "1", 5.0), ("g2 e1", "1", 9.0), ("m1 g1", "1", 4.0), ("g2", "1", 8.0)]);
            let found = ["g1 e1", "g2 e1", "g3 e1"].map(|names| of(&scores, names));
            assert_eq!((found, scores.all().len()), ([Some(5.0), Some(9.0), None], 2), "{first}");
        }
    }

    #[test]
    fn a_member_without_a_global_user_id_has_that_of_the_address_and_keeps_it() {
        let mut scores = Scores::default();
        send(&mut scores, &[("m1 e1", "1", 5.0), ("g2 e1", "1", 9.0), ("m1 g1", "1", 7.0), ("g1", "1", 1.0)]);
        assert_eq!((of(&scores, "g2"), of(&scores, "m1"), of(&scores, "g1")), (Some(9.0), Some(9.0), Some(1.0)));
    }
}
