//! Changed copies of spin.toml, as text that can be put into any folder.

use crate::support::settings::root;
use toml_edit::{DocumentMut, Item, TableLike, Value, value};

/// spin.toml after `change`. The paths of its components are absolute.
pub fn changed(change: impl FnOnce(&mut DocumentMut)) -> String {
    let text = std::fs::read_to_string(root().join("spin.toml")).unwrap();
    let mut manifest: DocumentMut = text.parse().unwrap();
    for (_, component) in manifest["component"].as_table_like_mut().unwrap().iter_mut() {
        let source = root().join(component["source"].as_str().unwrap());
        component["source"] = value(source.to_str().unwrap());
    }
    change(&mut manifest);
    manifest.to_string()
}

/// Sets the visibility timeout in seconds, and how often a message may be received; no source attempts it more often.
pub fn set_queues(manifest: &mut DocumentMut, visibility_secs: i64, receives: i64) {
    let queues = manifest["application"]["tool"]["host-adapters"]["queues"].as_table_like_mut().unwrap();
    for (_, queue) in queues.iter_mut() {
        queue["visibility_timeout_secs"] = value(visibility_secs);
        // Where it is set, each part of a long work is a receive.
        if queue.get("max_receive_count").is_none() {
            queue["max_receive_count"] = value(receives);
        }
    }
    let components = manifest["component"].as_table_like_mut().unwrap();
    for (_, component) in components.iter_mut() {
        for source in sources(component).filter(|source| source.get("type").and_then(Item::as_str) == Some("sqs")) {
            let attempts = source.get("max_attempts").and_then(Item::as_integer).unwrap_or(3);
            source.insert("max_attempts", value(attempts.min(receives)));
        }
    }
}

/// The sources of a component, which are blocks or stand in a list.
fn sources(component: &mut Item) -> Box<dyn Iterator<Item = &mut dyn TableLike> + '_> {
    let sources = component.get_mut("tool").and_then(|tool| tool.get_mut("host-adapters")?.get_mut("source"));
    match sources {
        Some(Item::ArrayOfTables(blocks)) => Box::new(blocks.iter_mut().map(|block| block as &mut dyn TableLike)),
        Some(Item::Value(Value::Array(list))) => {
            let inline = list.iter_mut().filter_map(Value::as_inline_table_mut);
            Box::new(inline.map(|source| source as &mut dyn TableLike))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Removes the sources of these components.
pub fn cut_off(manifest: &mut DocumentMut, components: &[&str]) {
    for component in components {
        let ours = manifest["component"][component]["tool"]["host-adapters"].as_table_like_mut().unwrap();
        ours.remove("source").map(|_: Item| ()).unwrap();
    }
}
