//! Which codes the winners get. No code is given to two fans, and none that is reserved is forgotten: codes that the
//! market has reserved and that no winner gets are used up before more are reserved, whoever reserved them.

use crate::failed::Failed;
use crate::input::Selection;
use crate::plan::{self, Plans};
use crate::ports::Ports;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use worker_kit::platform::table::Key;
use worker_kit::services::campaign::Market;
use worker_kit::services::code::{MAX_PER_RESERVATION, TOO_FEW_CODES};

/// The ticketer whose winners share one code.
const SHARING_TICKETER: &str = "TM";
/// Fewest codes to have free after a reservation (REQ-008).
const MIN_RESERVED: usize = 500;
/// Entries in one read.
const KEYS_PER_READ: usize = 500;

/// A code for each of so many winners. `fence` is the number under which the task has its market.
pub async fn find(
    ports: &impl Ports,
    selection: &Selection,
    fence: u64,
    market: &Market,
    plans: &Plans,
    winners: usize,
) -> Result<Vec<String>, Failed> {
    if market.ticketer == SHARING_TICKETER {
        return shared(market).map(|code| vec![code; winners]);
    }
    if winners == 0 {
        return Ok(vec![]);
    }
    let reserved = reserved(ports, selection).await?;
    let mut codes = free(ports, selection, &reserved, plans).await?;
    // Enough are enough: a market that has used up its codes is not to fail for what nobody gets.
    let missing = if codes.len() < winners { winners.max(MIN_RESERVED) - codes.len() } else { 0 };
    let data =
        json!({"marketId": selection.market_id, "reserved": reserved.len(), "free": codes.len(), "more": missing});
    ports.info("Codes found", data);
    let mut known: HashSet<_> = reserved.into_iter().chain(plans.codes().into_keys().map(str::to_owned)).collect();
    for code in reserve(ports, selection, fence, missing).await? {
        if !known.insert(code.clone()) {
            let message = "the code service has reserved a code anew that was reserved before: it may be another fan's";
            return Err(Failed::Later(message.to_owned()));
        }
        codes.push(code);
    }
    codes.truncate(winners);
    Ok(codes)
}

/// The one code of the market.
fn shared(market: &Market) -> Result<String, Failed> {
    let code = market.shared_code.clone().filter(|code| !code.is_empty());
    let message = || format!("market {} of ticketer {SHARING_TICKETER} has no sharedCode", market.id);
    code.ok_or_else(|| Failed::fatal(422, "NO_SHARED_CODE", message()))
}

/// The codes that are reserved for the market and not assigned, in the service's order, each once.
async fn reserved(ports: &impl Ports, selection: &Selection) -> Result<Vec<String>, Failed> {
    let (mut codes, mut seen, mut after) = (vec![], HashSet::new(), None);
    loop {
        let page = ports.reserved(selection, after.clone()).await?;
        codes.extend(page.codes.into_iter().filter(|code| seen.insert(code.clone())));
        match page.next {
            Some(next) if Some(&next) == after.as_ref() => {
                return Err(Failed::Later("the code service names a page of codes as its own next".to_owned()));
            }
            Some(next) => after = Some(next),
            None => return Ok(codes),
        }
    }
}

/// Those of the codes that no winner of a plan may still get. A winner whose entry holds another code never gets the
/// planned one: it is of another market, whose message came first. Any other winner's code is that winner's.
async fn free(
    ports: &impl Ports,
    selection: &Selection,
    reserved: &[String],
    plans: &Plans,
) -> Result<Vec<String>, Failed> {
    let planned = plans.codes();
    let owners = |code: &String| planned.get(code.as_str()).into_iter().flatten().copied();
    let owned: Vec<_> = reserved.iter().flat_map(|code| owners(code).map(move |fan| (code, fan))).collect();
    let mut taken = HashSet::new();
    for owned in owned.chunks(KEYS_PER_READ) {
        let key = |(_, fan): &(&String, &str)| Key { pk: plan::pk(selection), sk: format!("USER#{fan}") };
        let entries = ports.read(owned.iter().map(key).collect()).await?;
        for (index, (code, fan)) in owned.iter().enumerate() {
            let held = held(entries.get(index).and_then(Option::as_deref), fan)?;
            if held.is_none_or(|held| held == **code) {
                taken.insert(code.as_str());
            }
        }
    }
    Ok(reserved.iter().filter(|code| !taken.contains(code.as_str())).cloned().collect())
}

