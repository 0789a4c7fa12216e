//! Tests of whole refreshes over a fake.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use chrono::{DateTime, Utc};
use futures::executor::block_on;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::entry::Score;
use worker_kit::services::{ResponseSummary, ServiceError};

/// An Entry Service with the scoring records of market `m`, and the two queues.
#[derive(Default)]
struct World {
    records: Vec<ScoringRecord>,
    /// The records of one page.
    per_page: usize,
    /// The requests for pages from this one on fail with this error.
    unreadable: Option<(usize, ServiceError)>,
    /// The fans whose messages are not accepted: whose ids begin with this.
    refused: Option<(String, Error)>,
    /// The queue refuses each n-th message that it is sent, once.
    refuses_every: Option<usize>,
    /// The error of the worker's own queue.
    stuck: Option<Error>,
    /// Seconds that a page takes.
    slow: i64,
    seconds: Cell<i64>,
    pages: RefCell<Vec<ScoringQuery>>,
    sent: Cell<usize>,
    queued: RefCell<Vec<String>>,
    rest: RefCell<Vec<Body>>,
    logged: RefCell<Vec<(String, Value)>>,
}

impl Ports for World {
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError> {
        assert_eq!(campaign_id, "c");
        self.seconds.set(self.seconds.get() + self.slow);
        let start: usize = query.after.as_ref().map_or(0, |after| after.parse().unwrap());
        let nth = self.pages.borrow().len();
        self.pages.borrow_mut().push(query.clone());
        if let Some((from, error)) = &self.unreadable
            && nth >= *from
        {
            return Err(error.clone());
        }
        let end = (start + self.per_page).min(self.records.len());
        let next = (end < self.records.len()).then(|| end.to_string());
        Ok(ScoringPage { records: self.records[start..end].to_vec(), next })
    }

    async fn queue(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        let accept = |body: String| {
            self.sent.set(self.sent.get() + 1);
            if self.refuses_every.is_some_and(|every| self.sent.get().is_multiple_of(every)) {
                return Err(Error::new(ErrorKind::Unavailable, "this one not"));
            }
            match &self.refused {
                Some((fan, error)) if selection(&body).global_user_id.starts_with(fan) => Err(error.clone()),
                _ => {
                    self.queued.borrow_mut().push(body);
                    Ok(String::new())
                }
            }
        };
        Ok(bodies.into_iter().map(accept).collect())
    }

    async fn go_on(&self, rest: &Body) -> Result<(), Error> {
        self.rest.borrow_mut().push(rest.clone());
        self.stuck.clone().map_or(Ok(()), Err)
    }

    fn now(&self) -> DateTime<Utc> {
        "2024-01-01T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(self.seconds.get())
    }

    fn info(&self, message: &str, data: Value) {
        self.logged.borrow_mut().push((message.to_owned(), data));
    }

    fn warn(&self, message: &str, data: Value) {
        self.info(message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.info(message, data);
    }

    fn failed(&self, message: &str, _: &ServiceError, data: Value) {
        self.info(message, data);
    }
}

impl World {
    /// The fans who are queued, in their order.
    fn fans(&self) -> Vec<String> {
        self.queued.borrow().iter().map(|body| selection(body).global_user_id.into_owned()).collect()
    }

    /// What the last line of the log says of this.
    fn logged(&self, name: &str) -> Value {
        self.logged.borrow().last().unwrap().1[name].clone()
    }
}

fn selection(body: &str) -> SelectionMessage<'static> {
    serde_json::from_str(body).unwrap()
}

fn record(fan: Option<&str>, code: Option<(&str, &str)>) -> ScoringRecord {
    ScoringRecord {
        campaign_id: "c".to_owned(),
        market_id: "m".to_owned(),
        global_user_id: fan.map(str::to_owned),
        member_id: None,
        score: Score::parse("850").unwrap(),
        registered_at: "2024-01-01T10:00:00.000Z".to_owned(),
        code: code.map(|(market, value)| Code { market_id: market.to_owned(), value: value.to_owned() }),
        removed: false,
    }
}

fn winners(count: usize, per_page: usize) -> World {
    let winner = |n| record(Some(&format!("fan-{n}")), Some(("m", &format!("CODE-{n}"))));
    World { records: (0..count).map(winner).collect(), per_page, ..World::default() }
}

fn body(campaign: &str, market: &str) -> Body {
    Body { campaign_id: campaign.to_owned(), market_id: market.to_owned(), task_id: None, after: None }
}

fn run(world: &World) -> Disposition {
    block_on(refresh(world, "msg-1", &body("c", "m")))
}

/// Handles the rests that are queued, until none is left; returns how many there were.
fn run_rests(world: &World) -> usize {
    let mut count = 0;
    loop {
        let Some(rest) = world.rest.borrow_mut().pop() else { return count };
        count += 1;
        // As it is in the queue.
        let rest = serde_json::from_str::<Body>(&json!(rest).to_string()).unwrap().checked().unwrap();
        assert_eq!(block_on(refresh(world, &format!("rest-{count}"), &rest)), Disposition::Ack);
    }
}

