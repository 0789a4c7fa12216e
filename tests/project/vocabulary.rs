//! The words that this project uses. One word for one thing; words that are replaced must not come back.

use std::path::{Path, PathBuf};
use tests::programs::project;

/// Words that must not be used, what to write instead, and why. `crash points` also stands for `CrashPoints`,
/// `crash_points` and `crash-points`, and a comment may break the line between its words.
const REPLACED: &[(&str, &str, &str)] = &[
    ("lane", "key group", "records of one ordering key; a partition is Kafka's"),
    ("lanes", "key groups", "records of one ordering key; a partition is Kafka's"),
    ("bury", "give up", "a record that is given up becomes a dead letter"),
    ("buried", "given up", "a record that is given up becomes a dead letter"),
    ("burial", "dead letter", "a record that is given up becomes a dead letter"),
    ("let letter", "let dead_letter", "a letter is a character"),
    ("let letters", "let dead_letters", "a letter is a character"),
    ("struct letter", "DeadLetter", "a letter is a character"),
    ("weather", "outage, or transient failure", "the words of the field"),
    ("trouble", "outage, or fault", "the words of the field"),
    ("door", "endpoint, or handler", "the words of the field"),
    ("doors", "endpoints, or handlers", "the words of the field"),
    ("the feed", "shared reader, or source context", "to feed is what a source does with its worker"),
    ("a feed", "shared reader, or source context", "to feed is what a source does with its worker"),
    ("struct feed", "a name that says its role", "to feed is what a source does with its worker"),
    ("mod feed", "a name that says its role", "to feed is what a source does with its worker"),
    ("mistake", "diagnostic, or fault", "a diagnostic has its place in a file"),
    ("mistakes", "diagnostics, or faults", "a diagnostic has its place in a file"),
    ("insist", "retry until it succeeds", "says what happens"),
    ("insists", "retries until it succeeds", "says what happens"),
    ("crash points", "failpoints", "the word of the field, and of the crate"),
    ("a crash point", "a failpoint", "the word of the field, and of the crate"),
    ("the crash point", "the failpoint", "the word of the field, and of the crate"),
    ("stand in for", "replace", "a service of a test is a fake; a fault is injected"),
    ("stands in for", "replaces", "a service of a test is a fake; a fault is injected"),
    ("a stand in", "a fake", "a service of a test is a fake; a fault is injected"),
    ("stand ins", "fakes", "a service of a test is a fake; a fault is injected"),
    ("struct answer", "Response, or Results", "one type name for one thing: `Answer` meant five"),
    ("enum answer", "Response, or Outcome", "one type name for one thing: `Answer` meant five"),
    ("type answers", "Responses, or Results", "one type name for one thing: `Answer` meant five"),
    ("anew", "again, or restart", "plain English"),
    ("thereof", "of it", "plain English"),
    ("therein", "in it", "plain English"),
    ("whence", "from where", "plain English"),
    ("lest", "so that … not", "plain English"),
    ("naught", "nothing", "plain English"),
    ("whosoever", "name the actor", "plain English"),
];

/// What is read below the project's folder. `wit` has standards in it whose words are not ours.
const ROOTS: [&str; 9] =
    ["components", "deploy", "docs", "host-adapters", "tests", "xtask", "ARCHITECTURE.md", "README.md", "spin.toml"];
const EXTENSIONS: [&str; 5] = ["java", "md", "rs", "toml", "yaml"];

/// Every file below a path that people write, except this one.
fn written(path: PathBuf, found: &mut Vec<PathBuf>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_dir() {
        // Inputs that a fuzzer found, and what is built or installed.
        if name.starts_with('.') || ["corpus", "node_modules", "target"].contains(&name.as_str()) {
            return;
        }
        for entry in std::fs::read_dir(path).unwrap() {
            written(entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|it| extension == *it))
        && !path.ends_with("tests/project/vocabulary.rs")
    {
        found.push(path);
    }
}

/// The words of a text in lower case, with a blank before and behind each. Parts of identifiers are words.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    let mut last = ' ';
    for char in text.chars() {
        let is_start = char.is_uppercase() && last.is_lowercase();
        if (is_start || !char.is_alphanumeric()) && !words.ends_with(' ') {
            words.push(' ');
        }
        if char.is_alphanumeric() {
            words.extend(char.to_lowercase());
        }
        last = char;
    }
    words.push(' ');
    words
}

fn assert_has_no_replaced_word(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let words = words(&text);
    for (word, instead, why) in REPLACED {
        assert!(
            !words.contains(&format!(" {word} ")),
            "{} has the word \"{word}\"; write {instead} ({why})",
            path.display()
        );
    }
}

#[test]
fn parts_of_identifiers_and_wrapped_comments_are_words() {
    for text in ["TheCrashPoint", "the_crash_point", "`the crash-point`", "/// the crash\n    /// point"] {
        assert!(words(text).contains(" the crash point "), "{text}: {}", words(text));
    }
    assert!(!words("planes").contains(" lane "), "only whole words count");
}

#[test]
fn words_that_were_replaced_do_not_come_back() {
    let mut found = Vec::new();
    for root in ROOTS {
        written(project().join(root), &mut found);
    }
    assert!(found.len() > 800, "only {} files were found", found.len());
    found.iter().for_each(|path| assert_has_no_replaced_word(path));
}
