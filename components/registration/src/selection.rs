//! The result of a selection for one fan: the body of a message to saveSelectionQueue.

use host_adapters_json::lenient::readable_or_default;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Whether a fan has won, and the code of one who has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectionMessage<'a> {
    /// The task, or the refresh, that sent it: for people. Empty if the message does not say.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub task_id: Cow<'a, str>,
    /// The campaign.
    pub campaign_id: Cow<'a, str>,
    /// The market that selected the fan, or did not.
    pub market_id: Cow<'a, str>,
    /// The fan.
    pub global_user_id: Cow<'a, str>,
    /// Whether the fan has won.
    pub verdict: bool,
    /// The code that a winner gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'a, str>>,
}

impl SelectionMessage<'_> {
    /// As JSON.
    pub fn text(&self) -> String {
        // Text and booleans can always be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn message(code: Option<&str>) -> SelectionMessage<'_> {
        SelectionMessage {
            task_id: "t".into(),
            campaign_id: "c".into(),
            market_id: "m".into(),
            global_user_id: "u".into(),
            verdict: code.is_some(),
            code: code.map(Cow::from),
        }
    }

    #[test]
    fn a_message_has_the_documents_members_and_a_loser_no_code() {
        let winner =
            r#"{"taskId":"t","campaignId":"c","marketId":"m","globalUserId":"u","verdict":true,"code":"CODE-1"}"#;
        let loser = r#"{"taskId":"t","campaignId":"c","marketId":"m","globalUserId":"u","verdict":false}"#;
        for (code, text) in [(Some("CODE-1"), winner), (None, loser)] {
            assert_eq!(message(code).text(), text);
            assert_eq!(serde_json::from_str::<SelectionMessage<'_>>(text).unwrap(), message(code));
        }
        let null = loser.replace("false", r#"false,"code":null"#);
        assert_eq!(serde_json::from_str::<SelectionMessage<'_>>(&null).unwrap(), message(None));
    }

    #[test]
    fn case_02_the_task_is_for_people_and_costs_no_message() {
        let text = message(Some("CODE-1")).text();
        let expected = SelectionMessage { task_id: "".into(), ..message(Some("CODE-1")) };
        for task in [r#""taskId":null,"#, r#""taskId":7,"#, r#""taskId":"\ud800","#, ""] {
            let text = text.replace(r#""taskId":"t","#, task);
            assert_eq!(serde_json::from_str::<SelectionMessage<'_>>(&text).unwrap(), expected, "{text}");
        }
    }
}
