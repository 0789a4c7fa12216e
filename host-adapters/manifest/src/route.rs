//! `[[trigger.http]]`: which component answers a path, by the matcher that Spin itself uses.

use host_adapters_settings::{Fields, Spanned};
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
    triggers.finish();
    (Routes { list: builder.list, router: Arc::new(builder.router) }, builder.targets)
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
        fields.ignored("id");
        fields.unsupported("components", "name one component as component = \"id\"");
        fields.unsupported("dependencies", "write [component.<id>.dependencies]");
        fields.unsupported("executor", "every component is a wasi:http handler");
        let component = fields.string("component");
        let component = fields.required("component", component, "the id of the component that answers");
        let route = read_route(&mut fields);
        if let Some(component) = &component {
            self.targets.push(Target { component: component.value.clone(), at: component.span.clone() });
        }
        if let (Some(component), Some(Some(route))) = (component, route) {
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

/// A route; `Some(None)` for `{ private = true }`, which only other components can call.
fn read_route(fields: &mut Fields<'_, '_>) -> Option<Option<Spanned<String>>> {
    let is_private = matches!(fields.item("route"), Some((item, _)) if item.is_table_like());
    if is_private {
        let mut private = fields.table("route")?;
        if private.boolean("private") != Some(true) {
            private.diagnostic(&private.span, "a route is a string or { private = true }");
        }
        private.finish();
        return Some(None);
    }
    let route = fields.string("route");
    let route = fields.required("route", route, "a path, as in route = \"/workers/<id>\"")?;
    if !route.value.starts_with('/') {
        fields.diagnostic(&route.span, format!("route \"{0}\" has no leading slash; write \"/{0}\"", route.value));
        return None;
    }
    Some(Some(route))
}
