//! Typed clients of the REST services.
//!
//! They call the platform's interface `service`, so the host adds the app-to-app JWT, enforces the rate limits and
//! retries; a worker calls once and gets the outcome. A request contains at most [`MAX_PER_REQUEST`] entries or users.
//! Workers handle a refused request with [`isolate`].

pub mod campaign;
pub mod code;
mod done;
pub mod entry;
mod error;
mod isolate;
pub mod slack;
mod summary;
pub mod user;

pub use campaign::CampaignService;
pub use code::CodeService;
pub use entry::EntryService;
pub use error::ServiceError;
pub use isolate::{isolate, isolate_by};
pub use slack::SlackService;
pub use summary::{ResponseSummary, Results};
pub use user::UserService;

use crate::Call;
use crate::pages::Page;
use crate::platform::service::{self, ServiceRequest};
use host_adapters_event::{ServiceStatus, can_follow};
use serde::{Serialize, de::DeserializeOwned};

/// Entries, users or ids in one request (API usage: 25).
pub const MAX_PER_REQUEST: usize = 25;

/// A service, and the call on whose behalf it is requested.
#[derive(Clone, Debug)]
struct Client<'a> {
    service: &'static str,
    call: &'a Call,
}

/// The body of a service's successful response.
trait ResponseBody: DeserializeOwned {
    /// Each such body has at least one of these members; [`LIST`] if it may be a list, `=` and the text if it is a fixed
    /// text. The host uses them to recognize a page that is not the service's.
    const MEMBERS: &[&str];
    /// The body that an empty one stands for, if the service may send none.
    const WITHOUT_BODY: Option<&str> = None;

    /// What the host recognizes such a response by.
    fn expects() -> Vec<String> {
        let without_body = Self::WITHOUT_BODY.map(|_| NO_BODY);
        Self::MEMBERS.iter().copied().chain(without_body).map(str::to_owned).collect()
    }

    /// Reads the body of a 2xx response.
    fn read(summary: &ResponseSummary, body: &str) -> Result<Self, ServiceError> {
        let meant = Self::WITHOUT_BODY.filter(|_| body.trim().is_empty());
        error::parse(summary, meant.unwrap_or(body))
    }
}

/// In the list of what a response is recognized by: a JSON list, as the interface `service` of the platform spells it.
const LIST: &str = "[]";

/// The header with a fan's token, as the interface `service` of the platform names it.
const FORWARDED: &str = "x-forwarded-authorization";

/// In the list of what a response is recognized by: no body.
const NO_BODY: &str = "";

impl Client<'_> {
    async fn send<T: ResponseBody>(
        &self,
        method: &str,
        path: Path,
        body: Option<&impl Serialize>,
    ) -> Result<(ResponseSummary, T), ServiceError> {
        let body = body.map(serde_json::to_string).transpose().map_err(|error| self.unusable(&error))?;
        self.request(method, path, self.headers(), body.unwrap_or_default()).await
    }

    /// Requests what a fan may see, with the fan's token in addition to the host's own.
    async fn get_for<T: ResponseBody>(&self, token: &str, path: Path) -> Result<(ResponseSummary, T), ServiceError> {
        let mut headers = self.headers();
        headers.push((FORWARDED.to_owned(), format!("Bearer {token}")));
        self.request("GET", path, headers, String::new()).await
    }

    async fn request<T: ResponseBody>(
        &self,
        method: &str,
        Path { route, path }: Path,
        headers: Vec<(String, String)>,
        body: String,
    ) -> Result<(ResponseSummary, T), ServiceError> {
        let method = method.to_owned();
        let (route, expects) = (Some(route.to_owned()), T::expects());
        let request = ServiceRequest { method, path, route, expects, headers, body };
        let response = service::call(self.service.to_owned(), request).await;
        let response = response.map_err(|error| ServiceError::from_platform(self.service, error))?;
        let summary = ResponseSummary::new(self.service, response.status, &response.body);
        match ServiceStatus::of(response.status) {
            ServiceStatus::Done => T::read(&summary, &response.body).map(|answer| (summary, answer)),
            _ => Err(ServiceError::from_answer(summary, retry_after(&response.headers))),
        }
    }

    /// The page of a list that follows the page whose `next` is `after`.
    async fn page<T: ResponseBody + Page>(&self, path: Path, after: Option<&str>) -> Result<T, ServiceError> {
        let (summary, page) = self.send("GET", path, None::<&()>).await?;
        leads_on(summary, page, after)
    }

    /// The resource at a path; `None` if the service itself answers that it does not exist.
    async fn find<T: ResponseBody>(&self, path: Path) -> Result<Option<T>, ServiceError> {
        match self.send("GET", path, None::<&()>).await {
            Ok((_, found)) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The headers that follow the call through services. Their values come from outside; one that no header can carry is
    /// left out, so that it does not fail the record.
    fn headers(&self) -> Vec<(String, String)> {
        let Call { correlation_id, traceparent, .. } = self.call;
        let follows = [
            ("x-correlation-id", Some(correlation_id.as_str())),
            ("traceparent", traceparent.as_deref()),
            ("x-campaign-id", self.call.campaign_id()),
        ];
        let headers =
            follows.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| can_follow(text))?)));
        let headers = [("content-type", "application/json")].into_iter().chain(headers);
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn unusable(&self, error: &serde_json::Error) -> ServiceError {
        let message = format!("the request cannot be written as JSON: {error}");
        ServiceError::Misconfigured { service: self.service, message }
    }
}

