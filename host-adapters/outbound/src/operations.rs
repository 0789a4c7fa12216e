//! The operations of services, as a label of metrics: method and path template, as components name them. A component may
//! name any number of them, so only so many are told apart.

use host_adapters_records::service::ServiceRequest;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Most operations of a host that are told apart.
const MAX_OPERATIONS: usize = 100;
/// Most bytes of one.
const MAX_BYTES: usize = 128;
/// All others, and requests without a template: their path has ids.
const OTHER: &str = "other";

/// The operations that were named so far.
#[derive(Default)]
pub(super) struct Operations(Mutex<HashSet<String>>);

impl Operations {
    /// The operation of a request, `POST /{campaignId}/codes/reserve`.
    pub(super) fn of(&self, request: &ServiceRequest) -> String {
        let named = request.route.as_deref().map(|route| format!("{} {route}", request.method));
        named.filter(|name| is_fit(name) && self.is_told_apart(name)).unwrap_or_else(|| OTHER.to_owned())
    }

    fn is_told_apart(&self, name: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(name) || (known.len() < MAX_OPERATIONS && known.insert(name.to_owned()))
    }
}

fn is_fit(name: &str) -> bool {
    name.len() <= MAX_BYTES && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operations: &Operations, route: Option<&str>) -> String {
        let (method, path) = ("POST".to_owned(), "/campaign-1/codes/reserve".to_owned());
        let (route, body) = (route.map(str::to_owned), String::new());
        operations.of(&ServiceRequest { method, path, route, expects: vec![], headers: vec![], body })
    }

    #[test]
    fn an_operation_is_the_template_and_never_the_path() {
        let operations = Operations::default();
        assert_eq!(of(&operations, Some("/{campaignId}/codes/reserve")), "POST /{campaignId}/codes/reserve");
        assert_eq!(of(&operations, None), OTHER);
        assert_eq!(of(&operations, Some("/\n")), OTHER);
        assert_eq!(of(&operations, Some(&"/x".repeat(MAX_BYTES))), OTHER);
    }

    #[test]
    fn only_so_many_are_told_apart() {
        let operations = Operations::default();
        let names: HashSet<_> = (0..10 * MAX_OPERATIONS).map(|n| of(&operations, Some(&format!("/{n}")))).collect();
        assert_eq!(names.len(), MAX_OPERATIONS + 1);
        assert_eq!(of(&operations, Some("/0")), "POST /0", "those of before are");
    }
}
