//! The posts to Slack: the counts of a campaign after each change, once and in time.

use super::check::Expected;
use super::due::Counts;
use super::found::Post;
use crate::check::{Failures, Kind};
use std::collections::BTreeMap;

/// How long after a file's end Slack must know the counts: the documents' notification timeliness, milliseconds.
const LIMIT_MS: u64 = 60_000;

/// Judges what Slack was told of each campaign, by the counts that it should know in the end.
pub fn check(due: &BTreeMap<&str, Counts>, expected: &Expected<'_>, posts: &[Post], failures: &mut Failures) {
    let mut told = BTreeMap::<&str, Vec<(Counts, u64)>>::new();
    for post in posts {
        match &post.report {
            Some((campaign, counts)) => told.entry(campaign).or_default().push((*counts, post.at_ms)),
            None => failures.add(Kind::Report, "slack", format!("it was told `{}`, which says no counts", post.text)),
        }
    }
    for (campaign, counts) in due {
        let told = told.remove(campaign).unwrap_or_default();
        let mut add = |detail: String| failures.add(Kind::Report, *campaign, detail);
        // Where the answer to a post is lost, with a host that is killed or by a fault, it is posted again.
        let again = told.windows(2).find_map(|two| match two {
            [(one, _), (next, _)] if one == next => Some(one),
            _ => None,
        });
        if let Some(again) = again.filter(|_| !expected.may_tell_twice) {
            add(format!("Slack was told {again:?} twice"));
        }
        match told.last() {
            Some((last, _)) if last == counts => {}
            Some((last, _)) => add(format!("Slack was last told {last:?}, and there are {counts:?}")),
            None => add(format!("Slack was never told of {counts:?}")),
        }
        let scored = Counts { selected: 0, ..*counts };
        let first = told.iter().find(|(told, _)| Counts { selected: 0, ..*told } == scored);
        if let (Some((_, at_ms)), Some(ended_ms)) = (first, expected.ended_ms)
            && at_ms.saturating_sub(ended_ms) > LIMIT_MS
        {
            let late = at_ms.saturating_sub(ended_ms);
            failures.add(Kind::Slow, *campaign, format!("Slack knew its counts {late} ms after the files' end"));
        }
    }
    for campaign in told.into_keys() {
        failures.add(Kind::Report, campaign, "Slack was told of it, and nobody is counted there");
    }
}
