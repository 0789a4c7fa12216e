//! The update of a fan's item, and what follows from an answer. Pure.

use crate::plan::Job;
use crate::selection::Prize;
use serde::Deserialize;
use serde_json::{Value, json};
use worker_kit::Disposition;
use worker_kit::platform::{
    Error, ErrorKind,
    table::{Predicate, Update},
};
use worker_kit::services::Results;
use worker_kit::services::entry::{AssignStatus, Assigned};

/// Rounds of a request that the Entry Service took in parts, after which the rest is delivered again.
pub const MAX_ROUNDS: usize = 5;

/// The prefix of the reason for a winner who has another code: such a record is done, and counted under this word.
const FAILED: &str = "FAILED: ";

/// What to do for a winner after a request to the Entry Service.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The Entry Service has the fan's code: write it to the item.
    Write,
    /// Another fan kept the service from assigning it: send it again without that one.
    Again,
    /// The service does not accept it: the item may show why, see [`after_refusal`]. Otherwise this is the disposition
    /// of its records.
    Look(Disposition),
    /// Nothing more: the disposition of its records.
    Settle(Disposition),
}

/// The outcome of an update.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// The item says the same as the selection.
    Done,
    /// The item does not meet the condition: read it to learn why.
    Unmet,
    /// It failed: the disposition of its records.
    Failed(Disposition),
}

/// Whether it is the disposition of a winner who holds another code.
pub fn is_failed(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Skip(reason) if reason.starts_with(FAILED))
}

/// The next step after a request to assign codes. All codes of a request are assigned, or none. `assigned` beside other
/// statuses means that the fan already held this code.
pub fn after_assign(answer: &Results<Assigned>, fan: &str) -> Next {
    let Some(Assigned { status, message, .. }) = answer.results.iter().find(|result| result.global_user_id == fan)
    else {
        return Next::Settle(Disposition::retry(answer.unmentioned()));
    };
    let why = message.as_deref().unwrap_or("it does not say why");
    let refused = |what: String| Next::Look(Disposition::retry(answer.told(what)));
    match status {
        AssignStatus::Assigned => Next::Write,
        AssignStatus::Unassigned => Next::Again,
        AssignStatus::Held => Next::Settle(failed()),
        // The entry may still be on its way to the service.
        AssignStatus::Unknown => refused("unknown: it holds no such entry".to_owned()),
        AssignStatus::Invalid => refused(format!("invalid: {why}")),
    }
}

/// A fan has one scoring record, and so one code, in a campaign. The code stays reserved for a later task of its market.
fn failed() -> Disposition {
    Disposition::Skip(format!("{FAILED}the fan holds another code, which stays"))
}

/// Writes the verdict, and nothing else, to an item that exists. A winner's item must hold no other code and no other
/// market, a loser's no code; null counts as absent. Concurrent changes by the fan stay, and so does the flag for
/// replication.
pub fn update(job: &Job) -> Update {
    let exists = Predicate::Exists("pk".to_owned());
    let set = |path: &str, value: Value| (path.to_owned(), value.to_string());
    let absent_or = |(path, value): &(String, String)| Predicate::AbsentOrEquals((path.clone(), value.clone()));
    let (set, condition) = match &job.won {
        Some(Prize { market_id, code }) => {
            let prize = [set("accessCode", code.as_str().into()), set("marketId", market_id.as_str().into())];
            let condition = [exists].into_iter().chain(prize.iter().map(absent_or)).collect();
            ([set("verdict", true.into())].into_iter().chain(prize).collect(), condition)
        }
        None => {
            let no_code = Predicate::AbsentOrEquals(("accessCode".to_owned(), "null".to_owned()));
            (vec![set("verdict", false.into())], vec![exists, no_code])
        }
    };
    Update { key: job.key(), set, increment: vec![], remove: vec![], condition }
}