/// The page, unless it names itself as its next: such a list would never end.
fn leads_on<T: Page>(summary: ResponseSummary, page: T, after: Option<&str>) -> Result<T, ServiceError> {
    if page.next().is_none() || page.next() != after {
        return Ok(page);
    }
    Err(ServiceError::Unreadable { summary, problem: "the page names itself as its next".to_owned() })
}

fn retry_after(headers: &[(String, String)]) -> Option<u64> {
    headers.iter().find(|(name, _)| name == "retry-after")?.1.trim().parse().ok()
}

/// The path of a request with its query, and the template of the path.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Path {
    route: &'static str,
    path: String,
}

impl Path {
    /// The path of a route. Each segment in braces is replaced by the next of `names`.
    fn new(route: &'static str, names: &[&str]) -> Self {
        let mut names = names.iter();
        let fill =
            |part: &str| if part.starts_with('{') { segment(names.next().unwrap_or(&"")) } else { part.to_owned() };
        Self { route, path: route.split('/').map(fill).collect::<Vec<_>>().join("/") }
    }

    /// With a query of these names and values.
    fn query(self, parts: &[(&str, &str)]) -> Self {
        let parts: Vec<_> = parts.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        Self { path: format!("{}?{}", self.path, parts.join("&")), ..self }
    }
}

/// A path segment, or a value of a query, with everything escaped that is not unreserved (RFC 3986).
fn segment(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut path, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
        path
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(correlation_id: &str, traceparent: Option<&str>) -> Vec<String> {
        let call = Call::new("save-entries", correlation_id.to_owned(), traceparent.map(str::to_owned));
        let headers = Client { service: "entry", call: &call }.headers();
        headers.into_iter().map(|(name, _)| name).filter(|name| name != "content-type").collect()
    }

    #[test]
    fn what_no_header_can_carry_is_left_out() {
        assert_eq!(headers("c-1", Some("00-trace")), ["x-correlation-id", "traceparent"]);
        assert_eq!(headers("two\nlines", None), [""; 0]);
        assert_eq!(headers("", Some("00-trace")), ["traceparent"]);
    }

    #[test]
    fn a_path_is_its_route_with_names() {
        assert_eq!(Path::new("/{campaignId}/entries", &["a/b"]).path, "/a%2Fb/entries");
        assert_eq!(Path::new("/users/{globalUserId}/verification", &["u"]).path, "/users/u/verification");
        assert_eq!(Path::new("/users", &[]).path, "/users");
    }

    #[test]
    fn a_query_is_escaped_and_no_part_of_the_route() {
        let path = Path::new("/{campaignId}/codes", &["c"]).query(&[("marketId", "a&b=c#d"), ("limit", "1000")]);
        assert_eq!(
            path,
            Path { route: "/{campaignId}/codes", path: "/c/codes?marketId=a%26b%3Dc%23d&limit=1000".into() }
        );
    }

    #[test]
    fn a_list_that_would_be_read_for_ever_is_not_an_answer() {
        let read = |next: Option<&str>, after| {
            let page = code::CodePage { codes: vec![], next: next.map(str::to_owned) };
            leads_on(ResponseSummary::new("code", 200, "{}"), page, after).map(|page| page.next)
        };
        for (next, after) in [(None, None), (None, Some("a")), (Some("a"), None), (Some("b"), Some("a"))] {
            assert_eq!(read(next, after), Ok(next.map(str::to_owned)));
        }
        let problem = read(Some("a"), Some("a")).unwrap_err();
        assert!(problem.to_string().ends_with("(the page names itself as its next)"), "{problem}");
    }

    #[test]
    fn a_path_segment_is_escaped() {
        assert_eq!(segment("campaign-123"), "campaign-123");
        assert_eq!(segment("a/../b?c#d é%"), "a%2F..%2Fb%3Fc%23d%20%C3%A9%25");
    }
}