#[test]
fn every_winner_is_queued_with_the_code_that_the_fan_has() {
    let world = winners(5, 2);
    assert_eq!(run(&world), Disposition::Ack);
    let body = |n: usize| {
        let fan = format!(r#"{{"taskId":"refresh-msg-1","campaignId":"c","marketId":"m","globalUserId":"fan-{n}","#);
        format!(r#"{fan}"verdict":true,"code":"CODE-{n}"}}"#)
    };
    assert_eq!(*world.queued.borrow(), (0..5).map(body).collect::<Vec<_>>());
    assert_eq!(world.logged("queued"), 5);
    assert!(world.rest.borrow().is_empty());
}

#[test]
fn only_assigned_records_are_asked_for_page_by_page() {
    let world = winners(5, 2);
    run(&world);
    let pages = world.pages.borrow();
    assert!(pages.iter().all(|query| query.state == ScoringState::Assigned && query.limit == MAX_PER_PAGE));
    let after: Vec<_> = pages.iter().map(|query| query.after.as_deref()).collect();
    assert_eq!(after, [None, Some("2"), Some("4")]);
}

#[test]
fn a_market_without_winners_is_done() {
    let world = winners(0, 2);
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.logged("queued"), 0);
}

#[test]
fn records_without_fan_or_code_are_counted_and_not_queued() {
    let mut world = winners(2, 10);
    let (code, other) = (Some(("m", "A")), Some(("n", "A")));
    world.records.extend([
        record(None, code),
        record(Some(""), code),
        record(Some("v"), None),
        record(Some("w"), other),
        record(Some("x"), Some(("m", ""))),
        record(Some("y\u{fffe}"), code),
        record(Some("z"), Some(("m", "A\u{ffff}"))),
    ]);
    // JSON escapes control characters.
    world.records.push(record(Some("u\u{1}"), Some(("m", "A\u{1b}"))));
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.fans(), ["fan-0", "fan-1", "u\u{1}"]);
    assert_eq!((world.logged("queued"), world.logged("leftOut")), (3.into(), 7.into()));
    let told = world.logged.borrow();
    assert_eq!(told[0].0, "Scoring records without globalUserId or code of the market");
}

/// They have no item to write to, and nothing is wrong with their records.
#[test]
fn winners_who_have_left_are_not_queued_again() {
    let mut world = winners(5, 2);
    [0, 3].into_iter().for_each(|left| world.records[left].removed = true);
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.fans(), ["fan-1", "fan-2", "fan-4"]);
    assert_eq!((world.logged("queued"), world.logged("leftOut")), (3.into(), 0.into()));
}

/// 200 pages of a second each: a call ends after two minutes, and the rest is another message.
#[test]
fn two_hundred_thousand_winners_are_queued_once_each_in_calls_that_end_in_time() {
    let world = World { slow: 1, ..winners(200_000, 1_000) };
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!((world.pages.borrow().len(), world.queued.borrow().len()), (120, 120_000));
    assert_eq!(world.seconds.get(), PER_CALL_SECS);
    let rest = json!({"campaignId": "c", "marketId": "m", "taskId": "refresh-msg-1", "after": "120000"});
    assert_eq!(json!(world.rest.borrow()[0]), rest);
    assert_eq!(run_rests(&world), 1);
    let expected: Vec<_> = (0..200_000).map(|n| format!("fan-{n}")).collect();
    assert_eq!(world.fans(), expected, "each once, in order");
    let last = world.queued.borrow().last().cloned().unwrap();
    assert_eq!(selection(&last).task_id, "refresh-msg-1", "it is the same refresh");
    assert_eq!(world.pages.borrow().len(), 200);
}

/// A page may take longer than a call should run.
#[test]
fn each_call_gets_a_page_done_however_slow_it_is() {
    let world = World { slow: PER_CALL_SECS + 1, ..winners(5, 1) };
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(run_rests(&world), 4);
    assert_eq!(world.fans().len(), 5);
}

#[test]
fn a_refresh_whose_first_page_fails_is_delivered_again() {
    let refused = ServiceError::Refused(ResponseSummary::new("entry", 404, "no such campaign"));
    let mut world = World { unreadable: Some((0, refused.clone())), ..winners(5, 2) };
    assert_eq!(run(&world), Disposition::retry(refused.to_string()));
    assert!(world.queued.borrow().is_empty() && world.rest.borrow().is_empty());
    world.unreadable = None;
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.fans().len(), 5);
}

/// The rest of a refresh has attempts of its own, and is a dead letter that continues where it has failed.
#[test]
fn a_later_page_that_fails_is_where_the_rest_begins() {
    let down = ServiceError::Unavailable { service: "entry", message: "down".to_owned() };
    let mut world = World { unreadable: Some((1, down.clone())), ..winners(5, 2) };
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!((world.fans().len(), world.rest.borrow()[0].after.as_deref()), (2, Some("2")));
    let rest = world.rest.borrow_mut().pop().unwrap();
    assert_eq!(block_on(refresh(&world, "rest", &rest)), Disposition::retry(down.to_string()), "it got nowhere");
    assert!(world.rest.borrow().is_empty());
    world.unreadable = None;
    assert_eq!(block_on(refresh(&world, "rest", &rest)), Disposition::Ack);
    assert_eq!(world.fans(), ["fan-0", "fan-1", "fan-2", "fan-3", "fan-4"], "each once");
}

