//! One attempt of a call: the request as sent, and the meaning of its response.

use super::call::SendError;
use super::config::Auth;
use super::exchange::{Broken, exchange};
use super::request::Outgoing;
use super::secrets::Secrets;
use super::{REQUESTS, Service, Services, retry};
use host_adapters_failpoint::{self as failpoint, Step};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What every attempt of a call needs.
pub(super) struct Attempt<'a> {
    pub(super) services: &'a Services,
    pub(super) service: &'a Service,
    pub(super) component: &'a str,
    /// For metrics.
    pub(super) operation: &'a str,
    pub(super) request: &'a Outgoing,
}

/// The outcome of an attempt: a final response of any status, or a failure.
pub(super) type Attempted = Result<Response<Vec<u8>>, Box<Failure>>;

/// An attempt that did not end in a final response.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the component receives if this is the last attempt.
    pub(super) answer: Result<Response<Vec<u8>>, SendError>,
    pub(super) retryable: bool,
    /// The service's `Retry-After`.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// Not worth another attempt.
    pub(super) fn last(error: SendError) -> Box<Self> {
        Box::new(Self { answer: Err(error), retryable: false, retry_after: None })
    }

    /// Worth another attempt; if the last one fails like this too, the service is down.
    fn transient(error: SendError) -> Box<Self> {
        Box::new(Self { answer: Err(error), retryable: true, retry_after: None })
    }

    /// For the log.
    pub(super) fn reason(&self) -> String {
        match &self.answer {
            Ok(response) => format!("answered {}", response.status()),
            Err(error) => error.to_string(),
        }
    }
}

impl Attempt<'_> {
    /// Sends the request once.
    pub(super) async fn send(&self) -> Attempted {
        let (request, tokens) = self.outgoing().map_err(Failure::last)?;
        let limit = self.service.config.settings.attempt_timeout();
        let answer = match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::transient(SendError::TimedOut(self.name()))),
        };
        if answer.is_ok() && !self.request.method.is_safe() {
            failpoint::reached_by(self.component, Step::SideEffect);
        }
        let answer = answer.map(|response| self.without_secrets(response, &tokens)).and_then(judge);
        self.count(&answer);
        answer
    }

    /// The request, and the tokens that it carries.
    fn outgoing(&self) -> Result<(reqwest::Request, Secrets), SendError> {
        let mut sent = reqwest::Request::new(self.request.method.clone(), self.request.url.clone());
        sent.headers_mut().clone_from(&self.request.headers);
        *sent.body_mut() = Some(self.request.body.clone().into());
        let own = match self.service.config.settings.auth {
            Auth::None => None,
            Auth::AppToApp => Some(self.sign(&mut sent)?.to_string()),
        };
        let fans = self.request.forwarded_token().map(str::to_owned);
        Ok((sent, Secrets::new(own.into_iter().chain(fans))))
    }

    /// Adds the app-to-app token.
    fn sign(&self, request: &mut reqwest::Request) -> Result<Arc<str>, SendError> {
        let unsendable = |reason: String| SendError::Invalid { service: self.name(), reason };
        let token = self.services.signer.token(self.component, &self.service.config.name, SystemTime::now());
        let token = token.map_err(|error| unsendable(error.to_string()))?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|error| unsendable(error.to_string()))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        Ok(token)
    }

    /// The response without tokens and internal addresses, which no component may see. The body of a refused request ends
    /// up in logs and dead letters, and some services quote the request in it.
    fn without_secrets(&self, mut response: Response<Vec<u8>>, tokens: &Secrets) -> Response<Vec<u8>> {
        if !response.status().is_success() {
            tokens.hide_in_body(&mut response);
        }
        self.service.address.hide_in_body(&mut response);
        self.service.address.hide_in_headers(&mut response);
        response
    }

    async fn exchange(&self, request: reqwest::Request) -> Attempted {
        exchange(&self.services.client, request).await.map_err(|broken| match broken {
            Broken::Connection(reason) => {
                let reason = self.service.address.hidden(reason);
                Failure::transient(SendError::Connection { service: self.name(), reason })
            }
            Broken::TimedOut => Failure::transient(SendError::TimedOut(self.name())),
            Broken::TooLarge => Failure::last(SendError::TooLarge(self.name())),
        })
    }

    fn count(&self, answer: &Attempted) {
        let answer = answer.as_ref().or_else(|failure| failure.answer.as_ref());
        let status = match answer {
            Ok(response) => response.status().as_u16().to_string(),
            Err(SendError::TimedOut(_)) => "time-out".to_owned(),
            Err(SendError::Connection { .. }) => "connection".to_owned(),
            Err(_) => "refused".to_owned(),
        };
        let operation = self.operation.to_owned();
        metrics::counter!(REQUESTS, "service" => self.name(), "operation" => operation, "status" => status)
            .increment(1);
    }

    fn name(&self) -> String {
        self.service.config.name.clone()
    }
}

/// Tells final responses from those worth another attempt.
fn judge(response: Response<Vec<u8>>) -> Attempted {
    let status: StatusCode = response.status();
    if !retry::is_retryable(status) {
        return Ok(response);
    }
    let retry_after = retry::retry_after(response.headers(), SystemTime::now());
    Err(Box::new(Failure { answer: Ok(response), retryable: true, retry_after }))
}
