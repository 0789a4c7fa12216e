//! Selections on their way from saveSelectionQueue: into the Entry Service, demand-table and the Code Service.

use super::services::attribute;
use fake_services::{CodeState, Faults, Service};
use host_adapters::manifest::App;
use host_adapters_platform::limits::item::{MAX_ITEM_BYTES, check_size};
use host_adapters_records::table::Key;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::{OPERATOR_TOKEN, TestHost, entry, impatient, wait, without_sources};

const CAMPAIGN: &str = "campaign-123";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

fn fans(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("fan-{n:02}")).collect()
}

/// No worker reads the reports, so that a test can.
pub(super) fn unreported(app: &mut App) {
    impatient(app);
    without_sources(app, "report-verdicts");
}

/// A host with this many replicated entries.
async fn host(count: usize) -> TestHost {
    let host = TestHost::with(unreported).await;
    enter(&host, count).await;
    host
}

/// Makes so many entries, and waits until they are replicated.
async fn enter(host: &TestHost, count: usize) {
    let fields = json!({ "email": "fan@example.com", "markets": ["m", "n"] });
    let items: Vec<_> = fans(count).iter().map(|fan| entry(CAMPAIGN, fan, &fields, UPDATED)).collect();
    host.put_entries(&items).await;
    for fan in fans(count) {
        host.replicated(CAMPAIGN, &fan, UPDATED).await;
    }
}

fn winner(fan: &str, market: &str, code: &str) -> String {
    let ids = json!({ "taskId": "task-1", "campaignId": CAMPAIGN, "marketId": market, "globalUserId": fan });
    let mut body = ids;
    body["verdict"] = true.into();
    body["code"] = code.into();
    body.to_string()
}

fn loser(fan: &str, market: &str) -> String {
    json!({ "taskId": "task-1", "campaignId": CAMPAIGN, "marketId": market, "globalUserId": fan, "verdict": false })
        .to_string()
}

/// Verdict, code and market of a fan's item.
async fn told(host: &TestHost, fan: &str) -> [Value; 3] {
    let item = host.item(CAMPAIGN, fan).await;
    ["verdict", "accessCode", "marketId"].map(|name| item[name].clone())
}

fn won(market: &str, code: &str) -> [Value; 3] {
    [json!(true), json!(code), json!(market)]
}

fn lost() -> [Value; 3] {
    [json!(false), Value::Null, Value::Null]
}

/// The codes of the Code Service in a state.
fn codes(host: &TestHost, state: CodeState) -> BTreeSet<String> {
    let codes = host.fakes.codes().codes(CAMPAIGN).into_iter();
    codes.filter(|code| code.state == state).map(|code| code.code).collect()
}

/// The codes that the Entry Service has given, by fan.
fn given(host: &TestHost) -> BTreeMap<String, String> {
    let codes = host.fakes.entries().codes(CAMPAIGN).into_iter();
    codes.map(|won| (won.global_user_id, won.code)).collect()
}

/// The bodies of verdictReporterQueue.
async fn reports(host: &TestHost) -> Vec<Value> {
    let messages = host.peek("verdictReporterQueue").await;
    messages.iter().map(|message| serde_json::from_str(message["body"].as_str().unwrap()).unwrap()).collect()
}

/// Waits until all is done with the selections, and checks that none has become a dead letter.
async fn saved(host: &TestHost) {
    host.drained("saveSelectionQueue").await;
    for queue in ["saveSelectionQueueDlq", "markAssignedCodesDlq", "saveEntriesQueueDlq"] {
        assert_eq!(host.depth(queue).await, 0, "{queue}: {:?}", host.peek(queue).await);
    }
}

/// Waits until the Code Service knows that exactly these codes are given.
async fn marked(host: &TestHost, expected: &BTreeSet<String>) {
    let what = format!("{} codes marked as assigned", expected.len());
    wait::eventually(&what, async || (codes(host, CodeState::Assigned) == *expected).then_some(())).await;
}

