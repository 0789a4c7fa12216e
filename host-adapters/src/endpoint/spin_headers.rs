//! What a component receives in addition to the client's request, as on Spin: the headers `spin-*`, and a URI with
//! scheme and authority.

use crate::manifest::{Matched, Routes};
use axum::http::header::{CONNECTION, HOST};
use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use host_adapters_runtime::Completion;
use std::net::SocketAddr;
use std::sync::Arc;

/// Components trust headers that begin like this, so clients cannot send any.
const PREFIX: &str = "spin-";

/// A function that sets them on a request; its error names the fault of the request.
pub(super) fn completion(parts: &Parts, routes: &Arc<Routes>, client: SocketAddr) -> Result<Completion, &'static str> {
    let (authority, routes) = (authority(parts)?, routes.clone());
    Ok(Completion(Arc::new(move |parts| {
        if let Some(matched) = routes.find(parts.uri.path()) {
            set(parts, &matched, &authority, client);
        }
    })))
}

fn set(parts: &mut Parts, matched: &Matched<'_>, authority: &Authority, client: SocketAddr) {
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let full_url = format!("http://{authority}{path}");
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone()).path_and_query(path).build();
    // All three parts are there, so there is a URI.
    parts.uri = uri.unwrap_or_default();

    remove_forged(&mut parts.headers);
    // A header of the connection, which is the host's.
    parts.headers.remove(CONNECTION);
    let client = client.to_string();
    let facts = [
        ("path-info", matched.path_info.as_str()),
        ("full-url", &full_url),
        ("matched-route", matched.route.matched()),
        ("base-path", "/"),
        ("raw-component-route", &matched.route.route),
        ("component-route", matched.route.prefix()),
        ("client-addr", &client),
    ];
    for (name, value) in facts {
        insert(&mut parts.headers, name, value);
    }
    for (name, value) in &matched.named {
        insert(&mut parts.headers, &format!("path-match-{}", name.to_ascii_lowercase()), value);
    }
}

/// The one authority that the target and the header `Host` name.
fn authority(parts: &Parts) -> Result<Authority, &'static str> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let header = hosts.next().map(|host| host.to_str().ok()?.parse::<Authority>().ok());
    if hosts.next().is_some() {
        return Err("there are several headers Host");
    }
    match (header, parts.uri.authority()) {
        (Some(None), _) => Err("the header Host is not an authority"),
        (Some(Some(host)), Some(target)) if host != *target => Err("the header Host differs from the target"),
        (Some(Some(host)), _) => Ok(host),
        (None, Some(target)) => Ok(target.clone()),
        (None, None) => Err("the header Host is missing"),
    }
}

fn remove_forged(headers: &mut HeaderMap) {
    let forged: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

/// Sets a header, unless its name or value cannot be one: names of wildcards may be any text.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(format!("{PREFIX}{name}"));
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}
