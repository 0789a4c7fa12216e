//! The bodies of scoring and selection, as their workers read them: absent and null are alike, an integer may have a
//! fraction of zeros, and a good body is never lost for what its worker does not need.

use super::event_shapes::{junk, put, with};
use proptest::prelude::*;
use proptest::sample::Index;
use registration::selection::SelectionMessage;
use scoring::counts::Counts;
use scoring::record::ScoreRecord;
use scoring::report::Message;
use serde_json::{Value, json};

/// A body.
struct Body {
    name: &'static str,
    good: fn() -> Value,
    /// What its worker does not need.
    unneeded: &'static [&'static str],
    /// What may be absent, and so null.
    optional: &'static [&'static str],
    /// The integers.
    integers: &'static [&'static str],
    /// All that is read, and of that what its worker needs.
    read: fn(&str) -> Result<(String, String), String>,
}

const SELECTION: Body = Body {
    name: "saveSelectionQueue",
    good: || {
        json!({
            "taskId": "t", "campaignId": "c", "marketId": "m", "globalUserId": "u", "verdict": true, "code": "CODE-1",
        })
    },
    unneeded: &["/taskId"],
    optional: &["/taskId", "/code"],
    integers: &[],
    read: |text| {
        let message: SelectionMessage<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let needed = SelectionMessage { task_id: "".into(), ..message.clone() };
        Ok((format!("{message:?}"), format!("{needed:?}")))
    },
};

const REPORT: Body = Body {
    name: "verdictReporterQueue",
    good: || {
        json!({
            "campaignId": "c", "marketId": "m", "source": "scoring", "file": "b/f.csv", "endedMs": 1_705_314_600_000_u64,
            "expected": {"verified": 25, "rejected": 3, "selected": 0}, "sinceMs": 1_705_314_600_001_u64,
            "seen": {"verified": 24, "rejected": 3, "selected": 0},
        })
    },
    unneeded: &["/marketId", "/file"],
    optional: &[
        "/marketId",
        "/file",
        "/expected",
        "/expected/verified",
        "/expected/rejected",
        "/expected/selected",
        "/endedMs",
        "/sinceMs",
        "/seen",
        "/seen/verified",
        "/seen/rejected",
        "/seen/selected",
    ],
    integers: &[
        "/expected/verified",
        "/expected/rejected",
        "/expected/selected",
        "/endedMs",
        "/sinceMs",
        "/seen/verified",
        "/seen/rejected",
        "/seen/selected",
    ],
    read: |text| {
        let message: Message = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let needed = Message { market_id: None, file: None, ..message.clone() };
        Ok((format!("{message:?}"), format!("{needed:?}")))
    },
};

const SCORE: Body = Body {
    name: "scoresStream",
    good: || {
        json!({
            "campaignId": "c", "memberId": "m", "globalUserId": "u", "email": "fan@example.com", "marketId": "k",
            "eventId": "e", "rank": 0, "score": 850, "verification": "verified", "selected": true, "file": "b/f.csv",
            "sequencer": "0055AED6DCD90281E5",
        })
    },
    unneeded: &["/email", "/marketId", "/eventId", "/selected"],
    optional: &["/memberId", "/globalUserId", "/email", "/marketId", "/eventId", "/rank", "/selected"],
    integers: &["/rank"],
    read: |text| {
        let record: ScoreRecord = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let record = record.checked()?;
        let needed = ScoreRecord { email: None, market_id: None, event_id: None, selected: None, ..record.clone() };
        Ok((format!("{record:?}"), format!("{needed:?}")))
    },
};

/// The item of a campaign's counts.
const COUNTS: Body = Body {
    name: "meta:counts",
    good: || json!({"pk": "CAMPAIGN#c", "sk": "meta:counts", "verified": 5, "rejected": 2, "selected": 1, "position": {}}),
    unneeded: &["/pk", "/sk"],
    optional: &["/verified", "/rejected", "/selected", "/position"],
    integers: &["/verified", "/rejected", "/selected"],
    read: |text| {
        let counts = Counts::read(Some(text))?;
        let counts = format!("{:?}", (counts.totals, counts.positions));
        Ok((counts.clone(), counts))
    },
};

const BODIES: [Body; 4] = [SELECTION, REPORT, SCORE, COUNTS];

impl Body {
    fn read(&self, body: &str) -> (String, String) {
        (self.read)(body).unwrap_or_else(|problem| panic!("{}: {problem}: {body}", self.name))
    }
}

#[test]
fn absent_and_null_are_alike_in_bodies_of_scoring_and_selection() {
    for body in BODIES {
        let good = (body.good)();
        for path in body.optional {
            let absent = body.read(&with(&good, path, None).to_string());
            let null = body.read(&with(&good, path, Some(Value::Null)).to_string());
            assert_eq!(null, absent, "{}: null {path}", body.name);
        }
    }
}

#[test]
fn integers_of_bodies_are_read_however_they_are_written() {
    for body in BODIES {
        let good = (body.good)();
        let whole = body.read(&good.to_string());
        for path in body.integers {
            let number = good.pointer(path).unwrap().to_string();
            for written in [format!("{number}.0"), format!("{number}.00"), format!("{number}.0e0")] {
                let text = with(&good, path, Some("NUMBER".into())).to_string().replace("\"NUMBER\"", &written);
                assert_eq!(body.read(&text), whole, "{}: {text}", body.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the members that the worker does not need, and in members that nobody knows.
    #[test]
    fn a_good_body_of_scoring_or_selection_is_never_lost_for_what_is_not_needed(
        body in 0..BODIES.len(),
        changes in prop::collection::vec((any::<Index>(), prop::option::of(junk())), 1..6),
        unknown in junk(),
    ) {
        let body = &BODIES[body];
        let mut changed = (body.good)();
        let (_, needed) = body.read(&changed.to_string());
        for (index, change) in changes {
            let path = *index.get(body.unneeded);
            put(&mut changed, path, change);
        }
        put(&mut changed, "/unknown", Some(unknown));
        let (_, read) = body.read(&changed.to_string());
        prop_assert_eq!(read, needed, "{}", changed);
    }
}