/// Use case 2, steps 10 to 14, and its postconditions; some messages come twice.
#[tokio::test]
async fn winners_get_their_codes_and_losers_a_verdict() {
    let host = host(40).await;
    let reserved = host.reserve_codes(CAMPAIGN, "m", 35).await;
    let fans = fans(40);
    let (winners, losers) = fans.split_at(30);
    let won_codes: BTreeMap<_, _> = winners.iter().cloned().zip(reserved.clone()).collect();
    let bodies = won_codes.iter().map(|(fan, code)| winner(fan, "m", code));
    let mut bodies: Vec<_> = bodies.chain(losers.iter().map(|fan| loser(fan, "m"))).collect();
    bodies.extend_from_within(25..35);
    host.queue("saveSelectionQueue", &bodies).await;
    saved(&host).await;
    for (fan, code) in &won_codes {
        assert_eq!(told(&host, fan).await, won("m", code), "{fan}");
    }
    for fan in losers {
        assert_eq!(told(&host, fan).await, lost(), "{fan}");
    }
    assert_eq!(given(&host), won_codes);
    marked(&host, &won_codes.into_values().collect()).await;
    assert_eq!(codes(&host, CodeState::Reserved), reserved[30..].iter().cloned().collect(), "not given");
    let reports = reports(&host).await;
    let selected = |report: &Value| report["expected"]["selected"].as_u64().unwrap();
    assert!(reports.iter().map(selected).sum::<u64>() >= 30, "{reports:?}");
    for report in &reports {
        let n = selected(report);
        assert!((1..=30).contains(&n), "{report}");
        let expected =
            json!({ "campaignId": CAMPAIGN, "marketId": "m", "source": "selection", "expected": { "selected": n } });
        assert_eq!(*report, expected);
    }
    for fan in &fans {
        assert_eq!(host.versions(CAMPAIGN, fan), [(UPDATED.to_owned(), true)], "a verdict is not replicated: {fan}");
    }
}

/// The fan's entry is changed after the selection, and while it is to be replicated.
#[tokio::test]
async fn a_fans_own_change_and_a_selection_lose_nothing_of_each_other() {
    let host = host(2).await;
    let code = host.reserve_codes(CAMPAIGN, "m", 1).await.remove(0);
    host.faults(
        Service::Entry,
        Faults { operations: vec!["upsertEntries".into()], unavailable: 1.0, ..Faults::default() },
    );
    let later = "2024-01-15T10:30:05.000Z";
    let fields = json!({ "email": "new@example.com", "markets": ["m"] });
    host.put_entries(&[entry(CAMPAIGN, "fan-00", &fields, later), entry(CAMPAIGN, "fan-01", &fields, later)]).await;
    host.queue("saveSelectionQueue", &[winner("fan-00", "m", &code), loser("fan-01", "m")]).await;
    wait::eventually("the verdicts", async || {
        (told(&host, "fan-00").await == won("m", &code) && told(&host, "fan-01").await == lost()).then_some(())
    })
    .await;
    assert!(host.flagged(CAMPAIGN, "fan-00").await && host.flagged(CAMPAIGN, "fan-01").await);
    host.faults(Service::Entry, Faults::default());
    for fan in ["fan-00", "fan-01"] {
        host.replicated(CAMPAIGN, fan, later).await;
        assert_eq!(host.entry(CAMPAIGN, fan).await["fields"]["email"], "new@example.com", "{fan}");
    }
    assert_eq!(told(&host, "fan-00").await, won("m", &code));
}

