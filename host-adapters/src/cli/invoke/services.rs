//! Services of a call that runs offline: answers from files, `<service>/<path>/<method>.json`, each the body of an answer
//! with status 200, whatever the query and the body of the request. What has no file is asked of the service itself.

use crate::manifest::read_text;
use host_adapters_platform::{Result, ServiceBackend};
use host_adapters_records::Caller;
use host_adapters_records::service::{ServiceRequest, ServiceResponse};
use std::path::PathBuf;

/// Services, some of whose answers are in files.
pub(super) struct AnsweredServices<S> {
    /// The folder of the answers, if there is one.
    pub(super) folder: Option<PathBuf>,
    /// The services themselves.
    pub(super) services: S,
}

#[async_trait::async_trait]
impl<S: ServiceBackend> ServiceBackend for AnsweredServices<S> {
    async fn call(&self, caller: Caller<'_>, service: &str, request: ServiceRequest) -> Result<ServiceResponse> {
        let answer = self.folder.clone().and_then(|folder| Some(folder.join(file(service, &request)?)));
        match answer.map(|path| read_text(&path)) {
            Some(Ok(body)) => Ok(ServiceResponse { status: 200, headers: vec![], body }),
            _ => self.services.call(caller, service, request).await,
        }
    }
}

/// The file of an answer. A path that would lead out of the folder has none.
fn file(service: &str, request: &ServiceRequest) -> Option<PathBuf> {
    let path = request.path.split('?').next().unwrap_or_default();
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let name = format!("{}.json", request.method.to_ascii_lowercase());
    let is_name = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
        segment.bytes().all(is_plain) && !segment.bytes().all(|byte| byte == b'.')
    };
    let segments: Vec<_> = [service].into_iter().chain(segments).chain([name.as_str()]).collect();
    segments.iter().all(|segment| is_name(segment)).then(|| segments.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file_of(service: &str, method: &str, path: &str) -> Option<PathBuf> {
        let (method, path) = (method.to_owned(), path.to_owned());
        let request =
            ServiceRequest { method, path, route: None, expects: vec![], headers: vec![], body: String::new() };
        file(service, &request)
    }

    #[test]
    fn an_answer_is_named_by_service_path_and_method() {
        let expected = Path::new("entry/campaign-123/scoring-records/get.json");
        assert_eq!(file_of("entry", "GET", "/campaign-123/scoring-records?marketId=m").as_deref(), Some(expected));
        assert_eq!(file_of("user", "POST", "/users").as_deref(), Some(Path::new("user/users/post.json")));
    }

    #[test]
    fn no_answer_is_outside_of_its_folder() {
        for path in ["/../secret", "/a/../../b", "/a\\b", "/a/./b", "/c:/d"] {
            assert_eq!(file_of("entry", "GET", path), None, "{path}");
        }
        assert_eq!(file_of("..", "GET", "/a"), None);
        assert_eq!(file_of("entry", "GET/..", "/a"), None);
    }
}