/// The update to repeat for a job whose update failed its condition because a text in the item is empty, which counts as
/// absent, too. It expects these texts to be empty still. `None` if that does not make the condition hold.
pub fn update_of_blank(job: &Job, item: Option<&str>) -> Option<Update> {
    let item: Value = serde_json::from_str(item?).ok()?;
    let mut update = update(job);
    let mut is_blank = false;
    for predicate in &mut update.condition {
        if let Predicate::AbsentOrEquals((path, _)) = predicate
            && item.get(path.as_str()).is_some_and(|held| held == "")
        {
            *predicate = Predicate::Equals((path.clone(), json!("").to_string()));
            is_blank = true;
        }
    }
    is_blank.then_some(update)
}

/// The outcome of an update with this error, or none.
pub fn after_update(error: Option<&Error>) -> Written {
    match error {
        None => Written::Done,
        Some(error) if error.kind == ErrorKind::ConditionFailed => Written::Unmet,
        Some(error) => Written::Failed(error.disposition()),
    }
}

/// How an item relates to a winner's prize.
enum Standing {
    /// There is no item: the fan no longer has an entry.
    Gone,
    /// It holds neither code nor market that differ from the prize.
    Open,
    /// It holds the prize.
    Held,
    /// It holds another code, or is of another market.
    Other,
}

/// The selection's attributes of an item; null and an empty text count as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holds {
    access_code: Option<Value>,
    market_id: Option<Value>,
}

impl Holds {
    /// Reads an item. The error is the disposition of its records.
    fn read(item: &str) -> Result<Self, Disposition> {
        let malformed = |problem| Disposition::Reject(format!("malformed: the item's {problem}"));
        let Self { access_code, market_id } = serde_json::from_str(item).map_err(malformed)?;
        let [access_code, market_id] = [access_code, market_id].map(|held| held.filter(|held| held != ""));
        Ok(Self { access_code, market_id })
    }
}

fn standing(won: &Prize, item: Option<&str>) -> Result<Standing, Disposition> {
    let Some(item) = item else { return Ok(Standing::Gone) };
    let Holds { access_code, market_id } = Holds::read(item)?;
    let held = [(access_code, &won.code), (market_id, &won.market_id)];
    let differs = |(held, wanted): &(Option<Value>, &String)| held.as_ref().is_some_and(|held| held != *wanted);
    Ok(match held {
        held if held.iter().any(differs) => Standing::Other,
        [(Some(_), _), (Some(_), _)] => Standing::Held,
        _ => Standing::Open,
    })
}

/// The disposition of a job whose fan has no item.
pub fn gone() -> Disposition {
    Disposition::Skip("gone: the fan has no entry any more".to_owned())
}

/// What follows for a winner whom the Entry Service does not accept, from the present item. The response does not say
/// why; `refused` is the disposition if the item does not show it, either. `Ok` if the item already has the code: it
/// was written after the Entry Service had assigned it.
pub fn after_refusal(job: &Job, item: Option<&str>, refused: Disposition) -> Result<(), Disposition> {
    let standing = job.won.as_ref().map_or(Ok(Standing::Open), |won| standing(won, item))?;
    match standing {
        Standing::Gone => Err(gone()),
        Standing::Open => Err(refused),
        Standing::Held => Ok(()),
        Standing::Other => Err(failed()),
    }
}

