//! Tests of whole refreshes over a fake.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use futures::executor::block_on;
use serde_json::Value;
use std::cell::RefCell;
use worker_kit::platform::ErrorKind;
use worker_kit::services::entry::Score;
use worker_kit::services::{AnswerSummary, ServiceError};

/// An Entry Service with the scoring records of market `m`, and a queue.
#[derive(Default)]
struct World {
    records: Vec<ScoringRecord>,
    /// The records of one page.
    per_page: usize,
    /// The requests for pages from this one on fail with this error.
    unreadable: Option<(usize, ServiceError)>,
    /// Whether every page names itself as the next.
    circular: bool,
    /// The fan whose message is not accepted.
    refused: Option<(String, Error)>,
    pages: RefCell<Vec<ScoringQuery>>,
    queued: RefCell<Vec<Selection>>,
    logged: RefCell<Vec<(String, Value)>>,
}

impl Ports for World {
    async fn page(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError> {
        assert_eq!(campaign_id, "c");
        let start: usize = query.after.as_ref().map_or(0, |after| after.parse().unwrap());
        let nth = self.pages.borrow().len();
        self.pages.borrow_mut().push(query.clone());
        if let Some((from, error)) = &self.unreadable
            && nth >= *from
        {
            return Err(error.clone());
        }
        let end = (start + self.per_page).min(self.records.len());
        let next = (end < self.records.len()).then_some(end);
        let next = if self.circular { Some(start) } else { next };
        Ok(ScoringPage { records: self.records[start..end].to_vec(), next: next.map(|next| next.to_string()) })
    }

    async fn queue(&self, selections: &[Selection]) -> Result<Vec<Result<String, Error>>, Error> {
        assert!(!selections.is_empty());
        let accept = |selection: &Selection| match &self.refused {
            Some((fan, error)) if *fan == selection.global_user_id => Err(error.clone()),
            _ => {
                self.queued.borrow_mut().push(selection.clone());
                Ok(String::new())
            }
        };
        Ok(selections.iter().map(accept).collect())
    }

    fn info(&self, message: &str, data: Value) {
        self.logged.borrow_mut().push((message.to_owned(), data));
    }

    fn warn(&self, message: &str, data: Value) {
        self.info(message, data);
    }

    fn failed(&self, message: &str, _: &ServiceError, data: Value) {
        self.info(message, data);
    }
}

fn record(fan: Option<&str>, code: Option<(&str, &str)>) -> ScoringRecord {
    ScoringRecord {
        campaign_id: "c".to_owned(),
        market_id: "m".to_owned(),
        global_user_id: fan.map(str::to_owned),
        member_id: None,
        score: Score::parse("850").unwrap(),
        registered_at: "2024-01-01T10:00:00.000Z".to_owned(),
        phone_number: None,
        locale: None,
        verdict: Some(true),
        code: code.map(|(market, value)| Code { market_id: market.to_owned(), value: value.to_owned() }),
    }
}

fn winners(count: usize, per_page: usize) -> World {
    let winner = |n| record(Some(&format!("fan-{n}")), Some(("m", &format!("CODE-{n}"))));
    World { records: (0..count).map(winner).collect(), per_page, ..World::default() }
}

fn run(world: &World) -> Disposition {
    block_on(refresh(world, "msg-1", &Body { campaign_id: "c".to_owned(), market_id: "m".to_owned() }))
}

/// What the last line of the log says of this.
fn logged(world: &World, name: &str) -> Value {
    world.logged.borrow().last().unwrap().1[name].clone()
}

#[test]
fn every_winner_is_queued_with_the_code_that_the_fan_has() {
    let world = winners(5, 2);
    assert_eq!(run(&world), Disposition::Ack);
    let queued = world.queued.borrow();
    let fans: Vec<_> = queued.iter().map(|it| (it.global_user_id.as_str(), it.code.as_str())).collect();
    let expected =
        [("fan-0", "CODE-0"), ("fan-1", "CODE-1"), ("fan-2", "CODE-2"), ("fan-3", "CODE-3"), ("fan-4", "CODE-4")];
    assert_eq!(fans, expected);
    let body = r#"{"taskId":"refresh-msg-1","campaignId":"c","marketId":"m","globalUserId":"fan-0","verdict":true,"code":"CODE-0"}"#;
    assert_eq!(serde_json::to_string(&queued[0]).unwrap(), body);
    assert_eq!(logged(&world, "queued"), 5);
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
    assert_eq!(logged(&world, "queued"), 0);
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
    ]);
    assert_eq!(run(&world), Disposition::Ack);
    assert_eq!(world.queued.borrow().len(), 2);
    assert_eq!((logged(&world, "queued"), logged(&world, "leftOut")), (2.into(), 5.into()));
    let told = world.logged.borrow();
    assert_eq!(told[0].0, "Scoring records without globalUserId or code of the market");
}

#[test]
fn an_unreadable_page_has_the_message_delivered_again() {
    let refused = ServiceError::Refused(AnswerSummary::new("entry", 404, "no such campaign"));
    let down = ServiceError::Unavailable { service: "entry", message: "down".to_owned() };
    for (page, error) in [(0, refused), (1, down)] {
        let mut world = winners(5, 2);
        world.unreadable = Some((page, error.clone()));
        assert_eq!(run(&world), Disposition::retry(error.to_string()));
        assert_eq!(world.queued.borrow().len(), 2 * page);
        world.unreadable = None;
        assert_eq!(run(&world), Disposition::Ack);
        assert_eq!(world.queued.borrow().len(), 2 * page + 5, "some are queued twice, none is left out");
    }
}

#[test]
fn a_message_that_is_not_accepted_has_the_whole_delivered_again() {
    let mut world = winners(5, 2);
    let busy = Error { kind: ErrorKind::Throttled, message: "later".to_owned(), retry_after_ms: Some(9) };
    world.refused = Some(("fan-3".to_owned(), busy));
    assert_eq!(run(&world), Disposition::retry_after(Some(9), "later"));
    world.refused = None;
    assert_eq!(run(&world), Disposition::Ack);
}

#[test]
fn a_response_without_every_message_is_not_success() {
    assert_eq!(sent(&Ok(vec![Ok(String::new())]), 1), Ok(()));
    let problem = "saveSelectionQueue: the response does not mention every message";
    assert_eq!(sent(&Ok(vec![Ok(String::new())]), 2), Err(Disposition::retry(problem)));
    let down = Error::new(ErrorKind::Unavailable, "down");
    assert_eq!(sent(&Err(down), 1), Err(Disposition::retry("down")));
}

#[test]
fn pages_that_lead_nowhere_are_not_read_for_ever() {
    let world = World { circular: true, ..winners(5, 2) };
    assert!(matches!(run(&world), Disposition::Retry(_)));
    assert_eq!(world.pages.borrow().len(), 2);
}

#[test]
fn an_empty_id_is_malformed() {
    let body = |campaign: &str, market: &str| Body { campaign_id: campaign.to_owned(), market_id: market.to_owned() };
    assert_eq!(body("", "m").checked().unwrap_err(), "malformed: campaignId is empty");
    assert_eq!(body("c", "").checked().unwrap_err(), "malformed: marketId is empty");
    assert!(body("c", "m").checked().is_ok());
}
