//! Pools of codes, and the state of each code.

use crate::violations::Violations;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The codes of all markets. A code that is handed out or assigned twice is a violation, unless it is shared.
#[derive(Default)]
pub struct CodeStore {
    contents: Mutex<Contents>,
    violations: Violations,
}

/// A market of a campaign.
type Market = (String, String);

#[derive(Default)]
struct Contents {
    pools: BTreeMap<Market, Pool>,
    /// By campaign and the caller's id.
    reservations: HashMap<(String, String), Reservation>,
    /// Codes that all winners share, by campaign.
    shared: BTreeMap<String, HashSet<String>>,
    /// Of each code, the reservation that it was first handed out to.
    handed_out: HashMap<String, String>,
    /// Of each code, the market that it was first assigned in.
    assigned: HashMap<String, Market>,
}

#[derive(Default)]
struct Pool {
    free: VecDeque<String>,
    /// Codes of the pool that are shared. They are never used up.
    shared: Vec<String>,
    reserved: BTreeSet<String>,
    assigned: BTreeSet<String>,
}

struct Reservation {
    market: String,
    codes: Vec<String>,
}

/// Why the service does not do what it is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Conflict {
    /// Fewer codes are free.
    TooFewCodes { free: usize },
    /// The reservation is of another market, or of another count.
    ReservationDiffers,
    /// The code is not reserved for the market.
    NotReserved(String),
}

/// One code of a pool.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PooledCode {
    /// The code.
    pub code: String,
    /// The market of the pool.
    pub market_id: String,
    /// What became of it.
    pub state: CodeState,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CodeState {
    /// Nothing yet.
    Free,
    /// Handed out.
    Reserved,
    /// A fan's.
    Assigned,
    /// Shared by all winners of the market.
    Shared,
}

impl CodeStore {
    pub(crate) fn new(violations: Violations) -> Self {
        Self { violations, ..Self::default() }
    }

    /// Puts free codes into the pool of a market.
    pub fn add(&self, campaign: &str, market: &str, codes: impl IntoIterator<Item = String>) {
        self.lock().pool(campaign, market).free.extend(codes);
    }

    /// Says that all winners share a code. With a market, the code is also what is reserved for it.
    pub fn share(&self, campaign: &str, market: Option<&str>, code: &str) {
        let mut contents = self.lock();
        let is_new = contents.shared.entry(campaign.to_owned()).or_default().insert(code.to_owned());
        if let Some(market) = market.filter(|_| is_new) {
            contents.pool(campaign, market).shared.push(code.to_owned());
        }
    }

    /// Whether all winners share a code.
    pub(crate) fn is_shared(&self, campaign: &str, code: &str) -> bool {
        self.lock().is_shared(campaign, code)
    }

    /// Every code of a campaign's pools.
    pub fn codes(&self, campaign: &str) -> Vec<PooledCode> {
        let contents = self.lock();
        let pools = contents.pools.iter().filter(|((of, _), _)| of == campaign);
        pools.flat_map(|((_, market), pool)| pool.codes(market)).collect()
    }

    /// Reserves codes for a market, all or none. The same reservation again has the same codes.
    pub(crate) fn reserve(
        &self,
        campaign: &str,
        market: &str,
        count: usize,
        id: &str,
    ) -> Result<Vec<String>, Conflict> {
        let mut contents = self.lock();
        let key = (campaign.to_owned(), id.to_owned());
        if let Some(made) = contents.reservations.get(&key) {
            let is_same = made.market == market && made.codes.len() == count;
            return if is_same { Ok(made.codes.clone()) } else { Err(Conflict::ReservationDiffers) };
        }
        let codes = contents.pool(campaign, market).take(count)?;
        let own: Vec<&String> = codes.iter().filter(|code| !contents.is_shared(campaign, code)).collect();
        let reservation = format!("{campaign}/{market} {id}");
        for code in own {
            let first = contents.handed_out.entry(code.clone()).or_insert_with(|| reservation.clone());
            if *first != reservation {
                self.violations.add(format!("code {code} was handed out twice: to {first} and to {reservation}"));
            }
        }
        contents.reservations.insert(key, Reservation { market: market.to_owned(), codes: codes.clone() });
        Ok(codes)
    }

    /// At most `limit` codes behind a code that are reserved for a market and not assigned, in the order of their texts.
    pub(crate) fn reserved(&self, campaign: &str, market: &str, after: &str, limit: usize) -> Vec<String> {
        let mut contents = self.lock();
        let reserved = &contents.pool(campaign, market).reserved;
        reserved.range::<str, _>((Excluded(after), Unbounded)).take(limit).cloned().collect()
    }

