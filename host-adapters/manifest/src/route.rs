//! `[[trigger.http]]`: which component answers a path, by the matcher that Spin itself uses.

use host_adapters_settings::{Fields, Spanned};
use host_adapters_sources::SourceConfig;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One route with its component.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// As written, such as `/workers/save-entries` or `/static/...`.
    pub route: String,
    /// The id of the component that answers.
    pub component: String,
}

impl Route {
    /// Without a trailing slash, as Spin matches it.
    pub fn matched(&self) -> &str {
        self.route.strip_suffix('/').unwrap_or(&self.route)
    }

    /// As written, without a trailing wildcard.
    pub fn prefix(&self) -> &str {
        self.route.strip_suffix("/...").unwrap_or(&self.route)
    }
}

/// A path and the route that answers it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Matched<'r> {
    /// The route.
    pub route: &'r Route,
    /// What stands in the path for each `:name` of the route.
    pub named: Vec<(String, String)>,
    /// What stands in the path for `/...`, with its leading slash; empty without it.
    pub path_info: String,
}

/// Spin keeps a trailing slash, which the matcher drops.
fn path_info(rest: &str, has_slash: bool) -> String {
    match (rest.is_empty(), has_slash) {
        (true, false) => String::new(),
        (true, true) => "/".to_owned(),
        (false, false) => format!("/{rest}"),
        (false, true) => format!("/{rest}/"),
    }
}

/// All routes. An exact route has precedence over a wildcard, and of wildcards the longest.
#[derive(Clone, Default)]
pub struct Routes {
    list: Vec<Route>,
    router: Arc<routefinder::Router<usize>>,
}

impl Routes {
    /// The route that answers a path (without the query).
    pub fn find<'r>(&'r self, path: &str) -> Option<Matched<'r>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let named = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let rest = captures.wildcard().map_or_else(String::new, |rest| path_info(rest, path.ends_with('/')));
        Some(Matched { route: self.list.get(*found.handler())?, named, path_info: rest })
    }

    /// All routes in the order of the manifest.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.list.iter()
    }

    /// The routes of one component.
    pub fn of<'r>(&'r self, component: &'r str) -> impl Iterator<Item = &'r Route> {
        self.iter().filter(move |route| route.component == component)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

/// The component that a trigger names, to be checked against the components.
pub(super) struct Target {
    pub(super) component: String,
    pub(super) at: Range<usize>,
}

/// Reads `[[trigger.http]]`. The components that it names are checked later.
pub(super) fn read(root: &mut Fields<'_, '_>) -> (Routes, Vec<Target>) {
    let Some(mut triggers) = root.table("trigger") else { return Default::default() };
    let mut builder = Builder::default();
    for fields in triggers.list("http") {
        builder.trigger(fields);
    }
    refuse_other_triggers(&triggers);
    (Routes { list: builder.list, router: Arc::new(builder.router) }, builder.targets)
}

/// Reports triggers that are not of HTTP, each with what feeds a component here.
fn refuse_other_triggers(triggers: &Fields<'_, '_>) {
    for kind in triggers.keys().filter(|kind| *kind != "http") {
        let at = triggers.key_place(kind).unwrap_or_else(|| triggers.span.clone());
        let source = SourceConfig::KINDS.iter().find(|it| **it == kind).unwrap_or(&"…");
        let instead = format!("write [[component.<id>.tool.host-adapters.source]] with type = \"{source}\"");
        let message = format!("trigger \"{kind}\" is not provided by host-adapters, which has \"http\"; {instead}");
        triggers.diagnostic(&at, message);
    }
}

#[derive(Default)]
struct Builder {
    list: Vec<Route>,
    router: routefinder::Router<usize>,
    /// Routes without a trailing slash, because Spin ignores it.
    seen: BTreeMap<String, String>,
    targets: Vec<Target>,
}

impl Builder {
    fn trigger(&mut self, mut fields: Fields<'_, '_>) {
        fields.string("id");
        fields.unsupported("components", "name one component as component = \"id\"");
        fields.unsupported("dependencies", "compose them into the component when you build");
        read_executor(&mut fields);
        let component = read_component(&mut fields);
        let route = read_route(&mut fields);
        if let Some(component) = &component {
            self.targets.push(Target { component: component.value.clone(), at: component.span.clone() });
        }
        if let (Some(component), Some(route)) = (component, route) {
            self.add(&fields, component.value, route);
        }
        fields.finish();
    }

    fn add(&mut self, fields: &Fields<'_, '_>, component: String, route: Spanned<String>) {
        let plain = route.value.strip_suffix('/').unwrap_or(&route.value).to_owned();
        if let Some(other) = self.seen.get(&plain) {
            fields.diagnostic(
                &route.span,
                format!("route \"{}\" is already that of \"{other}\"; write another", route.value),
            );
            return;
        }
        // The matcher writes `/*` for Spin's `/...`.
        let pattern = plain.strip_suffix("/...").map_or_else(|| plain.clone(), |prefix| format!("{prefix}/*"));
        if let Err(error) = self.router.add(pattern.as_str(), self.list.len()) {
            fields.diagnostic(&route.span, format!("route \"{}\" cannot be read: {error}", route.value));
            return;
        }
        self.seen.insert(plain, component.clone());
        self.list.push(Route { route: route.value, component });
    }
}

/// The id of the component that answers.
fn read_component(fields: &mut Fields<'_, '_>) -> Option<Spanned<String>> {
    if fields.has("static_response") {
        fields.unsupported("static_response", "answer with a component");
        fields.ignored("component");
        return None;
    }
    if fields.item("component").is_some_and(|(item, _)| item.is_table_like()) {
        let instead = "write it as [component.<id>] and name it as component = \"<id>\"";
        fields.unsupported("component", instead);
        return None;
    }
    let component = fields.string("component");
    fields.required("component", component, "the id of the component that answers")
}

/// Spin's `http`, which is the default, and its older name `spin`.
fn read_executor(fields: &mut Fields<'_, '_>) {
    let kind = fields.item("executor").and_then(|(item, _)| item.get("type")?.as_str());
    if !matches!(kind, Some("http" | "spin")) {
        fields.unsupported("executor", "every component is a wasi:http handler");
    }
}

/// A route. Spin's `{ private = true }` is for calls by other components, which this host does not have.
fn read_route(fields: &mut Fields<'_, '_>) -> Option<Spanned<String>> {
    if fields.item("route").is_some_and(|(item, _)| item.is_table_like()) {
        let mut route = fields.table("route")?;
        if route.boolean("private") == Some(true) {
            let instead = "no component calls another over HTTP; write a path, or remove the trigger";
            route.diagnostic(&route.span, format!("a private route is not provided by host-adapters; {instead}"));
        } else {
            route.diagnostic(&route.span, "a route is a path; write it as in route = \"/workers/<id>\"");
        }
        route.finish();
        return None;
    }
    let route = fields.string("route");
    let route = fields.required("route", route, "a path, as in route = \"/workers/<id>\"")?;
    if !route.value.starts_with('/') {
        fields.diagnostic(&route.span, format!("route \"{0}\" has no leading slash; write \"/{0}\"", route.value));
        return None;
    }
    Some(route)
}
