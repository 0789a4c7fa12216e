//! campaignsByEvent: returns the campaigns of an event from the Campaign Service, with the token of the fan who asks.
//!
//! [`event`] reads the request, [`answer`] answers it, over [`ports`].

pub mod answer;
pub mod event;
pub mod ports;

use ports::Live;
use worker_kit::{Call, Failure, Request, RequestWorker, Response};

/// The worker.
#[derive(Debug)]
pub struct CampaignsByEvent;

impl RequestWorker for CampaignsByEvent {
    const NAME: &'static str = "campaigns-by-event";

    async fn handle(request: Request, call: &Call) -> Result<Response, Failure> {
        let _span = call.span("campaignsByEvent");
        answer::answer(&Live { call }, request.token.as_deref(), &request.body).await
    }
}

worker_kit::request_worker!(CampaignsByEvent);