#[tokio::test]
async fn a_winner_of_another_market_is_counted_as_failed_and_the_code_stays_reserved() {
    let host = host(3).await;
    let [first, second] = [host.reserve_codes(CAMPAIGN, "m", 1).await, host.reserve_codes(CAMPAIGN, "n", 2).await];
    host.queue("saveSelectionQueue", &[winner("fan-00", "m", &first[0])]).await;
    saved(&host).await;
    let labels = [("worker", "save-selections"), ("reason", "FAILED")];
    let before = host.metric("registration_skipped_total", &labels).await;
    let bodies = [winner("fan-00", "n", &second[0]), winner("fan-01", "n", &second[1]), loser("fan-00", "n")];
    host.queue("saveSelectionQueue", &bodies).await;
    saved(&host).await;
    assert!(host.metric("registration_skipped_total", &labels).await > before);
    assert_eq!(told(&host, "fan-00").await, won("m", &first[0]));
    assert_eq!(told(&host, "fan-01").await, won("n", &second[1]), "nobody pays for another");
    marked(&host, &[first[0].clone(), second[1].clone()].into()).await;
    assert_eq!(codes(&host, CodeState::Reserved), [second[0].clone()].into());
}

/// The Entry Service does not have the entry, which may still be on its way there.
#[tokio::test]
async fn an_unknown_winner_becomes_a_dead_letter_and_costs_no_other() {
    let host = host(5).await;
    let mut unsent = entry(CAMPAIGN, "nobody", &json!({ "markets": ["m"] }), UPDATED);
    unsent["needsReplication"] = false.into();
    host.put_entry(&unsent).await;
    let codes = host.reserve_codes(CAMPAIGN, "m", 6).await;
    let mut bodies: Vec<_> = fans(5).iter().zip(&codes).map(|(fan, code)| winner(fan, "m", code)).collect();
    bodies.insert(2, winner("nobody", "m", &codes[5]));
    host.queue("saveSelectionQueue", &bodies).await;
    let dead = "saveSelectionQueueDlq";
    let dead_letters = wait::eventually(dead, async || Some(host.peek(dead).await).filter(|it| !it.is_empty())).await;
    host.drained("saveSelectionQueue").await;
    assert_eq!((host.depth(dead).await, &dead_letters[0]["body"]), (1, &json!(bodies[2])));
    let reason = "the entry service answered with status 200, and of the record: unknown: it holds no such entry";
    assert_eq!(attribute(&dead_letters[0], "reason"), reason);
    for (fan, code) in fans(5).iter().zip(&codes) {
        assert_eq!(told(&host, fan).await, won("m", code), "{fan}");
    }
    marked(&host, &codes[..5].iter().cloned().collect()).await;
}

/// Sends the selection of five winners, one of whom becomes a dead letter; checks that, and returns its reason.
async fn save_but(host: &TestHost, failing: usize) -> String {
    let codes = host.reserve_codes(CAMPAIGN, "m", 5).await;
    let bodies: Vec<_> = fans(5).iter().zip(&codes).map(|(fan, code)| winner(fan, "m", code)).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    let dead = "saveSelectionQueueDlq";
    let dead_letters = wait::eventually(dead, async || Some(host.peek(dead).await).filter(|it| !it.is_empty())).await;
    host.drained("saveSelectionQueue").await;
    assert_eq!((host.depth(dead).await, &dead_letters[0]["body"]), (1, &json!(bodies[failing])));
    for (number, (fan, code)) in fans(5).iter().zip(&codes).enumerate() {
        let nothing = [Value::Null, Value::Null, Value::Null];
        assert_eq!(told(host, fan).await, if number == failing { nothing } else { won("m", code) }, "{fan}");
    }
    marked(host, &codes.iter().filter(|code| **code != codes[failing]).cloned().collect()).await;
    attribute(&dead_letters[0], "reason").to_owned()
}

/// REQ-009: one whom the Entry Service does not take, with its words.
#[tokio::test]
async fn an_invalid_winner_becomes_a_dead_letter_and_costs_no_other() {
    let host = host(5).await;
    host.fakes.entries().refuse(CAMPAIGN, ["fan-02".to_owned()].into());
    let reason = save_but(&host, 2).await;
    assert_eq!(reason, "the entry service answered with status 200, and of the record: invalid: refused on demand");
    assert_eq!(given(&host).len(), 4);
}

