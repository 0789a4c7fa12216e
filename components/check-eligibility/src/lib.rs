//! check-eligibility decides whether a fan may enter a campaign, and with which fields.
//!
//! [`input`] reads the request, [`check`] makes the decision and looks up only the facts that it still needs, through
//! [`world`]; [`campaigns`] finds the campaign, cache-aside. The rules themselves are in the crate `registration`.

pub mod campaigns;
pub mod check;
pub mod input;
pub mod world;

use check::{Outcome, check};
use chrono::Utc;
use worker_kit::{Call, Failure, Request, RequestWorker, Response};
use world::Live;

/// The worker.
#[derive(Debug)]
pub struct CheckEligibility;

impl RequestWorker for CheckEligibility {
    const NAME: &'static str = "check-eligibility";

    fn warm_up() {
        registration::warm_up();
    }

    async fn handle(request: Request, call: &Call) -> Result<Response, Failure> {
        match check(&Live::new(call), request.token.as_deref(), &request.body, Utc::now()).await {
            Outcome::Decision(decision) => Response::json(200, &decision),
            Outcome::Refused { status, code, message } => Ok(Response::error(status, code, &message)),
        }
    }
}

worker_kit::request_worker!(CheckEligibility);
