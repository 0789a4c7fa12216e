//! Slack: accepts the messages of one webhook, and returns them through the control API.
//!
//! A post that states the same counts of a campaign as the post before it is a violation, unless the sender cannot know
//! that the post before was accepted: its response was lost, or the sender was killed ([`Slack::interrupted`]).

use crate::faults::{Fate, Fault};
use crate::guard::{Checked, Guard};
use crate::reply;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chrono::Utc;
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The path of the webhook, by which alone it is called. It stands for a secret.
const PATH: &str = "/services/T0FAKE00000/B0FAKE00000/FakeFakeFakeFakeFakeFake";

/// Headers that are not for other people.
const OURS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-forwarded-authorization"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-campaign-id"),
];

/// What was posted of one campaign. A message about several campaigns is a post of each.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// When it arrived, milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// Its text.
    pub text: String,
    /// What it reports; `None` if it is not a report of counts.
    pub report: Option<Report>,
}

/// The counts of a campaign, as a message states them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The campaign.
    pub campaign_id: String,
    /// Verified fans.
    pub verified: i64,
    /// Rejected fans.
    pub rejected: i64,
    /// Selected fans.
    pub selected: i64,
}

/// The posts to Slack.
pub struct Slack {
    guard: Arc<Guard>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    posts: Vec<Post>,
    /// The last report of each campaign.
    last: HashMap<String, Last>,
}

struct Last {
    report: Report,
    /// Whether its sender may not know that it was taken.
    may_come_again: bool,
}

impl Report {
    /// Reads a line of a message, as in
    /// `Scoring of campaign c, file b/f: 1,200 verified (+200), 300 rejected (-5), 0 selected`.
    fn read(line: &str) -> Option<Self> {
        let (about, counts) = line.rsplit_once(": ")?;
        let (_, about) = about.split_once(" of campaign ")?;
        let campaign_id = about.split(", ").next()?;
        // The changes are in parentheses, and a comma with a blank behind it ends a count.
        let mut counts = counts.split(", ").map(|count| {
            let mut words = count.split(' ');
            Some((words.next()?.replace(',', "").parse::<i64>().ok()?, words.next()?))
        });
        let mut count = |name: &str| counts.next()?.filter(|(_, of)| *of == name).map(|(count, _)| count);
        let (verified, rejected, selected) = (count("verified")?, count("rejected")?, count("selected")?);
        Some(Self { campaign_id: campaign_id.to_owned(), verified, rejected, selected })
    }
}

impl Slack {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { guard, told: Mutex::default() }
    }

    /// All posts, in order.
    pub fn posts(&self) -> Vec<Post> {
        self.lock().posts.clone()
    }

    /// Says that the sender was killed, perhaps between a post and noting it: of each campaign, the next post may state
    /// the same counts as the last one.
    pub fn interrupted(&self) {
        self.lock().last.values_mut().for_each(|last| last.may_come_again = true);
    }

    /// Takes a message. `unheard`: the sender does not get the answer.
    fn take(&self, text: &str, unheard: bool) {
        let at_ms = Utc::now().timestamp_millis();
        let mut told = self.lock();
        for (text, report) in posts(text) {
            if let Some(report) = &report {
                let new = Last { report: report.clone(), may_come_again: unheard };
                let before = told.last.insert(report.campaign_id.clone(), new);
                if before.is_some_and(|before| before.report == *report && !before.may_come_again) {
                    self.guard.violations.add(format!("Slack was told twice, one after the other: {text}"));
                }
            }
            told.posts.push(Post { at_ms, text, report });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reports of a message, each with its own lines: a line without a report belongs to the one before.
fn posts(text: &str) -> Vec<(String, Option<Report>)> {
    let mut posts: Vec<(String, Option<Report>)> = vec![];
    for line in text.lines() {
        match (Report::read(line), posts.last_mut()) {
            (None, Some((text, _))) => {
                text.push('\n');
                text.push_str(line);
            }
            (report, _) => posts.push((line.to_owned(), report)),
        }
    }
    posts
}

/// The webhook below the address of the fake.
pub(crate) fn webhook(url: &str) -> String {
    format!("{url}{PATH}")
}

/// The routes of the contract and of the control API.
pub(crate) fn routes(state: Arc<Slack>) -> Router {
    let guard = state.guard.clone();
    Router::new()
        .route(PATH, guard.route("postMessage", post(take)))
        .route("/_control/posts", get(tell))
        .route("/_control/interrupted", post(interrupt))
        .fallback(async || failure(StatusCode::NOT_FOUND, "", ""))
        .with_state(state)
}

async fn take(
    State(slack): State<Arc<Slack>>,
    headers: HeaderMap,
    Extension(fate): Extension<Fate>,
    Extension(sent): Extension<Checked>,
) -> Response {
    for name in OURS.into_iter().filter(|name| headers.contains_key(name)) {
        slack.guard.violations.add(format!("Slack was sent the header {name}"));
    }
    let text = sent.body.get("text").and_then(|text| text.as_str()).unwrap_or_default();
    slack.take(text, matches!(fate.fault, Some(Fault::CutAfter | Fault::Garbled)));
    "ok".into_response()
}

async fn tell(State(slack): State<Arc<Slack>>) -> Response {
    reply::ok(json!({ "posts": slack.posts() }))
}

async fn interrupt(State(slack): State<Arc<Slack>>) -> Response {
    slack.interrupted();
    reply::ok(json!({}))
}

/// A failure as Slack words it.
pub(crate) fn failure(status: StatusCode, _code: &str, _message: &str) -> Response {
    let said = match status.as_u16() {
        400 => "invalid_payload",
        403 => "action_prohibited",
        404 => "no_service",
        410 => "channel_is_archived",
        429 => "rate_limited",
        _ => "rollup_error",
    };
    (status, said).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report =
            |text: &str| Report::read(text).map(|it| (it.campaign_id, [it.verified, it.rejected, it.selected]));
        let scoring = "Scoring of campaign c-1, file b/scrubbed/a: b, c.csv: 1,200 verified (+200), 300 rejected (-5), 0 selected";
        assert_eq!(report(scoring), Some(("c-1".to_owned(), [1_200, 300, 0])));
        let selection = "Selection of campaign c-1, market m: -1 verified, 0 rejected, 1,000,000 selected (+1,000,000)";
        assert_eq!(report(selection), Some(("c-1".to_owned(), [-1, 0, 1_000_000])));
        for text in ["", "hello", "Scoring of campaign c", "Scoring of campaign c: 1 verified, 2 selected, 3 rejected"]
        {
            assert_eq!(report(text), None, "{text}");
        }
        let message = format!("{scoring}\n:warning: late\n{selection}");
        let texts: Vec<_> = posts(&message).into_iter().map(|(text, report)| (text, report.is_some())).collect();
        assert_eq!(texts, [(format!("{scoring}\n:warning: late"), true), (selection.to_owned(), true)]);
    }
}