/// "DynamoDB Write Failure": the table refuses one of the updates, of an item that has no room for a code any more.
#[tokio::test]
async fn an_update_that_the_table_refuses_becomes_a_dead_letter_and_costs_no_other() {
    let host = host(5).await;
    let full = |bytes: usize| {
        let mut item =
            entry(CAMPAIGN, "fan-03", &json!({ "email": "fan@example.com", "markets": ["m", "n"] }), UPDATED);
        // It is replicated already, so that nobody sends so much on.
        item["needsReplication"] = false.into();
        item["filler"] = "x".repeat(bytes).into();
        item
    };
    let key = Key { pk: format!("CAMPAIGN#{CAMPAIGN}"), sk: "USER#fan-03".to_owned() };
    let sizes: Vec<_> = (MAX_ITEM_BYTES - 2_000..MAX_ITEM_BYTES).collect();
    let fitting = sizes.partition_point(|bytes| check_size(&key, &full(*bytes).to_string()).is_ok());
    host.put_entry(&full(sizes[fitting - 1])).await;
    let reason = save_but(&host, 3).await;
    assert!(reason.starts_with("invalid: item ") && reason.contains("the most is 409600"), "{reason}");
}

/// A fan who has left since the selection has no entry: the record is done, without an error.
#[tokio::test]
async fn a_winner_whose_entry_is_gone_is_skipped_and_costs_no_other() {
    let host = host(3).await;
    let codes = host.reserve_codes(CAMPAIGN, "m", 3).await;
    let labels = [("worker", "save-selections"), ("reason", "gone")];
    let before = host.metric("registration_skipped_total", &labels).await;
    host.remove_entry(CAMPAIGN, "fan-01").await;
    let entries = host.fakes.entries();
    wait::eventually("the deletion", async || (!entries.holds(CAMPAIGN, "fan-01", UPDATED)).then_some(())).await;
    let bodies: Vec<_> = fans(3).iter().zip(&codes).map(|(fan, code)| winner(fan, "m", code)).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    saved(&host).await;
    assert!(host.metric("registration_skipped_total", &labels).await >= before + 1.0);
    assert_eq!(host.item(CAMPAIGN, "fan-01").await, Value::Null);
    marked(&host, &[codes[0].clone(), codes[2].clone()].into()).await;
}

/// The Entry Service's answer as the documents print it does not say who holds another code: the item does.
#[tokio::test]
async fn without_results_a_winner_of_another_market_is_still_counted_as_failed() {
    let host = host(3).await;
    let [first, second] = [host.reserve_codes(CAMPAIGN, "m", 1).await, host.reserve_codes(CAMPAIGN, "n", 3).await];
    host.queue("saveSelectionQueue", &[winner("fan-00", "m", &first[0])]).await;
    saved(&host).await;
    host.faults(Service::Entry, Faults { without_results: true, ..Faults::default() });
    let labels = [("worker", "save-selections"), ("reason", "FAILED")];
    let before = host.metric("registration_skipped_total", &labels).await;
    let bodies: Vec<_> = fans(3).iter().zip(&second).map(|(fan, code)| winner(fan, "n", code)).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    saved(&host).await;
    assert!(host.metric("registration_skipped_total", &labels).await >= before + 1.0);
    assert_eq!(told(&host, "fan-00").await, won("m", &first[0]));
    for (fan, code) in fans(3).iter().zip(&second).skip(1) {
        assert_eq!(told(&host, fan).await, won("n", code), "{fan}");
    }
}

#[tokio::test]
async fn an_attribute_that_is_null_or_empty_is_as_absent() {
    let host = host(0).await;
    let codes = host.reserve_codes(CAMPAIGN, "m", 2).await;
    let with = |fan: &str, none: &Value| {
        let mut item = entry(CAMPAIGN, fan, &json!({ "markets": ["m"] }), UPDATED);
        ["accessCode", "marketId"].into_iter().for_each(|name| item[name] = none.clone());
        item["verdict"] = Value::Null;
        item
    };
    for (none, code) in [Value::Null, json!("")].iter().zip(&codes) {
        let [winning, losing] = ["winner", "loser"].map(|fan| format!("{fan}-{code}"));
        host.put_entries(&[with(&winning, none), with(&losing, none)]).await;
        for fan in [&winning, &losing] {
            host.replicated(CAMPAIGN, fan, UPDATED).await;
        }
        host.queue("saveSelectionQueue", &[winner(&winning, "m", code), loser(&losing, "m")]).await;
        saved(&host).await;
        assert_eq!(told(&host, &winning).await, won("m", code), "{none}");
        assert_eq!(told(&host, &losing).await, [json!(false), none.clone(), none.clone()]);
    }
    marked(&host, &codes.into_iter().collect()).await;
}

