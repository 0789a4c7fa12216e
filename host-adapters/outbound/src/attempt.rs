//! One attempt of a call: the request as sent, and the meaning of its response.

use super::call::SendError;
use super::{REQUESTS, Service, Services, retry};
use bytes::{Bytes, BytesMut};
use host_adapters_failpoint::{self as failpoint, Step};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use std::time::{Duration, SystemTime};

/// The largest answer that is read.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Headers that belong to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What every try of a call needs.
pub(super) struct Attempt<'a> {
    pub(super) services: &'a Services,
    pub(super) service: &'a Service,
    pub(super) component: &'a str,
    pub(super) request: &'a Request<Bytes>,
}

/// The outcome of an attempt: a final response of any status, or a failure.
pub(super) type Tried = Result<Response<Bytes>, Box<Failure>>;

/// A try that did not end in an answer that is final.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the component gets to see if this stays the last try.
    pub(super) answer: Result<Response<Bytes>, SendError>,
    pub(super) retryable: bool,
    /// Whether the service as a whole seems to be down.
    pub(super) outage: bool,
    /// How long the service asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// Not worth another try.
    pub(super) fn last(error: SendError) -> Box<Self> {
        Box::new(Self { answer: Err(error), retryable: false, outage: false, retry_after: None })
    }

    /// Worth another try; if the last one fails like this too, the service is down.
    fn transient(error: SendError) -> Box<Self> {
        Box::new(Self { answer: Err(error), retryable: true, outage: true, retry_after: None })
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
    pub(super) async fn send(&self) -> Tried {
        let request = self.outgoing().map_err(Failure::last)?;
        let answer = match tokio::time::timeout(self.service.config.try_timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::transient(SendError::TimedOut(self.name()))),
        };
        if answer.is_ok() && !self.request.method().is_safe() {
            failpoint::reached(Step::SideEffect);
        }
        let answer = answer.and_then(judge);
        self.count(&answer);
        answer
    }

    fn outgoing(&self) -> Result<reqwest::Request, SendError> {
        let unsendable = |reason: String| SendError::Unsendable { service: self.name(), reason };
        let request = self.request;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.service.config.upstream.trim_end_matches('/'));
        let url = url.parse().map_err(|_| unsendable("its URL cannot be read".to_owned()))?;
        let token = self.services.signer.token(self.component, &self.service.config.name, SystemTime::now());
        let token = token.map_err(|error| unsendable(error.to_string()))?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|error| unsendable(error.to_string()))?;
        bearer.set_sensitive(true);

        let mut sent = reqwest::Request::new(request.method().clone(), url);
        *sent.headers_mut() = end_to_end(request.headers());
        // The upstream's own host and the length of the body are set by the client.
        sent.headers_mut().remove(header::HOST);
        sent.headers_mut().remove(header::CONTENT_LENGTH);
        sent.headers_mut().insert(header::AUTHORIZATION, bearer);
        *sent.body_mut() = Some(request.body().clone().into());
        Ok(sent)
    }

    async fn exchange(&self, request: reqwest::Request) -> Tried {
        let connection = |error: reqwest::Error| Failure::transient(self.connection_error(&error));
        let mut received = self.services.client.execute(request).await.map_err(connection)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = received.chunk().await.map_err(connection)? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Failure::last(SendError::TooLarge(self.name())));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body.freeze());
        *response.status_mut() = received.status();
        *response.headers_mut() = end_to_end(received.headers());
        Ok(response)
    }

    fn connection_error(&self, error: &reqwest::Error) -> SendError {
        // The innermost source says what happened; the outer ones repeat the URL.
        let mut reason: &dyn std::error::Error = error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        SendError::Connection { service: self.name(), reason: reason.to_string() }
    }

    fn count(&self, answer: &Tried) {
        let answer = answer.as_ref().or_else(|failure| failure.answer.as_ref());
        let status = match answer {
            Ok(response) => response.status().as_u16().to_string(),
            Err(SendError::TimedOut(_)) => "time-out".to_owned(),
            Err(SendError::Connection { .. }) => "connection".to_owned(),
            Err(_) => "refused".to_owned(),
        };
        metrics::counter!(REQUESTS, "service" => self.name(), "status" => status).increment(1);
    }

    fn name(&self) -> String {
        self.service.config.name.clone()
    }
}

/// Tells final answers from those worth another try.
fn judge(response: Response<Bytes>) -> Tried {
    let status: StatusCode = response.status();
    if !retry::is_retryable(status) {
        return Ok(response);
    }
    let retry_after = retry::retry_after(response.headers(), SystemTime::now());
    Err(Box::new(Failure { answer: Ok(response), retryable: true, outage: retry::is_outage(status), retry_after }))
}

/// Headers without those of the connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}
