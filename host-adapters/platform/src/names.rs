//! The names that an application declares, and their names in the backend. Names that no backend could have are faults of
//! spin.toml, whichever backend there is: the same spin.toml serves all of them.

use super::{Result, fifo};
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeSet;

/// The declared names of one kind, and the prefix that a deployment adds to them.
#[derive(Clone, Debug)]
pub struct Names {
    kind: &'static str,
    prefix: String,
    declared: BTreeSet<String>,
}

impl Names {
    /// The `declared` names of a kind, such as `table`.
    pub fn new(kind: &'static str, prefix: &str, declared: BTreeSet<String>) -> Self {
        Self { kind, prefix: prefix.to_owned(), declared }
    }

    /// All declared names.
    pub fn declared(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(String::as_str)
    }

    /// The name at the backend of a declared name. Any other name is `not-found`, and the backend is not called.
    pub fn real(&self, name: &str) -> Result<String> {
        match self.declared.contains(name) {
            true => Ok(format!("{}{name}", self.prefix)),
            false => Err(unknown(self.kind, name, self.declared.iter())),
        }
    }

    /// The declared name for the backend's name `real`.
    pub fn declared_as<'a>(&self, real: &'a str) -> Option<&'a str> {
        real.strip_prefix(&self.prefix).filter(|name| self.declared.contains(*name))
    }
}

/// What is wrong with the name of a queue. SQS takes 80 letters, digits, `-` and `_`, and `.fifo` at the end of a FIFO
/// queue's name, which counts (`QueueName` on the page of its action `CreateQueue`).
pub fn queue_fault(name: &str) -> Option<String> {
    let own = name.strip_suffix(fifo::SUFFIX).unwrap_or(name);
    let is_fit = !own.is_empty() && name.len() <= 80 && own.bytes().all(|it| is_letter(it) || b"-_".contains(&it));
    let rule = "1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO queue's";
    (!is_fit).then(|| fault(name, "a queue in SQS", rule))
}

/// What is wrong with the name of a table. DynamoDB takes 3 to 255 letters, digits, `_`, `-` and `.` (`TableName` on the
/// page of its action `CreateTable`).
pub fn table_fault(name: &str) -> Option<String> {
    let is_fit = (3..=255).contains(&name.len()) && name.bytes().all(|it| is_letter(it) || b"_-.".contains(&it));
    (!is_fit).then(|| fault(name, "a table in DynamoDB", "3 to 255 letters, digits, _, - and ."))
}

/// What is wrong with the name of a collection. MongoDB takes names without `$` and the character 0 that do not begin with
/// `system.`; with the database and a dot they have 255 bytes (its page "MongoDB Limits and Thresholds").
pub fn collection_fault(name: &str) -> Option<String> {
    let is_fit = (1..=255).contains(&name.len()) && !name.contains(['$', '\0']) && !name.starts_with("system.");
    (!is_fit).then(|| fault(name, "a collection in MongoDB", "1 to 255 bytes without $, not beginning with system."))
}

/// What is wrong with the name of a bucket. S3 takes 3 to 63 lower-case letters, digits, `-` and `.`, with a letter or digit
/// at both ends and no two dots together (Amazon S3 User Guide, "General purpose bucket naming rules"); the beginnings and
/// ends that it keeps for itself it refuses by itself.
pub fn bucket_fault(name: &str) -> Option<String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_fit = (3..=63).contains(&name.len())
        && name.bytes().all(|it| is_inner(it) || b"-.".contains(&it))
        && name.starts_with(|it: char| it.is_ascii_alphanumeric())
        && name.ends_with(|it: char| it.is_ascii_alphanumeric())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    let rule = "3 to 63 lower-case letters, digits, - and ., beginning and ending with a letter or digit";
    (!is_fit).then(|| fault(name, "a bucket in S3", rule))
}

/// The fault of the first name that is valid in the backend, but not with this prefix.
pub fn prefix_fault<'n>(
    prefix: &str,
    declared: impl IntoIterator<Item = &'n String>,
    fault: fn(&str) -> Option<String>,
) -> Option<String> {
    let mut fit = declared.into_iter().filter(|name| fault(name).is_none());
    fit.find_map(|name| {
        Some(format!("before \"{name}\" the prefix makes a wrong name: {}", fault(&format!("{prefix}{name}"))?))
    })
}

pub(crate) fn fault(name: &str, of: &str, rule: &str) -> String {
    format!("\"{name}\" cannot be the name of {of}; write {rule}")
}

pub(crate) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The error for a name that is not declared.
pub fn unknown<'a>(kind: &str, name: &str, declared: impl Iterator<Item = &'a String>) -> Error {
    let mut declared: Vec<_> = declared.map(|name| format!("`{name}`")).collect();
    declared.sort_unstable();
    let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
    Error::new(ErrorKind::NotFound, format!("there is no {kind} `{name}`; configured: {declared}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sqs_cannot_have_are_faults() {
        let (longest, longest_fifo) = ("q".repeat(80), format!("{}.fifo", "q".repeat(75)));
        for name in ["q", "saveEntriesQueue", "a-b_C9", "orders.fifo", &longest, &longest_fifo] {
            assert_eq!(queue_fault(name), None, "{name}");
        }
        let (long, long_fifo) = (format!("{longest}q"), format!("q{longest_fifo}"));
        for name in ["", " ", "bad name!", "a.b", "ü", "a.fifo.b", "a.fifo.fifo", "a.FIFO", ".fifo", &long, &long_fifo]
        {
            let told = queue_fault(name).unwrap_or_default();
            assert!(
                told.starts_with(&format!("\"{name}\" cannot be the name of a queue in SQS; write ")),
                "{name}: {told}"
            );
        }
    }

    #[test]
    fn names_that_dynamodb_cannot_have_are_faults() {
        let longest = "t".repeat(255);
        for name in ["abc", "demand-table", "a.b_C9", &longest] {
            assert_eq!(table_fault(name), None, "{name}");
        }
        let long = format!("{longest}t");
        for name in ["", "ab", "a table", "täble", "a/b", &long] {
            assert!(table_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_that_mongodb_cannot_have_are_faults() {
        assert_eq!(collection_fault("campaigns"), None);
        for name in ["", "a$b", "a\0b", "system.users", &"c".repeat(256)] {
            assert!(collection_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_that_s3_cannot_have_are_faults() {
        let longest = "b".repeat(63);
        for name in ["abc", "scoring-bucket", "a.b-9", &longest] {
            assert_eq!(bucket_fault(name), None, "{name}");
        }
        let long = format!("{longest}b");
        for name in ["", "ab", "scoringBucket", "a_b", "-abc", "abc.", "a..b", "a/b", "10.0.0.1", "bücket", &long] {
            assert!(bucket_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_prefix_is_at_fault_for_names_that_could_be_without_it() {
        let declared = ["bad name".to_owned(), "q".repeat(78)];
        assert_eq!(prefix_fault("", &declared, queue_fault), None);
        assert_eq!(prefix_fault("p-", &declared, queue_fault), None);
        for prefix in ["prd-", "p."] {
            let told = prefix_fault(prefix, &declared, queue_fault).unwrap_or_default();
            assert!(told.contains(&format!("\"{prefix}qqq")), "{told}");
        }
    }
}
