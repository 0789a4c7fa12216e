//! spin.toml: any text is read or refused without a panic; diagnostics have places within the text and show no secret;
//! an accepted manifest refers only to declared names.

use host_adapters_manifest::{App, ManifestErrors, ProvidedVariables, parse};
use host_adapters_sources::Resource;
use std::collections::BTreeMap;
use std::path::Path;

/// The value of every secret variable.
const SECRET: &str = "value-of-a-secret-variable";

/// Checks one text.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables = variables(text);
    let read = |text: &str| parse(Path::new("folder/spin.toml"), text, &variables);
    let first = read(text);
    match &first {
        Ok(app) => check_app(app),
        Err(errors) => check_diagnostics(text, errors),
    }
    // A byte order mark is allowed only at the beginning.
    if !text.starts_with('\u{feff}') {
        let moved = read(&format!("# One line more.\n{text}"));
        assert_eq!(shown(&first, 1), shown(&moved, 0), "a comment at the beginning changes the result");
    }
}

/// A value for each variable of the text that may need one.
fn variables(text: &str) -> ProvidedVariables {
    let document = text.parse::<toml_edit::DocumentMut>().unwrap_or_default();
    let declared = document.get("variables").and_then(|it| it.as_table_like());
    let value = |(name, variable): (&str, &toml_edit::Item)| {
        let secret = variable.get("secret").and_then(|it| it.as_bool()).unwrap_or_default();
        (name.to_lowercase(), if secret { SECRET } else { "http://127.0.0.1:8080" }.to_owned())
    };
    let environment = declared.into_iter().flat_map(|it| it.iter()).map(value).collect();
    ProvidedVariables { named: BTreeMap::new(), environment }
}

fn check_diagnostics(text: &str, errors: &ManifestErrors) {
    let lines: Vec<_> = text.split('\n').collect();
    assert!(!errors.diagnostics.is_empty());
    for diagnostic in &errors.diagnostics {
        let line = diagnostic.line.checked_sub(1).and_then(|index| lines.get(index)).expect("a line of the text");
        assert!(
            (1..=line.chars().count() + 1).contains(&diagnostic.column),
            "{diagnostic:?} is beside its line {line:?}"
        );
        assert!(!diagnostic.message.contains(char::is_control), "{diagnostic:?} is not one line");
        assert!(!diagnostic.message.contains(SECRET) || text.contains(SECRET), "{diagnostic:?} shows a secret");
    }
    let places: Vec<_> = errors.diagnostics.iter().map(|diagnostic| (diagnostic.line, diagnostic.column)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(errors.to_string().lines().count(), errors.diagnostics.len());
}

fn check_app(app: &App) {
    for route in app.routes.iter() {
        assert!(app.components.contains_key(&route.component), "{route:?} names an unknown component");
        if !route.route.contains([':', '*', '.']) {
            assert_eq!(app.routes.find(&route.route).map(|it| &it.route.route), Some(&route.route));
        }
    }
    for (id, component) in &app.components {
        assert_eq!(&component.id, id);
        assert!((1..=1_000).contains(&component.limits.max_instances));
        assert!(!component.limits.request_timeout().is_zero());
        for source in &component.sources {
            let is_declared = match source.reads() {
                None => true,
                Some((_, Resource::Queue(queue))) => app.host.declared.queues.contains_key(&queue),
                Some((_, Resource::Stream(table))) => app.host.declared.tables[&table].stream,
                Some((_, Resource::DataStream(stream))) => app.host.declared.data_streams.contains_key(&stream),
                Some((_, Resource::LogTopic(topic))) => app.host.declared.event_log.contains_key(&topic),
            };
            assert!(is_declared, "{source:?} reads a name that is not declared");
            let dead_letters = source.dead_letter_queue(id);
            assert_eq!(dead_letters.is_none(), source.does_tasks(), "{source:?}");
            let has_queue = dead_letters.is_none_or(|queue| app.host.declared.queues.contains_key(&queue));
            assert!(has_queue, "{source:?} has no queue of dead letters");
        }
    }
    assert_eq!(app.declared().queues.len(), app.host.declared.queues.len());
}

/// The result, or the diagnostics, moved `down` lines further down. Diagnostics at the beginning concern the whole
/// text, and are not moved, or its first line.
fn shown(read: &Result<App, ManifestErrors>, down: usize) -> Result<String, Vec<(usize, usize, &str)>> {
    let place = |(line, column)| match (line + down, column) {
        (1 | 2, 1) => (0, 0),
        place => place,
    };
    let errors = match read {
        Ok(app) => return Ok(format!("{app:?}")),
        Err(errors) => errors,
    };
    let diagnostic = errors.diagnostics.iter().map(|it| {
        let (line, column) = place((it.line, it.column));
        (line, column, &*it.message)
    });
    let mut diagnostics: Vec<_> = diagnostic.collect();
    diagnostics.sort();
    Err(diagnostics)
}