/// The disposition of a job whose update found its condition not met, by the item as it is now.
pub fn why_not(job: &Job, item: Option<&str>) -> Disposition {
    let changed = || Disposition::retry("the item changed while the verdict was written");
    let told = match &job.won {
        Some(won) => standing(won, item).map(|standing| match standing {
            Standing::Gone => gone(),
            Standing::Other => failed(),
            Standing::Open | Standing::Held => changed(),
        }),
        None => item.map(Holds::read).transpose().map(|holds| match holds {
            None => gone(),
            Some(Holds { access_code: Some(_), .. }) => Disposition::Skip("winner: the fan holds a code".to_owned()),
            Some(_) => changed(),
        }),
    };
    told.unwrap_or_else(|malformed| malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use crate::testing::{answer, job, lost, won};

    const TOLD: &str = "the entry service answered with status 200";

    fn assigned(status: AssignStatus, message: Option<&str>) -> Next {
        let message = message.map(str::to_owned);
        after_assign(&answer(vec![Assigned { global_user_id: "u".to_owned(), status, message }]), "u")
    }

    #[test]
    fn a_fan_who_holds_this_code_gets_it_written() {
        assert_eq!(assigned(AssignStatus::Assigned, None), Next::Write);
    }

    #[test]
    fn a_fan_kept_out_by_another_is_sent_again() {
        assert_eq!(assigned(AssignStatus::Unassigned, None), Next::Again);
    }

    #[test]
    fn a_winner_of_another_market_is_done_and_counted_as_failed() {
        let Next::Settle(disposition) = assigned(AssignStatus::Held, None) else { unreachable!() };
        assert!(is_failed(&disposition), "{disposition:?}");
        assert!(!is_failed(&Disposition::Ack) && !is_failed(&Disposition::Skip("winner: …".to_owned())));
    }

    #[test]
    fn d2_6__an_unknown_or_invalid_entry_is_retried_with_the_reason() {
        let retry = |what: &str| Next::Look(Disposition::retry(format!("{TOLD}, and of the record: {what}")));
        assert_eq!(assigned(AssignStatus::Unknown, None), retry("unknown: it holds no such entry"));
        assert_eq!(assigned(AssignStatus::Invalid, Some("no market m")), retry("invalid: no market m"));
    }

    #[test]
    fn an_answer_that_does_not_mention_a_fan_is_not_success() {
        let next = after_assign(&answer(vec![]), "u");
        assert_eq!(next, Next::Settle(Disposition::retry(format!("{TOLD}, which does not mention the record: {{}}"))));
    }

    #[test]
    fn a_winner_is_written_unless_the_item_is_gone_or_holds_another_code() {
        let update = update(&job(won("u", "m", "A\"1")));
        let set = [("verdict", "true"), ("accessCode", r#""A\"1""#), ("marketId", r#""m""#)];
        assert_eq!(update.set, set.map(|(path, value)| (path.to_owned(), value.to_owned())));
        let absent_or = |(path, value): (&str, &str)| Predicate::AbsentOrEquals((path.to_owned(), value.to_owned()));
        let [_, code, market] = set.map(absent_or);
        assert_eq!(update.condition, [Predicate::Exists("pk".into()), code, market]);
        assert!(update.remove.is_empty());
    }

    #[test]
    fn a_loser_is_written_unless_the_item_is_gone_or_holds_a_code() {
        let update = update(&job(lost("u", "m")));
        assert_eq!(update.set, [("verdict".to_owned(), "false".to_owned())]);
        let no_code = Predicate::AbsentOrEquals(("accessCode".into(), "null".into()));
        let condition = [Predicate::Exists("pk".into()), no_code];
        assert_eq!(update.condition, condition);
    }

    /// Only where the item had an empty text is one expected; the rest of the condition stays.
    #[test]
    fn what_is_empty_is_expected_to_be_empty_still() {
        let (winner, loser) = (job(won("u", "m", "A")), job(lost("u", "m")));
        let condition = |job: &Job, item: Value| {
            let written = update_of_blank(job, Some(&item.to_string()))?;
            assert_eq!((written.key, written.set), (update(job).key, update(job).set));
            Some(written.condition)
        };
        let equals = |path: &str| Predicate::Equals((path.to_owned(), r#""""#.to_owned()));
        let exists = Predicate::Exists("pk".to_owned());
        let market = Predicate::AbsentOrEquals(("marketId".to_owned(), r#""m""#.to_owned()));
        let both = json!({"accessCode": "", "marketId": ""});
        let all = vec![exists.clone(), equals("accessCode"), equals("marketId")];
        assert_eq!(condition(&winner, both.clone()), Some(all));
        let some = vec![exists.clone(), equals("accessCode"), market];
        assert_eq!(condition(&winner, json!({"accessCode": "", "marketId": "n"})), Some(some));
        assert_eq!(condition(&loser, both), Some(vec![exists, equals("accessCode")]));
        for other in [json!({}), json!({"accessCode": "B"}), json!({"accessCode": null}), json!([])] {
            assert_eq!(condition(&winner, other), None);
        }
        assert!(update_of_blank(&winner, None).is_none());
    }

    #[test]
    fn no_update_touches_what_replication_goes_by() {
        for selection in [won("u", "m", "A"), lost("u", "m")] {
            for (path, _) in update(&job(selection)).set {
                assert!(["verdict", "accessCode", "marketId"].contains(&path.as_str()), "{path}");
            }
        }
    }

    #[test]
    fn an_update_that_failed_goes_back_alone() {
        assert_eq!(after_update(None), Written::Done);
        let after = |kind| after_update(Some(&Error::new(kind, "why")));
        assert_eq!(after(ErrorKind::ConditionFailed), Written::Unmet);
        assert_eq!(after(ErrorKind::Unavailable), Written::Failed(Disposition::retry("why")));
        assert_eq!(after(ErrorKind::Invalid), Written::Failed(Disposition::GiveUp("invalid: why".to_owned())));
    }

    #[test]
    fn an_item_tells_why_its_verdict_was_not_written() {
        let tell = |selection, item: Option<Value>| {
            let item = item.map(|item| item.to_string());
            match why_not(&job(selection), item.as_deref()) {
                Disposition::Skip(reason) => reason.split(':').next().unwrap().to_owned(),
                Disposition::Retry(retry) => retry.reason,
                other => format!("{other:?}"),
            }
        };
        let (winner, loser) = (won("u", "m", "A"), lost("u", "m"));
        let changed = "the item changed while the verdict was written";
        for (selection, item, expected) in [
            (winner.clone(), None, "gone"),
            (winner.clone(), Some(json!({"accessCode": "B", "marketId": "m"})), "FAILED"),
            (winner.clone(), Some(json!({"accessCode": "A", "marketId": "n"})), "FAILED"),
            (winner.clone(), Some(json!({"accessCode": "A", "marketId": "m"})), changed),
            (winner.clone(), Some(json!({"accessCode": null, "marketId": null})), changed),
            (winner.clone(), Some(json!({"accessCode": "", "marketId": ""})), changed),
            (winner.clone(), Some(json!({"accessCode": "", "marketId": "n"})), "FAILED"),
            (winner, Some(json!({"fields": "{}"})), changed),
            (loser.clone(), None, "gone"),
            (loser.clone(), Some(json!({"accessCode": "B"})), "winner"),
            (loser.clone(), Some(json!({"accessCode": null})), changed),
            (loser.clone(), Some(json!({"accessCode": ""})), changed),
            (loser, Some(json!({"fields": "{}"})), changed),
        ] {
            assert_eq!(tell(selection.clone(), item.clone()), expected, "{selection:?} {item:?}");
        }
    }

    #[test]
    fn an_item_tells_why_the_service_does_not_take_its_winner() {
        let refused = Disposition::retry("refused");
        let tell = |item: Option<Value>| {
            let item = item.map(|item| item.to_string());
            after_refusal(&job(won("u", "m", "A")), item.as_deref(), refused.clone())
        };
        assert!(matches!(tell(None), Err(Disposition::Skip(reason)) if reason.starts_with("gone")));
        for other in [json!({"accessCode": "B", "marketId": "n"}), json!({"accessCode": "A", "marketId": "n"})] {
            assert!(tell(Some(other)).is_err_and(|disposition| is_failed(&disposition)));
        }
        assert_eq!(tell(Some(json!({"accessCode": "A", "marketId": "m"}))), Ok(()), "assigned before");
        let [null, blank] = [Value::Null, json!("")].map(|none| json!({"accessCode": none, "marketId": none}));
        for open in [json!({}), null, blank] {
            assert_eq!(tell(Some(open)), Err(refused.clone()));
        }
        assert!(matches!(tell(Some(json!([]))), Err(Disposition::Reject(_))));
    }
}
