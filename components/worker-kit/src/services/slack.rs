//! Slack (`schemas/services/slack.json`): the webhook of one channel, whose address only the host has.

use super::{Client, Path, ResponseBody, ResponseSummary, ServiceError};
use crate::Call;
use serde::{Deserialize, Serialize};

/// Slack, as one call uses it.
#[derive(Clone, Debug)]
pub struct SlackService<'a>(Client<'a>);

/// The text with which Slack accepts a message.
#[derive(Debug, Deserialize)]
struct Taken;

impl ResponseBody for Taken {
    const MEMBERS: &[&str] = &["=ok"];

    fn read(summary: &ResponseSummary, body: &str) -> Result<Self, ServiceError> {
        let is_ok = body.trim() == "ok";
        let problem = || "it is not `ok`".to_owned();
        is_ok.then_some(Self).ok_or_else(|| ServiceError::Unreadable { summary: summary.clone(), problem: problem() })
    }
}

impl<'a> SlackService<'a> {
    /// The service, as `call` uses it.
    pub fn new(call: &'a Call) -> Self {
        Self(Client { service: "slack", call })
    }

    /// Posts a message to the channel. After an error it is not known whether Slack has it.
    pub async fn post(&self, message: &impl Serialize) -> Result<(), ServiceError> {
        let (_, Taken) = self.0.send("POST", Path::new("/", &[]), Some(message)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_ok_means_that_slack_has_taken_it() {
        let read = |body: &str| Taken::read(&ResponseSummary::new("slack", 200, body), body).map(drop);
        assert_eq!((read("ok"), read("ok\n")), (Ok(()), Ok(())));
        for body in ["", "okay", "<html>ok</html>", r#"{"ok":false}"#] {
            assert!(read(body).is_err_and(|error| error.is_refusal()), "{body}");
        }
        assert_eq!(Taken::expects(), ["=ok"]);
    }
}