/// Selects this many winners of market `m` in all, and waits until the task has finished.
async fn select(host: &TestHost, task: &str, count: usize) {
    let body = json!({ "campaignId": CAMPAIGN, "marketId": "m", "selectionCount": count });
    let url = host.gateway_url(&format!("/tasks/enqueue-market-selections/{task}"));
    let reply = host.send(host.http().post(url).bearer_auth(OPERATOR_TOKEN).json(&body)).await;
    assert!((200..300).contains(&reply.status), "{}", reply.body);
    let stats = || host.fakes.entries().stats(CAMPAIGN).pop().unwrap_or_default();
    let is_done = async || (stats()["status"] == "FINISHED" && stats()["PROCESSED"] == count).then_some(());
    wait::eventually(&format!("task {task}"), is_done).await;
}

/// The n-th best fan of [`contest`].
fn best(n: usize) -> String {
    format!("fan-{n:03}")
}

/// A host with a closed campaign: market `m` has 500 codes, and 502 fans have entered.
async fn contest() -> TestHost {
    let host = TestHost::with(unreported).await;
    let put = async |path: &str, body: Value| {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(&body)).await.status, 200, "{path}");
    };
    put(CAMPAIGN, json!({ "id": CAMPAIGN, "slug": CAMPAIGN, "status": "CLOSED" })).await;
    let market = json!({ "id": "m", "campaignId": CAMPAIGN, "ticketer": "AXS", "capacity": 500 });
    put(&format!("{CAMPAIGN}/markets/m"), market).await;
    host.fakes.codes().add(CAMPAIGN, "m", (0..500).map(|n| format!("m-{n:03}")));
    let item = |n| entry(CAMPAIGN, &best(n), &json!({ "markets": ["m"] }), UPDATED);
    host.put_entries(&(0..502).map(item).collect::<Vec<_>>()).await;
    let entries = host.fakes.entries();
    wait::eventually("all entries", async || (entries.count() == 502).then_some(())).await;
    let scores = (0..502).map(|n| json!({ "globalUserId": best(n), "score": 1_000 - n })).collect();
    entries.give_scores(CAMPAIGN, scores).unwrap();
    host
}

/// A wrong path: nobody says that there is no such campaign, so the task waits for the service. The route has worked a
/// moment ago, so that the first pages are not taken for an outage.
#[tokio::test]
async fn point_16_a_page_in_place_of_the_campaign_service_ends_no_task() {
    let host = contest().await;
    select(&host, "before", 1).await;
    host.faults(Service::Campaign, Faults { refused: 1.0, refusal: 404, pages: true, ..Faults::default() });
    let mend = async {
        let pages = async || host.answers(Service::Campaign).await.get("getCampaign 404").copied();
        wait::eventually("pages", async || pages().await.filter(|count| *count >= 2)).await;
        host.faults(Service::Campaign, Faults::default());
    };
    tokio::join!(select(&host, "under-way", 2), mend);
    saved(&host).await;
    assert_eq!(given(&host).len(), 2);
}

/// Removes a fan's entry, and waits until the Entry Service has deleted it.
async fn leave(host: &TestHost, fan: &str) {
    host.remove_entry(CAMPAIGN, fan).await;
    let entries = host.fakes.entries();
    wait::eventually("the deletion", async || (!entries.holds(CAMPAIGN, fan, UPDATED)).then_some(())).await;
}

