//! What an answer needs from outside. Tests use a fake.

use serde_json::Value;
use serde_json::value::RawValue;
use worker_kit::Call;
use worker_kit::platform::Error;
use worker_kit::platform::identity::{self, Claims};
use worker_kit::services::{CampaignService, ServiceError};

/// The requests of a call.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Ports {
    /// The claims of a token, or why it is not accepted.
    async fn verify(&self, token: &str) -> Result<Claims, Error>;
    /// The campaigns for an event, as the fan with this token may see them.
    async fn campaigns(&self, event_id: &str, token: &str) -> Result<Vec<Box<RawValue>>, ServiceError>;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs what needs attention.
    fn error(&self, message: &str, data: Value);
    /// Logs a failed request to the service.
    fn failed(&self, message: &str, error: &ServiceError, data: Value);
}

/// The real implementation.
#[derive(Debug)]
pub struct Live<'a> {
    /// The call in progress.
    pub call: &'a Call,
}

impl Ports for Live<'_> {
    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        identity::verify(token.to_owned()).await
    }

    async fn campaigns(&self, event_id: &str, token: &str) -> Result<Vec<Box<RawValue>>, ServiceError> {
        CampaignService::new(self.call).campaigns_by_event(event_id, token).await
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.call.error(message, data);
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        error.log(self.call, message, data);
    }
}
