//! Which dependencies an instance found down, and whether the refusals that it got are caused by its records.
//!
//! A service that answers 500 or 404, or 200 with another server's page, may refuse one record, or be broken or
//! configured at a wrong address. The other requests of the route, from all components and instances of this host, show
//! which: if all of them get such responses, the route is down.

use host_adapters_event::{ServiceStatus, cut};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A refusal this soon after an answer is the record's own.
const MEMORY: Duration = Duration::from_secs(10);
/// After this many consecutive calls that got only refusals the route is down, even if the last good response is
/// recent: retries of a stream follow each other within seconds.
const IN_A_ROW: u32 = 3;
/// Most routes that are remembered; components name them. Refusals of further ones are their records' own.
const MAX_ROUTES: usize = 1_000;
/// Most bytes of a route's name.
const MAX_NAME_BYTES: usize = 256;

/// What an instance's calls found since the instance last had nothing to do.
#[derive(Clone, Default)]
pub(crate) struct Outages {
    found: Arc<Mutex<Found>>,
    routes: Arc<Routes>,
}

#[derive(Default)]
struct Found {
    down: BTreeSet<String>,
    /// By name of the route.
    refused: BTreeMap<String, u16>,
}

impl Outages {
    /// What an instance finds; `routes` is what all of them find.
    pub(crate) fn new(routes: Arc<Routes>) -> Self {
        Self { found: Arc::default(), routes }
    }

    /// Notes a resource that is down as a whole.
    pub(crate) fn add(&self, resource: String) {
        self.lock().down.insert(resource);
    }

    /// Records a response that shows that a route works.
    pub(crate) fn works(&self, service: &str, route: &str) {
        self.routes.works(&name(service, route));
    }

    /// Records a refusal. Only the first of a call counts, because a call may use many requests to find out which
    /// record is refused.
    pub(crate) fn refused(&self, service: &str, route: &str, status: u16) {
        let name = name(service, route);
        if self.lock().refused.insert(name.clone(), status).is_none() {
            self.routes.refused(name);
        }
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Found::default();
    }

    /// The resources that are down.
    pub(crate) fn list(&self) -> Vec<String> {
        self.lock().down.iter().cloned().collect()
    }

    /// The routes that refused the instance and are down, with the status, for people.
    pub(crate) fn refusing(&self) -> Vec<String> {
        let found = self.lock();
        let down = found.refused.iter().filter(|(name, _)| self.routes.is_down(name));
        let told = |status| match ServiceStatus::of(status) {
            ServiceStatus::Done => format!("{status}, but not by the service"),
            _ => status.to_string(),
        };
        down.map(|(name, status)| format!("{name}: every request is answered with {}", told(*status))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `service:entry POST /{campaignId}/entries`.
fn name(service: &str, route: &str) -> String {
    cut(&format!("{service} {route}"), MAX_NAME_BYTES).to_owned()
}

/// The routes of services, as all instances of a host find them.
#[derive(Default)]
pub(crate) struct Routes(Mutex<HashMap<String, Route>>);

#[derive(Default)]
struct Route {
    worked: Option<Instant>,
    /// Calls that met a refusal since then.
    refusals: u32,
}

impl Route {
    fn worked_lately(&self) -> bool {
        self.worked.is_some_and(|worked| worked.elapsed() < MEMORY)
    }
}

impl Routes {
    fn works(&self, name: &str) {
        let now = Route { worked: Some(Instant::now()), refusals: 0 };
        let mut routes = self.lock();
        match routes.get_mut(name) {
            Some(route) => *route = now,
            None => drop(Self::insert(&mut routes, name.to_owned(), now)),
        }
    }

    fn refused(&self, name: String) {
        let mut routes = self.lock();
        match routes.get_mut(&name) {
            Some(route) => route.refusals = route.refusals.saturating_add(1),
            None => drop(Self::insert(&mut routes, name, Route { worked: None, refusals: 1 })),
        }
    }

    fn is_down(&self, name: &str) -> bool {
        self.lock()
            .get(name)
            .is_some_and(|route| route.refusals > 0 && (route.refusals >= IN_A_ROW || !route.worked_lately()))
    }

    /// Where there are too many, those that work are forgotten first.
    fn insert(routes: &mut HashMap<String, Route>, name: String, route: Route) -> Option<Route> {
        if routes.len() >= MAX_ROUTES {
            routes.retain(|_, route| route.refusals > 0 && route.worked_lately());
        }
        if routes.len() >= MAX_ROUTES { None } else { routes.insert(name, route) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Route>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "POST /{campaignId}/entries";

    /// A call of a worker that met these statuses: 204 is the service's own, 200 a foreign page.
    fn call(routes: &Arc<Routes>, statuses: &[u16]) -> Vec<String> {
        let outages = Outages::new(routes.clone());
        for status in statuses {
            match status {
                204 => outages.works("service:entry", ROUTE),
                refused => outages.refused("service:entry", ROUTE, *refused),
            }
        }
        outages.refusing()
    }

    #[tokio::test(start_paused = true)]
    async fn point_16_what_every_request_gets_is_an_outage() {
        let routes = Arc::default();
        let down = ["service:entry POST /{campaignId}/entries: every request is answered with 404"];
        assert_eq!(call(&routes, &[404, 404]), down, "there never was an answer");
        let foreign =
            "service:entry POST /{campaignId}/entries: every request is answered with 200, but not by the service";
        assert_eq!(call(&routes, &[200]), [foreign]);
        assert_eq!(call(&routes, &[204]), [""; 0]);
        tokio::time::advance(MEMORY).await;
        assert_eq!(call(&routes, &[404]), down, "no answer for long");
    }

    #[tokio::test(start_paused = true)]
    async fn point_16_among_answers_a_refusal_is_the_records_own() {
        let routes = Arc::default();
        assert_eq!(call(&routes, &[500, 500, 204, 500]), [""; 0], "other records of the same call");
        tokio::time::advance(MEMORY / 2).await;
        for _ in 0..100 {
            assert_eq!(call(&routes, &[500]), [""; 0], "other calls");
            call(&routes, &[204]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn point_16_an_outage_is_seen_within_three_calls() {
        let routes = Arc::default();
        call(&routes, &[204]);
        let seen: Vec<_> = (0..4).map(|_| !call(&routes, &[401; 50]).is_empty()).collect();
        assert_eq!(seen, [false, false, true, true]);
        assert_eq!(call(&routes, &[401, 204]), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn routes_are_few() {
        let routes = Routes::default();
        for n in 0..10 * MAX_ROUTES {
            routes.refused(n.to_string());
        }
        assert!(routes.lock().len() <= MAX_ROUTES);
    }
}
