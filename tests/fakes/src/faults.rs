//! Injected faults: which, and how often. They are drawn from a seed, so that a run can be repeated.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// The faults of a service. Rates are between 0 and 1; by default there are no faults.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Faults {
    /// Seeds the draws.
    pub seed: u64,
    /// The ids of the operations (`operationId`) with faults; all if empty.
    pub operations: Vec<String>,
    /// Rate of 429 with `Retry-After`.
    pub throttled: f64,
    /// `Retry-After` of a 429, seconds.
    pub retry_after_secs: u64,
    /// Rate of 503.
    pub unavailable: f64,
    /// Rate of responses with the status `refusal`, before the request takes effect.
    pub refused: f64,
    /// The status of a refusal, for example 404 as of a server that does not know the path; 400 if it is 0. With 200 the
    /// answer is a page, as of a proxy.
    pub refusal: u16,
    /// Whether refusals are pages, as of a proxy, whatever their status.
    pub pages: bool,
    /// The body of such a page, as of a gateway that answers in JSON. Without it the page is HTML.
    pub page: Option<Value>,
    /// Fans, or codes, whose record makes the service answer the whole request with the status `refusal`.
    pub poison: Vec<String>,
    /// Rate of responses that are late.
    pub slow: f64,
    /// How late, milliseconds.
    pub slow_ms: u64,
    /// Rate of connections cut before the request takes effect.
    pub cut: f64,
    /// Rate of connections cut after the request took effect, so that the caller cannot know that.
    pub cut_after: f64,
    /// Rate of responses with status 200 and a body that is not JSON, after the request took effect.
    pub garbled: f64,
    /// Whether versions are ignored, so that the last entry sent is kept even if it is older.
    pub ignore_version: bool,
    /// Whether services answer as API usage prints it: the Entry Service without `results`, the Code Service with a bare
    /// list, and both without a body where it prints no answer.
    pub without_results: bool,
    /// Most scoring records of a page, however many a request asks for; 0 for as many as it asks for.
    pub most_per_page: usize,
    /// Rate of entries whose score fails, when they are stored or when it is computed again.
    pub score_failed: f64,
}

/// The fault of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Throttled { retry_after_secs: u64 },
    Unavailable,
    Refused { status: u16 },
    Cut,
    CutAfter,
    Garbled,
}

/// The fault and the delay of one request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fate {
    pub(crate) delay_ms: u64,
    pub(crate) fault: Option<Fault>,
}

/// The current faults, and the generator that they are drawn from.
pub(crate) struct Dice(Mutex<(Faults, SmallRng)>);

impl Dice {
    pub(crate) fn new(faults: Faults) -> Self {
        let generator = SmallRng::seed_from_u64(faults.seed);
        Self(Mutex::new((faults, generator)))
    }

    /// Replaces the faults and seeds the generator again.
    pub(crate) fn set(&self, faults: Faults) {
        let generator = SmallRng::seed_from_u64(faults.seed);
        self.with(|state| *state = (faults, generator));
    }

    /// The current faults.
    pub(crate) fn get(&self) -> Faults {
        self.with(|(faults, _)| faults.clone())
    }

    /// Whether versions are ignored.
    pub(crate) fn ignores_version(&self) -> bool {
        self.with(|(faults, _)| faults.ignore_version)
    }

    /// Whether refusals with this status are pages.
    pub(crate) fn refuses_by_page(&self, status: u16) -> bool {
        self.with(|(faults, _)| faults.pages || status == 200)
    }

    /// The JSON that a page is, if it is not HTML.
    pub(crate) fn page(&self) -> Option<Value> {
        self.with(|(faults, _)| faults.page.clone())
    }

    /// Most scoring records of a page; 0 for as many as a request asks for.
    pub(crate) fn most_per_page(&self) -> usize {
        self.with(|(faults, _)| faults.most_per_page)
    }

    /// Whether answers have no `results`.
    pub(crate) fn answers_without_results(&self) -> bool {
        self.with(|(faults, _)| faults.without_results)
    }

    /// The status of the answer to a request of an operation with these fans, if one of them spoils it.
    pub(crate) fn spoiled<'f>(&self, operation: &str, mut fans: impl Iterator<Item = &'f str>) -> Option<u16> {
        self.with(|(faults, _)| {
            let spoils = |fan: &str| faults.poison.iter().any(|poison| poison == fan);
            (faults.concern(operation) && fans.any(spoils)).then(|| faults.refusal())
        })
    }

    /// Draws whether the score of an operation fails.
    pub(crate) fn score_fails(&self, operation: &str) -> bool {
        self.with(|(faults, generator)| {
            let rate = if faults.concern(operation) { faults.score_failed } else { 0.0 };
            rate > 0.0 && generator.random::<f64>() < rate
        })
    }

    /// Draws the fault and the delay of a request.
    pub(crate) fn roll(&self, operation: &str) -> Fate {
        self.with(|(faults, generator)| {
            if !faults.concern(operation) {
                return Fate::default();
            }
            let delay_ms = if generator.random::<f64>() < faults.slow { faults.slow_ms } else { 0 };
            Fate { delay_ms, fault: faults.at(generator.random()) }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut (Faults, SmallRng)) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Faults {
    fn concern(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|o| o == operation)
    }

    fn refusal(&self) -> u16 {
        if self.refusal == 0 { 400 } else { self.refusal }
    }

    /// The fault at a point of the unit interval, on which the rates follow one another.
    fn at(&self, mut point: f64) -> Option<Fault> {
        let throttled = Fault::Throttled { retry_after_secs: self.retry_after_secs };
        let line = [
            (self.throttled, throttled),
            (self.unavailable, Fault::Unavailable),
            (self.refused, Fault::Refused { status: self.refusal() }),
            (self.cut, Fault::Cut),
            (self.cut_after, Fault::CutAfter),
            (self.garbled, Fault::Garbled),
        ];
        for (rate, fault) in line {
            if point < rate {
                return Some(fault);
            }
            point -= rate;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_faults_at_about_their_rates() {
        let faults = Faults { seed: 7, throttled: 0.1, unavailable: 0.2, slow: 0.5, slow_ms: 9, ..Faults::default() };
        let draw = || {
            let dice = Dice::new(faults.clone());
            (0..2_000).map(|_| dice.roll("any")).collect::<Vec<_>>()
        };
        let fates = draw();
        assert_eq!(fates, draw());
        let count = |fault| fates.iter().filter(|fate| fate.fault == Some(fault)).count();
        assert!((150..250).contains(&count(Fault::Throttled { retry_after_secs: 0 })));
        assert!((330..470).contains(&count(Fault::Unavailable)));
        assert!((900..1_100).contains(&fates.iter().filter(|fate| fate.delay_ms == 9).count()));
    }

    #[test]
    fn only_the_operations_named_fail() {
        let dice = Dice::new(Faults { operations: vec!["getUser".into()], unavailable: 1.0, ..Faults::default() });
        assert_eq!(dice.roll("getUser").fault, Some(Fault::Unavailable));
        assert_eq!(dice.roll("upsertUsers"), Fate::default());
        let operations = vec!["upsertEntries".into()];
        let dice = Dice::new(Faults { operations, score_failed: 1.0, ..Faults::default() });
        assert!(dice.score_fails("upsertEntries") && !dice.score_fails("refreshScores"));
    }
}
