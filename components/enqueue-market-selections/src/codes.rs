//! Which codes the winners get. No code is given to two fans, and no reserved code is lost: codes that the market has
//! reserved and that no winner gets are used before more are reserved, whichever task reserved them.

use crate::failed::Failed;
use crate::input::Selection;
use crate::plan::{self, Plans};
use crate::ports::Ports;
use registration::entry::SORT_KEY_PREFIX;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use worker_kit::pages::Pages;
use worker_kit::platform::table::Key;
use worker_kit::services::ServiceError;
use worker_kit::services::campaign::Market;
use worker_kit::services::code::{MAX_PER_RESERVATION, TOO_FEW_CODES};

/// The ticketer whose winners share one code.
const SHARING_TICKETER: &str = "TM";
/// Fewest codes to have free after a reservation (REQ-008).
const MIN_RESERVED: usize = 500;
/// Entries in one read.
const KEYS_PER_READ: usize = 500;

/// For whom codes are found.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The number under which the task has its market.
    pub fence: u64,
    /// The market.
    pub market: &'a Market,
    /// The market's plans.
    pub plans: &'a Plans,
    /// Winners of the plans to whom the Entry Service may still give their codes.
    pub open: &'a HashSet<String>,
    /// How many winners there are.
    pub winners: usize,
}

