//! Compares `host-adapters/filter` with Amazon's event ruler itself, on random pairs of a pattern and an event.
//!
//! Where both differ on purpose, a pair has a *trigger* of one of the documented [`Difference`]s, such as a number that
//! a double does not hold. A trigger alone does not excuse a difference: the pair is rewritten without its triggers,
//! everything else being the same (`tame.rs`), and then both must agree.
//!
//! `tests/backends/on_servers/event_ruler.rs` compares 10,000 pairs. To compare others without the host:
//! `cargo run --release --package ruler-checks --example compare -- <seed> <count>`.

mod events;
mod json;
mod patterns;
mod ruler;
mod tame;
mod words;

pub use json::Json;
pub use tame::Difference;

use anyhow::{Result, ensure};
use host_adapters_filter::Filter;
use host_adapters_json::Decimal;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::fmt;
use tame::Tamed;
use test_servers::Servers;

/// A pattern and an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pair {
    /// An object.
    pub pattern: Json,
    /// An object.
    pub event: Json,
}

/// What a matcher says of a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The event matches.
    Match,
    /// It does not.
    NoMatch,
    /// The pattern is none.
    Refused,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    seed: u64,
    pairs: usize,
    /// Pairs that match.
    pub matches: usize,
    /// Pairs with a pattern that is refused.
    pub refused: usize,
    /// Pairs without any trigger.
    pub plain: usize,
    /// Pairs that have a trigger, all of which agree without it, and those that differ because of it.
    documented: BTreeMap<Difference, (usize, usize)>,
    /// Pairs that differ and should not, with what this project and the ruler say.
    pub undocumented: Vec<(Pair, Verdict, Verdict)>,
}

/// Compares this many random pairs.
///
/// # Errors
/// When the ruler cannot be installed or run.
pub fn compare(servers: &Servers, seed: u64, count: usize) -> Result<Report> {
    let mut random = StdRng::seed_from_u64(seed);
    let pairs: Vec<_> = (0..count).map(|_| Pair::random(&mut random)).collect();
    let theirs = ruler::verdicts(servers, &pairs)?;
    let not_compared = ruler::not_compared(servers, &pairs)?;
    for number in &not_compared {
        ensure!(!is_plain(number), "the ruler does not compare {number}, which is neither long nor large nor small");
    }
    let mut report = Report { seed, pairs: count, ..Report::default() };
    let mut tamed = Vec::new();
    for (pair, theirs) in pairs.into_iter().zip(theirs) {
        let ours = pair.verdict();
        report.matches += usize::from(ours == Verdict::Match);
        report.refused += usize::from(ours == Verdict::Refused);
        let tame = tame::tame(&pair, &not_compared);
        for difference in &tame.had {
            let (having, differing) = report.documented.entry(*difference).or_default();
            *having += 1;
            *differing += usize::from(ours != theirs);
        }
        report.plain += usize::from(tame.had.is_empty());
        if !tame.had.is_empty() {
            tamed.push((tame, ours));
        } else if ours != theirs {
            report.undocumented.push((pair, ours, theirs));
        }
    }
    report.undocumented.extend(still_different(servers, tamed)?);
    Ok(report)
}

/// Whether the ruler must compare a number: one of at most 15 digits, whose first one is at most 10¹⁵ and at least
/// 10⁻³.
fn is_plain(number: &str) -> bool {
    Decimal::parse(number).is_some_and(|decimal| {
        decimal.significant_digits() <= 15 && decimal.magnitude().is_none_or(|power| (-3..=15).contains(&power))
    })
}

/// Of pairs without their triggers, those that differ all the same. Where nothing else changed, this project's verdict
/// before must be the ruler's now.
fn still_different(servers: &Servers, tamed: Vec<(Tamed, Verdict)>) -> Result<Vec<(Pair, Verdict, Verdict)>> {
    let pairs: Vec<_> = tamed.iter().map(|(tamed, _)| tamed.pair.clone()).collect();
    let theirs = ruler::verdicts(servers, &pairs)?;
    let compared = tamed.into_iter().zip(theirs).map(|((tamed, before), theirs)| {
        let ours = tamed.pair.verdict();
        let differs = ours != theirs || tamed.is_the_same_here() && before != theirs;
        differs.then_some((tamed.pair, ours, theirs))
    });
    Ok(compared.flatten().collect())
}

impl Pair {
    fn random(random: &mut StdRng) -> Self {
        let pattern = patterns::pattern(random);
        Self { event: events::event(random, &pattern), pattern }
    }

    /// What this project says.
    fn verdict(&self) -> Verdict {
        let Ok(filter) = Filter::compile(&self.pattern.to_string()) else { return Verdict::Refused };
        if filter.matches(&self.event.to_string()).unwrap_or(false) { Verdict::Match } else { Verdict::NoMatch }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, pairs, matches, refused, plain, documented, undocumented } = self;
        writeln!(to, "seed {seed}: {pairs} pairs, {matches} match, {refused} with a pattern that is refused")?;
        writeln!(to, "{plain} pairs have nothing that is compared differently on purpose")?;
        for (difference, (having, differing)) in documented {
            writeln!(to, "{differing} of {having} pairs with {difference} differ, none without it")?;
        }
        writeln!(to, "{} differ otherwise", undocumented.len())?;
        for (Pair { pattern, event }, ours, theirs) in undocumented {
            writeln!(to, "{pattern}\n  {event}\n  here {ours:?}, the ruler {theirs:?}")?;
        }
        Ok(())
    }
}