/// The code that a fan's entry holds, if it does.
fn held(entry: Option<&str>, fan: &str) -> Result<Option<String>, Failed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        access_code: Option<String>,
    }
    let Some(entry) = entry else { return Ok(None) };
    let malformed = |error| Failed::fatal(422, "MALFORMED_ITEM", format!("the entry of {fan} is malformed: {error}"));
    let entry: Entry = serde_json::from_str(entry).map_err(malformed)?;
    Ok(entry.access_code.filter(|code| !code.is_empty()))
}

/// Reserves more codes. What was reserved before too few were left stays reserved for the market's next task.
async fn reserve(ports: &impl Ports, selection: &Selection, fence: u64, count: usize) -> Result<Vec<String>, Failed> {
    let mut codes = Vec::with_capacity(count);
    while codes.len() < count {
        let more = (count - codes.len()).min(MAX_PER_RESERVATION);
        // An attempt after this one has another fence: it asks for what is missing then, and not for these codes again.
        let number = codes.len() / MAX_PER_RESERVATION;
        let id = format!("{}:{}:{fence}:{number}", selection.market_id, selection.task_id);
        match ports.reserve(selection, more, &id).await {
            Ok(reserved) => codes.extend(reserved),
            Err(error) if error.has_code(TOO_FEW_CODES) => {
                return Err(Failed::fatal(409, TOO_FEW_CODES, error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(codes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::plan::{Head, Plan};
    use crate::testing::{World, market, read_market, selection};
    use futures::executor::block_on;

    /// As a task that has its market under a number that no reservation has yet.
    fn codes(world: &World, plans: &Plans, winners: usize) -> Result<Vec<String>, Failed> {
        let fence = 1 + world.reservations.borrow().len() as u64;
        block_on(find(world, &selection("one"), fence, &read_market(market(Some(1))), plans, winners))
    }

    /// A plan with these winners and codes.
    fn plans(winners: &[(&str, &str)]) -> Plans {
        let winners: Vec<_> = winners.iter().map(|(fan, code)| ((*fan).to_owned(), (*code).to_owned())).collect();
        let (task_id, count) = ("earlier".to_owned(), winners.len());
        let head = Head { task_id, fence: 0, pages: 1, winners: count, rejected: 0, total: 0, queued: true };
        Plans(vec![Plan { head, winners }])
    }

    #[test]
    fn a_tm_market_has_one_code_for_all_and_reserves_none() {
        let world = World::default();
        let find = |shared_code: serde_json::Value| {
            let market = json!({"id": "m", "campaignId": "c", "ticketer": "TM", "sharedCode": shared_code});
            block_on(find(&world, &selection("one"), 1, &read_market(market), &Plans::default(), 3))
        };
        assert_eq!(find(json!("S")), Ok(vec!["S".to_owned(); 3]));
        for missing in [json!(null), json!("")] {
            let message = "market m of ticketer TM has no sharedCode";
            assert_eq!(find(missing), Err(Failed::fatal(422, "NO_SHARED_CODE", message)));
        }
        assert!(world.reservations.borrow().is_empty());
    }

    #[test]
    fn at_least_five_hundred_codes_are_reserved_or_as_many_as_there_are_winners() {
        for (winners, expected) in [(1, 500), (500, 500), (501, 501)] {
            let world = World::with_codes(2_000);
            assert_eq!(codes(&world, &Plans::default(), winners).unwrap().len(), winners);
            assert_eq!(world.reserved_count(), expected, "{winners}");
        }
        let world = World::with_codes(2_000);
        assert_eq!(codes(&world, &Plans::default(), 0), Ok(vec![]));
        assert_eq!(world.reserved_count(), 0, "nothing is needed");
    }

    #[test]
    fn a_reservation_has_at_most_twenty_thousand_codes() {
        let world = World::with_codes(60_000);
        let codes = codes(&world, &Plans::default(), 45_000).unwrap();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 45_000);
        let sizes: Vec<_> = world.reservations.borrow().iter().map(|(id, codes)| (id.clone(), codes.len())).collect();
        let expected = [("m:one:1:0", 20_000), ("m:one:1:1", 20_000), ("m:one:1:2", 5_000)];
        assert_eq!(sizes, expected.map(|(id, size)| (id.to_owned(), size)));
    }

    #[test]
    fn too_few_codes_fail_at_once_and_those_reserved_are_found_again() {
        let world = World::with_codes(40_100);
        let failed = codes(&world, &Plans::default(), 45_000).unwrap_err();
        assert!(matches!(failed, Failed::Final { status: 409, code: "TOO_FEW_CODES", .. }), "{failed:?}");
        assert_eq!(world.reserved_count(), 40_000);
        world.add_codes(10_000);
        assert_eq!(codes(&world, &Plans::default(), 45_000).unwrap().len(), 45_000);
        assert_eq!(world.reserved_count(), 45_000);
    }

    #[test]
    fn another_conflict_is_not_told_as_too_few_codes() {
        let world = World::with_codes(2_000);
        world.reservations.borrow_mut().push(("m:one:2:0".to_owned(), vec![]));
        let failed = codes(&world, &Plans::default(), 1).unwrap_err();
        assert!(matches!(failed, Failed::Final { status: 422, code: "REFUSED", .. }), "{failed:?}");
    }

    #[test]
    fn codes_that_the_market_has_reserved_are_used_up_first() {
        let world = World::with_codes(2_000);
        codes(&world, &Plans::default(), 1).unwrap();
        assert_eq!(codes(&world, &Plans::default(), 500).unwrap(), world.codes("reserved"));
        assert_eq!(world.reserved_count(), 500);
        codes(&world, &Plans::default(), 600).unwrap();
        assert_eq!(world.reserved_count(), 600);
    }

    #[test]
    fn more_codes_are_reserved_only_if_there_are_fewer_than_winners() {
        let world = World::with_codes(500);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        let plans = plans(&[("none", &reserved[0])]);
        assert_eq!(codes(&world, &plans, 499).unwrap(), reserved[1..]);
        assert!(codes(&world, &plans, 500).is_err(), "none is left");
        world.add_codes(1);
        assert_eq!(codes(&world, &plans, 500).unwrap().len(), 500);
        assert_eq!(world.reserved_count(), 501);
    }

    #[test]
    fn a_planned_code_is_free_only_if_its_winner_holds_another_one() {
        let world = World::with_codes(2_000);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        let plans =
            plans(&[("none", &reserved[0]), ("other", &reserved[1]), ("own", &reserved[2]), ("gone", &reserved[3])]);
        world.put_entry("none", None);
        world.put_entry("other", Some("CODE-OF-ANOTHER-MARKET"));
        world.put_entry("own", Some(&reserved[2]));
        let codes = codes(&world, &plans, 3).unwrap();
        assert_eq!(codes, [&reserved[1], &reserved[4], &reserved[5]].map(Clone::clone));
        assert_eq!(world.reserved_count(), 500, "three of the 497 that are free are enough");
    }

    /// The first winner could not take it; whether the second one can is open.
    #[test]
    fn a_code_that_was_planned_twice_is_free_only_if_neither_winner_takes_it() {
        let world = World::with_codes(2_000);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        world.put_entry("first", Some("CODE-OF-ANOTHER-MARKET"));
        let plans = plans(&[("first", &reserved[0]), ("second", &reserved[0])]);
        assert_eq!(codes(&world, &plans, 1).unwrap(), [reserved[1].clone()]);
        world.put_entry("second", Some("CODE-OF-ANOTHER-MARKET"));
        assert_eq!(codes(&world, &plans, 1).unwrap(), [reserved[0].clone()]);
    }

    #[test]
    fn a_code_that_is_reserved_a_second_time_is_given_to_nobody() {
        let world = World::with_codes(2_000);
        codes(&world, &Plans::default(), 1).unwrap();
        world.forget_reservation();
        let failed = codes(&world, &Plans::default(), 501).unwrap_err();
        assert!(matches!(&failed, Failed::Later(message) if message.contains("was reserved before")), "{failed:?}");
    }
}
