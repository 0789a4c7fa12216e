//! Whether all conditions of an alternative hold for the values of an event, within one and the same element of each
//! list.

use crate::event::{Element, Value, Values};
use crate::pattern::Pattern;
use std::collections::{BTreeSet, HashMap};

/// A field, and the values that it may have.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its number in the tree.
    pub field: usize,
    /// How the policy names it.
    pub path: String,
    /// The number of names in its path.
    pub depth: usize,
    pub patterns: Vec<Pattern>,
}

/// The elements that the values found so far lie in, ascending, at most one of each list.
type Chosen = Vec<Element>;

impl Condition {
    fn may_be_absent(&self) -> bool {
        self.patterns.iter().any(|pattern| matches!(pattern, Pattern::Absent))
    }

    fn matches(&self, value: &Value<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(&value.scalar))
    }
}

/// Whether all hold, which are in the order of their paths. The ruler goes through them in that order, and `exists:
/// false` only regards the elements that were chosen before it.
///
/// Keeps every choice of elements that is still open instead of trying one after the other: of a choice only those
/// lists matter in which a later field has values, so there are never more than elements of lists, and lists beside
/// each other are not multiplied.
pub fn all_hold(conditions: &[&Condition], values: &Values<'_>) -> bool {
    let last_uses = last_uses(conditions, values);
    let mut open = BTreeSet::from([Chosen::new()]);
    for (index, condition) in conditions.iter().enumerate() {
        let Some(of_field) = values.of.get(condition.field) else { return false };
        let candidates = Candidates::of(condition, of_field, values);
        let mut next = BTreeSet::new();
        for chosen in &open {
            if condition.may_be_absent() && !candidates.any_possible(chosen) {
                next.insert(chosen.clone());
            }
            next.extend(candidates.matching(chosen));
        }
        let is_used_later = |(list, _): &Element| last_uses.get(list).is_some_and(|last| *last > index);
        open = next.into_iter().map(|chosen| chosen.into_iter().filter(is_used_later).collect()).collect();
        if open.is_empty() {
            return false;
        }
    }
    true
}

/// The last condition whose field has values in a list.
fn last_uses(conditions: &[&Condition], values: &Values<'_>) -> HashMap<u32, usize> {
    let mut last_uses = HashMap::new();
    for (index, condition) in conditions.iter().enumerate() {
        for value in values.of.get(condition.field).into_iter().flatten() {
            last_uses.extend(values.elements(value).map(|(list, _)| (list, index)));
        }
    }
    last_uses
}

/// The values of a field, to be found by the elements that they lie in.
struct Candidates<'v> {
    all: Vec<Candidate>,
    values: &'v Values<'v>,
    of_field: &'v [Value<'v>],
    /// The values in each element.
    within: HashMap<Element, Vec<usize>>,
    /// How many values lie in each list.
    counts: HashMap<u32, usize>,
}

struct Candidate {
    elements: Chosen,
    matches: bool,
}

impl<'v> Candidates<'v> {
    fn of(condition: &Condition, of_field: &'v [Value<'v>], values: &'v Values<'v>) -> Self {
        let mut candidates = Self { all: Vec::new(), values, of_field, within: HashMap::new(), counts: HashMap::new() };
        for (index, value) in candidates.of_field.iter().enumerate() {
            let mut elements: Chosen = candidates.values.elements(value).collect();
            elements.reverse();
            for element in &elements {
                candidates.within.entry(*element).or_default().push(index);
                *candidates.counts.entry(element.0).or_default() += 1;
            }
            candidates.all.push(Candidate { elements, matches: condition.matches(value) });
        }
        candidates
    }

    /// The values that may lie in the chosen elements, without those that a look at one list rules out.
    fn near(&self, chosen: &Chosen) -> Vec<&Candidate> {
        let holds_all = |list: u32| self.counts.get(&list) == Some(&self.all.len());
        match chosen.iter().rev().find(|(list, _)| holds_all(*list)) {
            Some(element) => {
                self.within.get(element).into_iter().flatten().filter_map(|index| self.all.get(*index)).collect()
            }
            None => self.all.iter().collect(),
        }
    }

    fn any_possible(&self, chosen: &Chosen) -> bool {
        self.near(chosen).into_iter().any(|candidate| joined(chosen, &candidate.elements).is_some())
    }

    fn matching(&self, chosen: &Chosen) -> BTreeSet<Chosen> {
        let matching = self.near(chosen).into_iter().filter(|candidate| candidate.matches);
        matching.filter_map(|candidate| joined(chosen, &candidate.elements)).collect()
    }
}

/// Both choices in one; `None` if they have different elements of one list.
fn joined(chosen: &Chosen, elements: &Chosen) -> Option<Chosen> {
    let mut joined = chosen.clone();
    for (list, index) in elements {
        match joined.binary_search_by_key(list, |(list, _)| *list) {
            Ok(at) => (joined.get(at)?.1 == *index).then_some(())?,
            Err(at) => joined.insert(at, (*list, *index)),
        }
    }
    Some(joined)
}