#[test]
fn messages_that_fail_are_sent_again_alone() {
    let world = World { refuses_every: Some(7), ..winners(100, 20) };
    assert_eq!(run(&world), Disposition::Ack);
    let fans = world.fans();
    assert_eq!((fans.len(), fans.into_iter().collect::<BTreeSet<_>>().len()), (100, 100), "each once");
}

#[test]
fn a_page_whose_messages_are_not_accepted_is_queued_again_and_no_page_before_it() {
    let busy = Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(9) };
    for (fan, pages) in [("fan-0", 0), ("fan-3", 1)] {
        let mut world = World { refused: Some((fan.to_owned(), busy.clone())), ..winners(5, 2) };
        let disposition = run(&world);
        match pages {
            0 => assert_eq!(disposition, Disposition::retry_after(Some(9), "1 messages are not queued: later")),
            _ => assert_eq!((disposition, world.rest.borrow()[0].after.as_deref()), (Disposition::Ack, Some("2"))),
        }
        world.refused = None;
        if pages == 0 {
            assert_eq!(run(&world), Disposition::Ack);
        }
        run_rests(&world);
        assert_eq!(world.fans().into_iter().collect::<BTreeSet<_>>().len(), 5);
    }
}

#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_9__point_1_a_winner_whose_message_is_wrong_in_itself_costs_no_other() {
    let world = World {
        refused: Some(("fan-3".to_owned(), Error::new(ErrorKind::Invalid, "no"))),
        refuses_every: Some(7),
        ..winners(20, 5)
    };
    assert_eq!(run(&world), Disposition::Ack);
    let fans: BTreeSet<_> = world.fans().into_iter().collect();
    assert!(fans.len() == 19 && !fans.contains("fan-3"), "{fans:?}");
    assert_eq!((world.logged("queued"), world.logged("lost")), (19.into(), 1.into()));
    let logged = world.logged.borrow();
    let (message, data) = &logged[0];
    assert_eq!(message, "Winners not queued: their messages are invalid");
    assert_eq!((&data["globalUserIds"], &data["problem"]), (&json!(["fan-3"]), &json!("no")));
}

#[test]
fn point_1_every_winner_whose_message_is_wrong_is_named() {
    let refused = Some(("fan-11".to_owned(), Error::new(ErrorKind::Invalid, "no")));
    let world = World { refused, ..winners(120, 50) };
    assert_eq!(run(&world), Disposition::Ack);
    let expected: Vec<_> = (0..120).map(|n| format!("fan-{n}")).filter(|fan| fan.starts_with("fan-11")).collect();
    assert_eq!((world.logged("queued"), world.logged("lost")), (109.into(), expected.len().into()));
    let logged = world.logged.borrow();
    let named = logged.iter().filter_map(|(_, data)| data["globalUserIds"].as_array()).flatten();
    assert!(named.eq(&expected), "{logged:?}");
}

/// The cause is not theirs, but what all messages of the page share. The refresh is not done.
#[test]
fn point_1_a_page_of_which_no_message_is_accepted_is_queued_again() {
    let refused = Some(("fan".to_owned(), Error::new(ErrorKind::Invalid, "no such attribute")));
    let mut world = World { refused, ..winners(20, 5) };
    assert_eq!(run(&world), Disposition::retry("none of 5 messages is queued: no such attribute"));
    world.refused = None;
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.fans().len(), 20);
}

#[test]
fn a_rest_that_is_not_queued_has_the_message_delivered_again() {
    let stuck = Error::new(ErrorKind::Unavailable, "no queue");
    let mut world = World { slow: PER_CALL_SECS, stuck: Some(stuck), ..winners(3, 1) };
    assert_eq!(run(&world), Disposition::retry("no queue"));
    world.rest.take();
    (world.stuck, world.slow) = (None, 0);
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.fans(), ["fan-0", "fan-0", "fan-1", "fan-2"], "some are queued twice, none is left out");
}

#[test]
fn an_empty_id_is_malformed() {
    assert_eq!(body("", "m").checked().unwrap_err(), "malformed: campaignId is empty");
    assert_eq!(body("c", "").checked().unwrap_err(), "malformed: marketId is empty");
    let problem = "malformed: marketId contains a character that no queue takes";
    assert_eq!(body("c", "m\u{fffe}").checked().unwrap_err(), problem);
    assert!(body("c\u{1}", "m\u{1b}").checked().is_ok(), "JSON escapes control characters");
    let bare: Body = serde_json::from_str(r#"{"campaignId":"c","marketId":"m","after":null}"#).unwrap();
    assert_eq!(bare.checked(), Ok(body("c", "m")));
}

#[test]
fn case_02_the_task_which_is_for_people_costs_no_refresh() {
    for task in ["null", "7", r#""\ud800""#] {
        let text = format!(r#"{{"campaignId":"c","marketId":"m","taskId":{task}}}"#);
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body("c", "m"), "{task}");
    }
}