/// "No code is ever given to two fans and none leaks": the entry of a winner is removed before the code is assigned.
#[tokio::test]
async fn the_code_of_a_winner_who_has_left_is_a_later_winners() {
    let host = contest().await;
    let down = Faults { operations: vec!["assignCodes".into()], unavailable: 1.0, ..Faults::default() };
    host.faults(Service::Entry, down);
    select(&host, "first", 500).await;
    leave(&host, &best(7)).await;
    host.faults(Service::Entry, Faults::default());
    saved(&host).await;
    let reserved = async || Some(codes(&host, CodeState::Reserved)).filter(|left| left.len() == 1);
    let left = wait::eventually("the marks of the others", reserved).await;
    assert_eq!(given(&host).len(), 499);

    select(&host, "second", 501).await;
    saved(&host).await;
    let code = left.into_iter().next().unwrap();
    assert_eq!(told(&host, &best(500)).await, won("m", &code));
    assert_eq!(told(&host, &best(501)).await, lost());
    marked(&host, &(0..500).map(|n| format!("m-{n:03}")).collect()).await;
    assert_eq!(host.fakes.violations(), Vec::<String>::new());
}

/// The fan has moved to another market, so that the Entry Service lists neither the fan nor the code for this one; and it
/// does not know yet that the entry is gone, so it would assign the code when the winner's message comes.
#[tokio::test]
async fn the_code_of_a_winner_who_has_left_is_not_given_twice_though_nobody_lists_the_fan() {
    let host = contest().await;
    let down = |operations: &[&str]| {
        let operations = operations.iter().map(ToString::to_string).collect();
        host.faults(Service::Entry, Faults { operations, unavailable: 1.0, ..Faults::default() });
    };
    down(&["assignCodes"]);
    select(&host, "first", 500).await;
    let (fan, later) = (best(7), "2024-01-15T10:30:05.000Z");
    host.put_entry(&entry(CAMPAIGN, &fan, &json!({ "markets": ["n"] }), later)).await;
    host.replicated(CAMPAIGN, &fan, later).await;
    down(&["assignCodes", "deleteEntries"]);
    host.remove_entry(CAMPAIGN, &fan).await;
    // A call that read the entry before is over: of the calls that probe, one at a time, none makes so many requests.
    let failed = || host.fakes.answered(Service::Entry, "assignCodes 503");
    let before = failed();
    wait::eventually("another call", async || (failed() >= before + 8).then_some(())).await;
    select(&host, "second", 501).await;
    down(&["deleteEntries"]);
    saved(&host).await;
    let next = told(&host, &best(500)).await;
    assert_eq!((&next[0], &next[2]), (&json!(true), &json!("m")), "{next:?}");
    assert_eq!((given(&host).len(), given(&host).get(&fan)), (500, None));
    assert_eq!(told(&host, &best(501)).await, lost());
    host.faults(Service::Entry, Faults::default());
    saved(&host).await;
    marked(&host, &(0..500).map(|n| format!("m-{n:03}")).collect()).await;
    assert_eq!(host.fakes.violations(), Vec::<String>::new());
}

/// The same after the code was assigned: it is used up, although the Code Service does not know of it yet.
#[tokio::test]
async fn the_code_of_a_winner_who_leaves_with_it_is_nobody_elses() {
    let host = contest().await;
    let down = Faults { operations: vec!["markAssigned".into()], unavailable: 1.0, ..Faults::default() };
    host.faults(Service::Code, down);
    select(&host, "first", 500).await;
    saved(&host).await;
    assert_eq!((given(&host).len(), codes(&host, CodeState::Reserved).len()), (500, 500));
    leave(&host, &best(7)).await;

    host.fakes.codes().add(CAMPAIGN, "m", (0..500).map(|n| format!("n-{n:03}")));
    select(&host, "second", 501).await;
    saved(&host).await;
    assert_eq!(told(&host, &best(500)).await, won("m", "n-000"), "none of the first 500");
    assert_eq!(told(&host, &best(501)).await, lost());
    host.faults(Service::Code, Faults::default());
    marked(&host, &given(&host).into_values().collect()).await;
    assert_eq!((given(&host).len(), codes(&host, CodeState::Assigned).len()), (501, 501));
    assert_eq!(host.fakes.violations(), Vec::<String>::new());
}

