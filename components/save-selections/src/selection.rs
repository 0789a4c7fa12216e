//! A message of saveSelectionQueue, checked. Pure.

use registration::selection::SelectionMessage;

/// The result of a selection for one fan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// The campaign.
    pub campaign_id: String,
    /// The fan.
    pub global_user_id: String,
    /// What a winner has won; `None` for a loser.
    pub won: Option<Prize>,
}

/// What a winner gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prize {
    /// The market that selected the fan.
    pub market_id: String,
    /// The access code.
    pub code: String,
}

impl Selection {
    /// Checks a message. The error is a reason to reject the record, and names the field.
    pub fn new(message: SelectionMessage<'_>) -> Result<Self, String> {
        let SelectionMessage { task_id: _, campaign_id, market_id, global_user_id, verdict, code } = message;
        let texts = [("campaignId", &campaign_id), ("marketId", &market_id), ("globalUserId", &global_user_id)];
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| text.is_empty()) {
            return Err(format!("malformed: {field} is empty"));
        }
        let won = match (verdict, code) {
            (true, Some(code)) if !code.is_empty() => {
                Some(Prize { market_id: market_id.into_owned(), code: code.into_owned() })
            }
            (true, _) => return Err("malformed: code is missing or empty, but verdict is true".to_owned()),
            (false, Some(_)) => return Err("malformed: code is there, but verdict is false".to_owned()),
            (false, None) => None,
        };
        Ok(Self { campaign_id: campaign_id.into_owned(), global_user_id: global_user_id.into_owned(), won })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn winner() -> Value {
        json!({"taskId": "t", "campaignId": "c", "marketId": "m", "globalUserId": "u", "verdict": true, "code": "A"})
    }

    fn with(field: &str, value: Value) -> Result<Selection, String> {
        let mut body = winner();
        body.as_object_mut().unwrap().insert(field.to_owned(), value);
        Selection::new(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_winner_has_a_code_and_a_loser_has_none() {
        let prize = Prize { market_id: "m".to_owned(), code: "A".to_owned() };
        assert_eq!(with("taskId", json!("t")).unwrap().won, Some(prize));
        let mut loser = winner();
        loser["verdict"] = json!(false);
        for code in [Value::Null, json!("A")] {
            loser["code"] = code.clone();
            let read = Selection::new(serde_json::from_value(loser.clone()).unwrap());
            match code {
                Value::Null => assert_eq!(read.unwrap().won, None),
                _ => assert_eq!(read.unwrap_err(), "malformed: code is there, but verdict is false"),
            }
        }
    }

    #[test]
    fn case_02_the_task_which_is_for_people_costs_no_verdict() {
        for task in [Value::Null, json!(""), json!(7)] {
            assert_eq!(with("taskId", task.clone()), with("taskId", json!("t")), "{task}");
        }
        let mut body = winner();
        body.as_object_mut().unwrap().remove("taskId");
        assert!(Selection::new(serde_json::from_value(body).unwrap()).is_ok());
    }

    #[test]
    fn a_malformed_message_names_its_field() {
        for field in ["campaignId", "marketId", "globalUserId"] {
            assert_eq!(with(field, json!("")).unwrap_err(), format!("malformed: {field} is empty"));
        }
        for code in [json!(""), Value::Null] {
            let problem = with("code", code).unwrap_err();
            assert_eq!(problem, "malformed: code is missing or empty, but verdict is true");
        }
    }
}