    /// Marks codes as assigned in a market, all or none.
    pub(crate) fn assign(&self, campaign: &str, market: &str, codes: &[&str]) -> Result<(), Conflict> {
        let mut contents = self.lock();
        let own: Vec<&str> = codes.iter().copied().filter(|code| !contents.is_shared(campaign, code)).collect();
        let here = (campaign.to_owned(), market.to_owned());
        let Contents { pools, assigned, .. } = &mut *contents;
        let pool = pools.entry(here.clone()).or_default();
        let mut conflict = None;
        for code in &own {
            let elsewhere = assigned.get(*code).filter(|first| **first != here);
            if let Some(first) = elsewhere {
                self.violations.add(format!(
                    "code {code} was assigned twice: in {} and in {}",
                    name(first),
                    name(&here)
                ));
            }
            if elsewhere.is_some() || !(pool.reserved.contains(*code) || pool.assigned.contains(*code)) {
                conflict.get_or_insert_with(|| Conflict::NotReserved((*code).to_owned()));
            }
        }
        if let Some(conflict) = conflict {
            return Err(conflict);
        }
        for code in own {
            pool.assigned.extend(pool.reserved.take(code));
            assigned.insert(code.to_owned(), here.clone());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn pool(&mut self, campaign: &str, market: &str) -> &mut Pool {
        self.pools.entry((campaign.to_owned(), market.to_owned())).or_default()
    }

    fn is_shared(&self, campaign: &str, code: &str) -> bool {
        self.shared.get(campaign).is_some_and(|codes| codes.contains(code))
    }
}

impl Pool {
    /// This many codes: shared ones if there are as many, else free ones, which are reserved then.
    fn take(&mut self, count: usize) -> Result<Vec<String>, Conflict> {
        if let Some(shared) = self.shared.get(..count) {
            return Ok(shared.to_vec());
        }
        if self.free.len() < count {
            return Err(Conflict::TooFewCodes { free: self.free.len() });
        }
        let codes: Vec<String> = self.free.drain(..count).collect();
        self.reserved.extend(codes.iter().cloned());
        Ok(codes)
    }

    fn codes(&self, market: &str) -> impl Iterator<Item = PooledCode> {
        let states = [
            (CodeState::Free, self.free.iter().collect::<Vec<_>>()),
            (CodeState::Shared, self.shared.iter().collect()),
            (CodeState::Reserved, self.reserved.iter().collect()),
            (CodeState::Assigned, self.assigned.iter().collect()),
        ];
        states.into_iter().flat_map(move |(state, codes)| {
            codes.into_iter().map(move |code| PooledCode { code: code.clone(), market_id: market.to_owned(), state })
        })
    }
}

/// A market as violations name it.
fn name((campaign, market): &Market) -> String {
    format!("{campaign}/{market}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A store with four codes for market m, and one for market n.
    fn store() -> CodeStore {
        let store = CodeStore::default();
        store.add("c", "m", (1..=4).map(|n| format!("M-{n}")));
        store.add("c", "n", ["N-1".to_owned()]);
        store
    }

    fn state(store: &CodeStore, code: &str) -> CodeState {
        store.codes("c").into_iter().find(|pooled| pooled.code == code).unwrap().state
    }

    #[test]
    fn a_reservation_is_all_or_none_and_again_the_same() {
        let store = store();
        let first = store.reserve("c", "m", 3, "r1").unwrap();
        assert_eq!(first, ["M-1", "M-2", "M-3"]);
        assert_eq!(store.reserve("c", "m", 3, "r1"), Ok(first));
        assert_eq!(store.reserve("c", "m", 2, "r2"), Err(Conflict::TooFewCodes { free: 1 }));
        assert_eq!(state(&store, "M-4"), CodeState::Free);
        for (market, count) in [("m", 2), ("n", 3)] {
            assert_eq!(store.reserve("c", market, count, "r1"), Err(Conflict::ReservationDiffers));
        }
        assert_eq!(store.reserve("d", "m", 1, "r1"), Err(Conflict::TooFewCodes { free: 0 }), "another campaign's");
        assert!(store.violations.list().is_empty());
    }

    #[test]
    fn codes_are_assigned_where_they_are_reserved_and_again_without_effect() {
        let store = store();
        store.reserve("c", "m", 3, "r1").unwrap();
        assert_eq!(store.assign("c", "m", &["M-1", "M-4"]), Err(Conflict::NotReserved("M-4".to_owned())));
        assert_eq!(state(&store, "M-1"), CodeState::Reserved, "all or none");
        for _ in 0..2 {
            assert_eq!(store.assign("c", "m", &["M-1", "M-2"]), Ok(()));
        }
        assert_eq!((state(&store, "M-1"), state(&store, "M-4")), (CodeState::Assigned, CodeState::Free));
        assert_eq!(store.reserved("c", "m", "", 9), ["M-3"]);
        assert!(store.violations.list().is_empty());
    }

    #[test]
    fn reserved_codes_are_listed_by_pages() {
        let store = store();
        store.reserve("c", "m", 4, "r1").unwrap();
        assert_eq!(store.reserved("c", "m", "", 2), ["M-1", "M-2"]);
        assert_eq!(store.reserved("c", "m", "M-2", 2), ["M-3", "M-4"]);
        assert_eq!(store.reserved("c", "n", "", 2), [""; 0]);
    }

    #[test]
    fn a_code_that_is_handed_out_or_assigned_twice_is_a_violation() {
        let store = store();
        store.add("d", "m", ["M-1".to_owned()]);
        store.reserve("c", "m", 1, "r1").unwrap();
        store.reserve("d", "m", 1, "r1").unwrap();
        assert_eq!(store.violations.list(), ["code M-1 was handed out twice: to c/m r1 and to d/m r1"]);
        store.assign("c", "m", &["M-1"]).unwrap();
        assert_eq!(store.assign("d", "m", &["M-1"]), Err(Conflict::NotReserved("M-1".to_owned())));
        assert_eq!(store.violations.list().pop().unwrap(), "code M-1 was assigned twice: in c/m and in d/m");
    }

    #[test]
    fn a_shared_code_is_never_used_up() {
        let store = store();
        store.share("c", Some("m"), "SHARED");
        store.share("c", Some("m"), "SHARED");
        for id in ["r1", "r2"] {
            assert_eq!(store.reserve("c", "m", 1, id).unwrap(), ["SHARED"]);
            assert_eq!(store.assign("c", "m", &["SHARED"]), Ok(()));
        }
        assert_eq!(store.reserve("c", "m", 2, "r3").unwrap(), ["M-1", "M-2"], "as many as are shared, or free ones");
        store.share("d", None, "ELSEWHERE");
        assert_eq!(store.assign("d", "any", &["ELSEWHERE"]), Ok(()));
        assert_eq!(state(&store, "SHARED"), CodeState::Shared);
        assert!(store.violations.list().is_empty());
    }
}
