//! The steps of a request: token, event, service.

use crate::event::event_id;
use crate::ports::Ports;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::services::ServiceError;
use worker_kit::{Failure, Response};

/// The campaigns of an event.
#[derive(Serialize)]
struct Found {
    /// Each as the service returns it.
    campaigns: Vec<Box<RawValue>>,
}

/// Answers a request. The service is called only if the token is accepted.
pub async fn answer(ports: &impl Ports, token: Option<&str>, event: &str) -> Result<Response, Failure> {
    let Some(token) = token else {
        return Ok(Response::error(401, "UNAUTHORIZED", "send the fan's token: Authorization: Bearer <token>"));
    };
    if let Err(error) = ports.verify(token).await {
        return Ok(not_verified(ports, &error));
    }
    let event_id = match event_id(event) {
        Ok(event_id) => event_id,
        Err(problem) => return Ok(Response::error(400, "MALFORMED_EVENT", problem)),
    };
    match ports.campaigns(&event_id, token).await {
        Ok(campaigns) => {
            ports.info("Campaigns of an event found", json!({"eventId": event_id, "campaigns": campaigns.len()}));
            Response::json(200, &Found { campaigns })
        }
        Err(error) => Ok(not_found_out(ports, &error, &event_id)),
    }
}

fn not_verified(ports: &impl Ports, error: &Error) -> Response {
    if matches!(error.kind, ErrorKind::Denied | ErrorKind::Invalid) {
        return Response::error(401, "UNAUTHORIZED", &format!("the token is not accepted: {}", error.message));
    }
    ports.error("Token not verified", json!({"dependency": "identity", "problem": error.message}));
    Response::error(503, "UNAVAILABLE", "tokens cannot be verified now; try again")
}

/// The caller may repeat the request after 429 and 503. The service's message is for the log.
fn not_found_out(ports: &impl Ports, error: &ServiceError, event_id: &str) -> Response {
    ports.failed("Campaigns of an event not found", error, json!({"eventId": event_id}));
    match error {
        ServiceError::Throttled { .. } => Response::error(429, "TOO_MANY_REQUESTS", "too many requests; try again"),
        _ if error.is_refusal() => {
            Response::error(502, "BAD_GATEWAY", "the Campaign Service has not answered the request")
        }
        _ => Response::error(503, "UNAVAILABLE", "the Campaign Service is not available now; try again"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use serde_json::Value;
    use std::cell::RefCell;
    use worker_kit::platform::identity::Claims;
    use worker_kit::services::ResponseSummary;

    const EVENT: &str = include_str!("../fixtures/appsync.json");

    /// A fan with the token `good`, and a service that answers this.
    struct Fake {
        identity: Option<ErrorKind>,
        service: Result<&'static str, ServiceError>,
        /// The events and tokens that the service was asked with.
        asked: RefCell<Vec<(String, String)>>,
        logged: RefCell<Vec<String>>,
    }

    impl Fake {
        fn new(service: Result<&'static str, ServiceError>) -> Self {
            Self { identity: None, service, asked: RefCell::default(), logged: RefCell::default() }
        }

        /// Status and body of the answer.
        fn answer(&self, token: Option<&str>, event: &str) -> (u16, Value) {
            let response = block_on(answer(self, token, event)).unwrap();
            (response.status, serde_json::from_str(&response.body).unwrap())
        }
    }

    impl Ports for Fake {
        async fn verify(&self, token: &str) -> Result<Claims, Error> {
            match self.identity {
                Some(kind) => Err(Error::new(kind, "why")),
                None if token != "good" => Err(Error::new(ErrorKind::Denied, "it has expired")),
                None => Ok(Claims { subject: "fan".to_owned(), email: None, member_id: None, idv: None }),
            }
        }

        async fn campaigns(&self, event_id: &str, token: &str) -> Result<Vec<Box<RawValue>>, ServiceError> {
            self.asked.borrow_mut().push((event_id.to_owned(), token.to_owned()));
            self.service.clone().map(|campaigns| serde_json::from_str(campaigns).unwrap())
        }

        fn info(&self, message: &str, _: Value) {
            self.logged.borrow_mut().push(format!("INFO {message}"));
        }

        fn error(&self, message: &str, _: Value) {
            self.logged.borrow_mut().push(format!("ERROR {message}"));
        }

        fn failed(&self, message: &str, error: &ServiceError, _: Value) {
            self.logged.borrow_mut().push(format!("FAILED {message}: {error}"));
        }
    }

    #[test]
    fn campaigns_are_asked_for_with_the_fans_token_and_answered_as_they_are() {
        let fake = Fake::new(Ok(r#"[{"id":"c","size":1.10}]"#));
        let response = block_on(answer(&fake, Some("good"), EVENT)).unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, r#"{"campaigns":[{"id":"c","size":1.10}]}"#));
        assert_eq!(fake.asked.take(), [("event-123".to_owned(), "good".to_owned())]);
        assert_eq!(Fake::new(Ok("[]")).answer(Some("good"), EVENT), (200, json!({"campaigns": []})));
    }

    #[test]
    fn nobody_without_a_good_token_is_answered() {
        let fake = Fake::new(Ok("[]"));
        for (token, message) in [
            (None, "send the fan's token: Authorization: Bearer <token>"),
            (Some("bad"), "the token is not accepted: it has expired"),
        ] {
            let refused = (401, json!({"error": {"code": "UNAUTHORIZED", "message": message}}));
            assert_eq!(fake.answer(token, EVENT), refused);
            assert_eq!(fake.answer(token, "{"), refused, "the event is not looked at");
        }
        let (status, body) = fake.answer(Some("good"), "{}");
        assert_eq!((status, &body["error"]["code"]), (400, &json!("MALFORMED_EVENT")));
        assert!(fake.asked.take().is_empty());
    }

    #[test]
    fn what_is_down_or_refuses_is_told_as_that() {
        let fake = Fake { identity: Some(ErrorKind::Unavailable), ..Fake::new(Ok("[]")) };
        assert_eq!(fake.answer(Some("good"), EVENT).0, 503);
        assert_eq!(fake.logged.take(), ["ERROR Token not verified"]);
        let (service, message) = ("campaign", "why".to_owned());
        let summary = ResponseSummary::new(service, 403, "not for you");
        for (error, status) in [
            (ServiceError::Unavailable { service, message: message.clone() }, 503),
            (ServiceError::Misconfigured { service, message: message.clone() }, 503),
            (ServiceError::Throttled { service, message, retry_after_ms: None }, 429),
            (ServiceError::Refused(summary), 502),
        ] {
            let fake = Fake::new(Err(error));
            let (answered, body) = fake.answer(Some("good"), EVENT);
            assert_eq!(answered, status);
            assert!(!body.to_string().contains("not for you"), "{body}");
            assert!(fake.logged.take().concat().starts_with("FAILED Campaigns of an event not found: the campaign "));
        }
    }
}