/// Winners of a market with a shared code all have the same.
#[tokio::test]
async fn a_shared_code_is_every_winners() {
    let host = host(4).await;
    host.fakes.codes().share(CAMPAIGN, None, "TM-SHARED");
    let bodies: Vec<_> = fans(4).iter().map(|fan| winner(fan, "m", "TM-SHARED")).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    saved(&host).await;
    for fan in fans(4) {
        assert_eq!(told(&host, &fan).await, won("m", "TM-SHARED"), "{fan}");
    }
    let answered = "markAssigned 200";
    wait::eventually(answered, async || host.answers(Service::Code).await.contains_key(answered).then_some(())).await;
    assert_eq!(host.answers(Service::Code).await.len(), 1, "the Code Service refuses none");
}

#[tokio::test]
async fn a_refresh_gives_winners_back_what_their_items_lack() {
    a_refresh(&TestHost::with(unreported).await).await;
}

/// A winner's item has lost its verdict; a refresh of the market, whose winners fill more than a page, writes it again, with
/// the same code.
pub(super) async fn a_refresh(host: &TestHost) {
    enter(host, 4).await;
    host.faults(Service::Entry, Faults { most_per_page: 2, ..Faults::default() });
    let reserved = host.reserve_codes(CAMPAIGN, "m", 4).await;
    let bodies: Vec<_> = fans(3).iter().zip(&reserved).map(|(fan, code)| winner(fan, "m", code)).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    saved(host).await;
    // One of the first page, and the one of the second.
    let later = "2024-01-15T10:30:05.000Z";
    for fan in ["fan-01", "fan-02"] {
        host.put_entry(&entry(CAMPAIGN, fan, &json!({ "markets": ["m"] }), later)).await;
        host.replicated(CAMPAIGN, fan, later).await;
        assert_eq!(told(host, fan).await[0], Value::Null);
    }
    host.queue("refreshSelectionQueue", &[json!({ "campaignId": CAMPAIGN, "marketId": "m" }).to_string()]).await;
    host.drained("refreshSelectionQueue").await;
    saved(host).await;
    for (fan, code) in fans(3).iter().zip(&reserved) {
        assert_eq!(told(host, fan).await, won("m", code), "{fan}");
    }
    let pages = host.answers(Service::Entry).await.get("listScoringRecords 200").copied();
    assert!(pages >= Some(2), "{pages:?}");
    assert_eq!(told(host, "fan-03").await[0], Value::Null, "who was not selected is not");
    marked(host, &reserved[..3].iter().cloned().collect()).await;
    assert_eq!(codes(host, CodeState::Reserved), [reserved[3].clone()].into(), "a refresh reserves none");
    assert_eq!(host.depth("refreshSelectionQueueDlq").await, 0);
}

#[tokio::test]
async fn what_the_code_service_refuses_becomes_a_dead_letter_and_costs_no_other() {
    let host = host(5).await;
    let reserved = host.reserve_codes(CAMPAIGN, "m", 5).await;
    host.faults(Service::Code, Faults { poison: vec![reserved[2].clone()], refusal: 422, ..Faults::default() });
    let bodies: Vec<_> = fans(5).iter().zip(&reserved).map(|(fan, code)| winner(fan, "m", code)).collect();
    host.queue("saveSelectionQueue", &bodies).await;
    let dead = "markAssignedCodesDlq";
    let dead_letters = wait::eventually(dead, async || Some(host.peek(dead).await).filter(|it| !it.is_empty())).await;
    assert_eq!(dead_letters.len(), 1);
    let reason = "the code service refused with status 422: refused on demand";
    assert_eq!(attribute(&dead_letters[0], "reason"), reason);
    let others = reserved.iter().filter(|code| **code != reserved[2]).cloned().collect();
    marked(&host, &others).await;
    host.faults(Service::Code, Faults::default());
}
