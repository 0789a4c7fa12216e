//! A kind of source is its folder and one line: no other file of the host or of the workers names one.

use host_adapters_delivery::event::source_name;
use host_adapters_sources::SourceConfig;
use std::collections::BTreeSet;
use std::path::Path;
use tests::programs::project;

const SOURCES: &str = "host-adapters/sources/src";

/// The list, which has a line for each kind.
const LIST: &str = "host-adapters/sources/src/lib.rs";

/// The other files that may name kinds, and how.
const EXCEPTIONS: [(&str, &[&str]); 5] = [
    // For those who name a source and do not know the sources.
    (
        "host-adapters/event/src/source_name.rs",
        &["\"sqs\"", "\"dynamodb-stream\"", "\"kinesis\"", "\"kafka\"", "\"task\""],
    ),
    // Kinds of backends, some of which are called as sources are.
    ("host-adapters/src/backends/mod.rs", &["\"sqs\"", "\"s3\"", "\"kinesis\"", "\"kafka\""]),
    // SNS's word for subscribers that are queues, and the actions that a queue's policy allows.
    ("host-adapters/backends/sns/src/provision.rs", &["\"sqs\""]),
    ("host-adapters/backends/sns/src/policy.rs", &["\"sqs:"]),
    // A member of S3's notifications.
    ("host-adapters/backends/embedded/src/objects/notify.rs", &["\"s3\""]),
];

/// The modules of the kinds.
fn modules() -> Vec<String> {
    let entries = std::fs::read_dir(project().join(SOURCES)).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.join("mod.rs").is_file());
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The Rust files below `folder` that are not tests, by their paths from the project's folder.
fn add_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["target", "tests", "testing"].contains(&name) {
            add_files(&path, found);
        } else if name.ends_with(".rs") && !["tests.rs", "testing.rs"].contains(&name) {
            found.push(path.strip_prefix(project()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// The code of a file, without its comments and unit tests. In strings, quotes stand for themselves.
fn code(path: &str) -> String {
    let text = std::fs::read_to_string(project().join(path)).unwrap();
    let without_tests = text.split("\nmod tests {").next().unwrap();
    let lines = without_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n").replace('\\', "")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether code outside the crate of sources names a module of it.
fn uses(code: &str, module: &str) -> bool {
    code.split("host_adapters_sources::").skip(1).any(|rest| {
        let end = if rest.starts_with('{') { rest.find(';') } else { rest.find(|c: char| !is_word(c)) };
        rest[..end.unwrap_or(rest.len())].split(|c: char| !is_word(c)).any(|word| word == module)
    })
}

/// Whether code of the crate of sources names a module of it.
fn reaches_into(code: &str, module: &str) -> bool {
    let path = format!("{module}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        before.ends_with("crate::") || !before.ends_with(|c: char| is_word(c) || c == ':')
    })
}

/// How a file names the kind of a module.
fn names(path: &str, code: &str, module: &str) -> Vec<String> {
    let kind = module.replace('_', "-");
    let mut names = Vec::new();
    for text in [format!("\"{kind}\""), format!("\"{kind}:")] {
        if code.contains(&text) {
            names.push(text);
        }
    }
    if uses(code, module) || (path.starts_with(SOURCES) && reaches_into(code, module)) {
        names.push(format!("{module}::"));
    }
    names
}

#[test]
fn no_file_names_a_kind_outside_its_folder() {
    let modules = modules();
    assert!(modules.len() >= 5, "{modules:?}");
    let is_of_a_kind = |path: &String| modules.iter().any(|module| path.starts_with(&format!("{SOURCES}/{module}/")));
    let mut files = Vec::new();
    ["host-adapters", "components"].into_iter().for_each(|folder| add_files(&project().join(folder), &mut files));
    assert!(files.len() > 300, "{}", files.len());
    let in_list = |module: &String| (LIST.to_owned(), format!("\"{}\"", module.replace('_', "-")));
    let (mut found, mut expected) = (BTreeSet::new(), modules.iter().map(in_list).collect::<BTreeSet<_>>());
    for path in files.iter().filter(|path| !is_of_a_kind(path)) {
        let code = code(path);
        found.extend(modules.iter().flat_map(|module| names(path, &code, module)).map(|name| (path.clone(), name)));
    }
    for (path, names) in EXCEPTIONS {
        expected.extend(names.iter().map(|name| (path.to_owned(), (*name).to_owned())));
    }
    assert_eq!(found, expected, "name it in its folder, {SOURCES}/<kind>/");
}

#[test]
fn a_kind_named_outside_is_found() {
    for code in [
        "use host_adapters_sources::{Source, kinesis};\n",
        "use host_adapters_sources::kinesis::KinesisConfig;\n",
        "host_adapters_sources::kinesis::streams()",
        "format!(\"kinesis:{name}\")",
        "let kind = \"kinesis\";",
    ] {
        assert_eq!(names("host-adapters/src/app.rs", code, "kinesis").len(), 1, "{code}");
    }
    let path = format!("{SOURCES}/lambda.rs");
    for code in ["or_else(|| kinesis::opened(&event))", "use crate::kinesis::opened;"] {
        assert_eq!(names(&path, code, "kinesis").len(), 1, "{code}");
    }
    for code in ["use host_adapters_platform::task::NoTasks;", "host_adapters_sources::recovery(task)"] {
        assert!(names(&path, code, "task").is_empty(), "{code}");
    }
}

#[test]
fn names_of_sources_are_of_kinds_that_there_are() {
    let streams = [source_name::TABLE_STREAM, source_name::DATA_STREAM, source_name::EVENT_LOG];
    for kind in [source_name::QUEUE, source_name::TASK].into_iter().chain(streams) {
        assert!(SourceConfig::KINDS.contains(&kind), "{kind}");
    }
}