/// A code for each winner. `go_on` is called between requests.
pub async fn find(
    ports: &impl Ports,
    selection: &Selection,
    wanted: Wanted<'_>,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<Vec<String>, Failed> {
    let Wanted { market, plans, winners, .. } = wanted;
    if market.ticketer == SHARING_TICKETER {
        return shared(market).map(|code| vec![code; winners]);
    }
    if winners == 0 {
        return Ok(vec![]);
    }
    let reserved = reserved(ports, selection, go_on).await?;
    let mut codes = free(ports, selection, &reserved, wanted, go_on).await?;
    // Only as many codes as needed are required: a market that has used up its codes must not fail because of codes
    // that no fan would get.
    let missing = if codes.len() < winners { winners.max(MIN_RESERVED) - codes.len() } else { 0 };
    let data =
        json!({"marketId": selection.market_id, "reserved": reserved.len(), "free": codes.len(), "more": missing});
    ports.info("Codes found", data);
    let mut known: HashSet<_> = reserved.into_iter().chain(plans.codes().into_keys().map(str::to_owned)).collect();
    for code in reserve(ports, selection, wanted, missing, go_on).await? {
        if !known.insert(code.clone()) {
            let message = "the code service reserved a code twice: it may be another fan's";
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
async fn reserved(
    ports: &impl Ports,
    selection: &Selection,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<Vec<String>, Failed> {
    let (mut codes, mut seen, mut pages) = (vec![], HashSet::new(), Pages::default());
    while let Some(page) = pages.read(async |after| ports.reserved(selection, after).await).await? {
        go_on().await?;
        codes.extend(page.codes.into_iter().filter(|code| seen.insert(code.clone())));
    }
    Ok(codes)
}

/// The state of a planned code.
enum Claim {
    /// The winner has it, or may still get it.
    Kept,
    /// The winner never gets it, for the entry holds another one: that of another market, whose message came first.
    Free,
    /// The winner no longer has an entry. Only the Entry Service knows whether the code was assigned before.
    Gone,
}

/// The reserved codes that no winner of a plan may still get. Codes of winners without an entry come last, and are
/// checked only if there are too few others.
async fn free(
    ports: &impl Ports,
    selection: &Selection,
    reserved: &[String],
    wanted: Wanted<'_>,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<Vec<String>, Failed> {
    let planned = wanted.plans.codes();
    let owners = |code: &String| planned.get(code.as_str()).into_iter().flatten().copied();
    let owned: Vec<_> = reserved.iter().flat_map(|code| owners(code).map(move |fan| (code.as_str(), fan))).collect();
    let (mut kept, mut gone) = (HashSet::new(), HashSet::new());
    for owned in owned.chunks(KEYS_PER_READ) {
        go_on().await?;
        for ((code, fan), claim) in owned.iter().zip(claims(ports, selection, owned).await?) {
            match claim {
                Claim::Kept => drop(kept.insert(*code)),
                Claim::Gone if wanted.open.contains(*fan) => drop(kept.insert(*code)),
                Claim::Gone => drop(gone.insert(*code)),
                Claim::Free => {}
            }
        }
    }
    let is_free = |code: &&String| !kept.contains(code.as_str()) && !gone.contains(code.as_str());
    let mut codes: Vec<_> = reserved.iter().filter(is_free).cloned().collect();
    gone.retain(|code| !kept.contains(code));
    if codes.len() < wanted.winners && !gone.is_empty() {
        let held = held_in_service(ports, selection, go_on).await?;
        let given_up = reserved.iter().filter(|code| gone.contains(code.as_str()) && !held.contains(code.as_str()));
        codes.extend(given_up.cloned());
    }
    Ok(codes)
}

async fn claims(ports: &impl Ports, selection: &Selection, owned: &[(&str, &str)]) -> Result<Vec<Claim>, Failed> {
    let pk = plan::pk(selection);
    let key = |(_, fan): &(&str, &str)| Key { pk: pk.clone(), sk: format!("{SORT_KEY_PREFIX}{fan}") };
    let entries = ports.read(owned.iter().map(key).collect()).await?;
    let claim = |(index, (code, fan)): (usize, &(&str, &str))| match entries.get(index) {
        Some(Some(entry)) => match held(entry, fan)? {
            Some(held) if held != **code => Ok(Claim::Free),
            _ => Ok(Claim::Kept),
        },
        Some(None) => Ok(Claim::Gone),
        None => Err(Failed::Later("table demand-table: the response does not mention every entry".to_owned())),
    };
    owned.iter().enumerate().map(claim).collect()
}

/// The code in a fan's entry, if it has one. A value that is not a code counts, too: save-selections does not replace
/// it.
fn held(entry: &str, fan: &str) -> Result<Option<Value>, Failed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        access_code: Option<Value>,
    }
    let malformed = |error| Failed::fatal(422, "MALFORMED_ITEM", format!("the entry of {fan} is malformed: {error}"));
    let entry: Entry = serde_json::from_str(entry).map_err(malformed)?;
    Ok(entry.access_code.filter(|code| code != ""))
}

/// The codes of the market that the Entry Service has assigned, which happens before the entry and the Code Service
/// have them. Fans who have left since are in this list, too: an assigned code is never assigned again. A winner who
/// has no entry any more, who is not in this list, and who was not among the fans without a code when the task read
/// them (`Wanted::open`), never had the code and does not get it, whichever message comes late. Either the service does
/// not know the fan any more, or it still does (the fan was rejected by a later scored file, or has moved to another
/// market); then saveSelections finds no entry and does not request the code. Two cases remain: the entry is removed
/// between that look and the assignment, while all reads of this task come in between, or it is made again. The service
/// then refuses the code to the second fan.
async fn held_in_service(
    ports: &impl Ports,
    selection: &Selection,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<HashSet<String>, Failed> {
    let (mut codes, mut pages) = (HashSet::new(), Pages::default());
    while let Some(page) = pages.read(async |after| ports.assigned(selection, after).await).await? {
        go_on().await?;
        codes.extend(page.records.into_iter().filter_map(|record| Some(record.code?.value)));
    }
    Ok(codes)
}

/// Reserves more codes. If the pool runs out, the codes reserved so far stay reserved for the market's next task.
async fn reserve(
    ports: &impl Ports,
    selection: &Selection,
    wanted: Wanted<'_>,
    count: usize,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<Vec<String>, Failed> {
    let mut codes = Vec::with_capacity(count);
    while codes.len() < count {
        go_on().await?;
        let more = (count - codes.len()).min(MAX_PER_RESERVATION);
        // A later attempt has another fence. It reserves what is missing then, not these codes again.
        let number = codes.len() / MAX_PER_RESERVATION;
        let id = format!("{}:{}:{}:{number}", selection.market_id, selection.task_id, wanted.fence);
        match ports.reserve(selection, more, &id).await {
            Ok(reserved) => codes.extend(reserved),
            Err(error) if error.has_code(TOO_FEW_CODES) => {
                return Err(too_few(wanted, count, more, codes.len(), &error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(codes)
}

/// Of `missing` codes, `done` are reserved and the next `more` were refused. Only the service knows how many the pool
/// has.
fn too_few(wanted: Wanted<'_>, missing: usize, more: usize, done: usize, error: &ServiceError) -> Failed {
    let Wanted { market, winners, .. } = wanted;
    let needed = winners.max(MIN_RESERVED);
    let message = format!(
        "market {} has too few codes: {needed} are needed (for {winners} winners; at least {MIN_RESERVED}), {} of them \
         were reserved before and {done} are now, and {more} more were asked for: {error}. Add codes to the market's pool \
         and start the selection again, under another name: codes that are reserved stay the market's",
        market.id,
        needed - missing,
    );
    Failed::fatal(409, TOO_FEW_CODES, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::plan::{Head, Plan};
    use crate::testing::{World, market, read_market, selection};
    use futures::executor::block_on;

    /// As a task that has its market under a number that no reservation has yet, while the Entry Service knows these winners
    /// of the plans.
    fn find_codes(world: &World, plans: &Plans, open: &[&str], winners: usize) -> Result<Vec<String>, Failed> {
        let fence = 1 + world.reservations.borrow().len() as u64;
        let (market, open) = (read_market(market(Some(1))), open.iter().map(ToString::to_string).collect());
        let wanted = Wanted { fence, market: &market, plans, open: &open, winners };
        block_on(find(world, &selection("one"), wanted, &async || Ok(())))
    }

    /// The same, while the service knows all of them.
    fn codes(world: &World, plans: &Plans, winners: usize) -> Result<Vec<String>, Failed> {
        find_codes(world, plans, &plans.fans().into_iter().collect::<Vec<_>>(), winners)
    }

    /// A plan with these winners and codes.
    fn plans(winners: &[(&str, &str)]) -> Plans {
        let winners: Vec<_> = winners.iter().map(|(fan, code)| ((*fan).to_owned(), (*code).to_owned())).collect();
        let (task_id, count) = ("earlier".to_owned(), winners.len());
        let head = Head { task_id, fence: 0, pages: 1, winners: count, rejected: 0, total: 0, queued: true, lost: 0 };
        Plans(vec![Plan { head, winners }])
    }

    #[test]
    fn a_tm_market_has_one_code_for_all_and_reserves_none() {
        let world = World::default();
        let find = |shared_code: serde_json::Value| {
            let market = json!({"id": "m", "campaignId": "c", "ticketer": "TM", "sharedCode": shared_code});
            let (market, plans, open) = (read_market(market), Plans::default(), HashSet::new());
            let wanted = Wanted { fence: 1, market: &market, plans: &plans, open: &open, winners: 3 };
            block_on(super::find(&world, &selection("one"), wanted, &async || Ok(())))
        };
        assert_eq!(find(json!("S")), Ok(vec!["S".to_owned(); 3]));
        for missing in [json!(null), json!("")] {
            let message = "market m of ticketer TM has no sharedCode";
            assert_eq!(find(missing), Err(Failed::fatal(422, "NO_SHARED_CODE", message)));
        }
        assert!(world.reservations.borrow().is_empty());
    }

    #[test]
    fn req_008_at_least_five_hundred_codes_are_reserved_or_as_many_as_there_are_winners() {
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

    /// Whom the Entry Service still knows, with a code or without, may get it by a message that is on its way.
    #[test]
    fn the_code_of_a_winner_who_is_gone_is_free_once_the_entry_service_knows_it_too() {
        let world = World::with_codes(500);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        let all: Vec<_> = reserved.iter().map(|code| (format!("fan-{code}"), code.clone())).collect();
        let all: Vec<_> = all.iter().map(|(fan, code)| (fan.as_str(), code.as_str())).collect();
        let (plans, gone) = (plans(&all), all[7].0);
        let open: Vec<_> = all.iter().map(|(fan, _)| *fan).filter(|fan| *fan != gone).collect();
        let too_few = |open: &[&str]| matches!(find_codes(&world, &plans, open, 1), Err(Failed::Final { .. }));
        assert!(too_few(&[&open[..], &[gone]].concat()), "it is to replicate that the entry is gone");
        world.held.borrow_mut().insert(gone.to_owned(), reserved[7].clone());
        assert!(too_few(&open), "the fan has the code there");
        world.held.borrow_mut().clear();
        assert_eq!(find_codes(&world, &plans, &open, 1), Ok(vec![reserved[7].clone()]));
        world.put_entry(gone, None);
        assert!(too_few(&open), "the fan is back");
        assert_eq!(world.reserved_count(), 500);
    }

    #[test]
    fn codes_of_winners_who_are_gone_are_not_asked_for_while_others_are_free() {
        let world = World::with_codes(500);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        let plans = plans(&[("gone", &reserved[0])]);
        let find = |winners| {
            world.steps.set(0);
            (find_codes(&world, &plans, &[], winners).unwrap(), world.steps.get())
        };
        let (some, calls) = find(499);
        assert_eq!(some, reserved[1..]);
        let (all, more_calls) = find(500);
        assert_eq!(all, [&reserved[1..], &reserved[..1]].concat(), "the last one");
        assert_eq!(more_calls, calls + 1);
    }

    #[test]
    fn too_few_codes_are_told_with_the_numbers_and_what_to_do() {
        for (pool, winners, told) in [
            (
                499,
                10,
                "market m has too few codes: 500 are needed (for 10 winners; at least 500), 0 of them were reserved \
                before and 0 are now, and 500 more were asked for: the code service refused with status 409: only 499 \
                codes are free. Add codes",
            ),
            (
                40_100,
                45_000,
                "45000 are needed (for 45000 winners; at least 500), 0 of them were reserved before and \
                40000 are now, and 5000 more were asked for: the code service refused with status 409: only 100",
            ),
        ] {
            let failed = codes(&World::with_codes(pool), &Plans::default(), winners).unwrap_err();
            assert!(failed.message().contains(told), "{}", failed.message());
        }
    }

    #[test]
    fn an_entrys_code_that_is_null_or_empty_is_none() {
        for (entry, code) in [
            ("{}", None),
            (r#"{"accessCode":null}"#, None),
            (r#"{"accessCode":""}"#, None),
            (r#"{"accessCode":"A"}"#, Some("A")),
        ] {
            assert_eq!(held(entry, "u").unwrap(), code.map(Value::from), "{entry}");
        }
        assert!(matches!(held("7", "u"), Err(Failed::Final { code: "MALFORMED_ITEM", .. })));
    }

    /// The fan of such an entry never gets the planned code, as save-selections has it.
    #[test]
    fn case_02_an_entrys_code_that_is_not_text_fails_no_market() {
        let world = World::with_codes(2_000);
        codes(&world, &Plans::default(), 1).unwrap();
        let reserved = world.codes("reserved");
        let plans = plans(&[("odd", &reserved[0])]);
        world.put_entry("odd", None);
        let mut table = world.table.borrow_mut();
        let entry = table.iter_mut().find(|(key, _)| key.sk == "USER#odd").unwrap().1;
        entry["accessCode"] = json!(123);
        drop(table);
        assert_eq!(codes(&world, &plans, 1).unwrap(), reserved[..1]);
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
        assert!(matches!(&failed, Failed::Later(message) if message.contains("reserved a code twice")), "{failed:?}");
    }
}
