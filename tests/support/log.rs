//! What the hosts of this process logged. Tests run in parallel in one process, so a test searches for lines with an id
//! of its own.

use serde_json::{Map, Value};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

static LINES: Mutex<Vec<Value>> = Mutex::new(Vec::new());

/// Installs the subscriber, once a process.
pub fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let ours = tracing_subscriber::filter::Targets::new()
            .with_target("backend_identity", tracing::Level::INFO)
            .with_target("host_adapters", tracing::Level::INFO)
            .with_target("host_adapters_delivery", tracing::Level::INFO)
            .with_target("host_adapters_runtime", tracing::Level::INFO);
        tracing_subscriber::registry()
            .with(Lines.with_filter(ours))
            .try_init()
            .expect("no other subscriber is installed");
    });
}

/// The lines with this field and value so far, as JSON objects with `level` and `message`.
pub fn lines(field: &str, value: &str) -> Vec<Value> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line[field] == value).cloned().collect()
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(Map::new());
        event.record(&mut line);
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(Value::Object(line.0));
    }
}

/// The fields of an event as JSON.
struct Line(Map<String, Value>);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
