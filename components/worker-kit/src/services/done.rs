//! The answer that only says whether something is done.

use super::{ResponseBody, ResponseSummary, ServiceError};
use serde::Deserialize;

/// `{"success": true}`. The documents print no answer, so one without a body is understood, too.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    success: bool,
}

impl ResponseBody for Done {
    const MEMBERS: &[&str] = &["success"];
    const WITHOUT_BODY: Option<&str> = Some(r#"{"success":true}"#);
}

impl Done {
    /// An error if the service does not report success for all of the records that it was sent.
    pub(super) fn check(self, summary: ResponseSummary, sent: usize) -> Result<(), ServiceError> {
        let Self { success } = self;
        if success { Ok(()) } else { Err(ServiceError::Partial { summary, success, count: 0, sent }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(), ServiceError> {
        let summary = ResponseSummary::new("code", 200, body);
        Done::read(&summary, body)?.check(summary, 2)
    }

    #[test]
    fn only_a_success_or_no_body_means_that_it_is_done() {
        for body in [r#"{"success":true}"#, r#"{"success":true,"assignedCount":2}"#, "", " \r\n"] {
            assert_eq!(read(body), Ok(()), "{body}");
        }
        for body in [r#"{"success":false}"#, "{}", "[]", "null", "true", "<html>", r#"{"status":"UP"}"#] {
            assert!(read(body).is_err_and(|error| error.is_refusal()), "{body}");
        }
        assert_eq!(Done::expects(), ["success", ""]);
    }
}
