//! The fault of a record, and its place.

/// A fault of a record's `data`. It never quotes a value, which may be a fan's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("/data{path} {problem}")]
pub struct Fault {
    /// A JSON pointer within `data`: `/date/updated`; empty for `data` itself.
    pub path: String,
    /// The fault, as a message that follows the path.
    pub problem: String,
}

impl Fault {
    /// A fault at a path within `data`.
    pub fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

/// Most faults that a reason lists.
const LISTED: usize = 3;

/// The reason to reject a record with these faults: `invalid: /data/id …`. The first word labels the metric.
pub fn reason(faults: &[Fault]) -> String {
    let listed: Vec<_> = faults.iter().take(LISTED).map(Fault::to_string).collect();
    let more = faults.len().saturating_sub(LISTED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("invalid: {}{more}", listed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_lists_the_first_faults_with_their_paths() {
        let fault = |name: &str| Fault::at(format!("/{name}"), "is missing");
        assert_eq!(reason(&[fault("a")]), "invalid: /data/a is missing");
        let faults = ["a", "b", "c", "d", "e"].map(fault);
        assert_eq!(reason(&faults), "invalid: /data/a is missing; /data/b is missing; /data/c is missing; and 2 more");
    }
}
