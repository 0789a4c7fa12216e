//! Compares the results of the scored files with the expected ones. No I/O.

use super::due::{Counts, Due, Score};
use super::file::File;
use super::found::{Found, Record};
use super::plan::{Plan, Row};
use super::slack;
use crate::check::{Failures, Kind, Name, entry_name};
use crate::generate::World;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The expected result of the files.
pub struct Expected<'a> {
    /// Whose names are whose.
    pub world: &'a World,
    /// The rows.
    pub plan: &'a Plan<'a>,
    /// What they come to.
    pub due: &'a Due<'a>,
    /// The files.
    pub files: &'a [File],
    /// Whether the host ran all the time. One that was killed may repeat what it has done.
    pub undisturbed: bool,
    /// Whether Slack may be told the same twice, because answers to posts are lost.
    pub may_tell_twice: bool,
    /// When the last row of the files was done, milliseconds since 1970 (UTC), if it matters how long Slack waits after that.
    pub ended_ms: Option<u64>,
}

/// Compares everything. `selected` is how many fans have won, by campaign.
pub fn check(expected: &Expected<'_>, selected: &BTreeMap<&str, i64>, found: &Found, failures: &mut Failures) {
    let fans = Fans::of(expected.world);
    let items = Held { kind: Kind::ScoreItem, what: "score item", due: &expected.due.items };
    items.compare(&fans, &found.items, failures);
    let posted = Held { kind: Kind::Posted, what: "score in the Entry Service", due: &expected.due.posted };
    posted.compare(&fans, &found.posted, failures);
    let counts = totals(expected.due, selected);
    check_counts(&counts, &found.counts, failures);
    slack::check(&counts, expected, &found.told, failures);
    expected.files.iter().for_each(|file| check_rows(file, found, failures));
    check_stream(expected, &found.streamed, failures);
}

/// The counts of all campaigns: those of scoring, and the selected.
fn totals<'a>(due: &Due<'a>, selected: &BTreeMap<&'a str, i64>) -> BTreeMap<&'a str, Counts> {
    let mut totals = due.counts.clone();
    for (campaign, selected) in selected {
        totals.entry(*campaign).or_default().selected = *selected;
    }
    totals.retain(|_, counts| *counts != Counts::default());
    totals
}

/// The fans by their names.
struct Fans<'a> {
    by_member: HashMap<&'a str, &'a str>,
    by_email: HashMap<&'a str, &'a str>,
    ids: BTreeSet<&'a str>,
}

impl<'a> Fans<'a> {
    fn of(world: &'a World) -> Self {
        let fans = || world.fans.iter().map(|fan| (fan, fan.global_user_id.as_str()));
        Self {
            by_member: fans().filter_map(|(fan, id)| Some((fan.member_id.as_deref()?, id))).collect(),
            by_email: fans().map(|(fan, id)| (fan.email.as_str(), id)).collect(),
            ids: fans().map(|(_, id)| id).collect(),
        }
    }

    /// Whose record it is; `None` if its names are nobody's, or those of several fans.
    fn whose(&self, record: &Record) -> Option<&'a str> {
        let names = [
            record.member_id.as_deref().map(|id| self.by_member.get(id)),
            record.global_user_id.as_deref().map(|id| self.ids.get(id)),
            record.email.as_deref().map(|address| self.by_email.get(address)),
        ];
        let mut fans = names.into_iter().flatten();
        let first = fans.next()??;
        fans.all(|fan| fan == Some(first)).then_some(*first)
    }
}

/// Records of which each fan should have exactly one.
struct Held<'a> {
    kind: Kind,
    what: &'static str,
    due: &'a BTreeMap<Name<'a>, Score>,
}

impl Held<'_> {
    fn compare(&self, fans: &Fans<'_>, records: &[Record], failures: &mut Failures) {
        let what = self.what;
        let mut held = BTreeMap::<Name<'_>, usize>::new();
        for record in records {
            let campaign = record.campaign_id.as_str();
            let Some(fan) = fans.whose(record) else {
                failures.add(self.kind, campaign, format!("there is a {what} that is of no fan: {record:?}"));
                continue;
            };
            let count = held.entry((campaign, fan)).or_default();
            *count += 1;
            let name = entry_name((campaign, fan));
            match self.due.get(&(campaign, fan)) {
                _ if *count == 2 => failures.add(self.kind, name, format!("there is more than one {what}")),
                _ if *count > 2 => {}
                None => failures.add(self.kind, name, format!("there is a {what} and should not")),
                Some(due) if record.score() != *due => {
                    failures.add(self.kind, name, format!("the {what} has {:?}, not {due:?}", record.score()));
                }
                Some(_) => {}
            }
        }
        for name in self.due.keys().filter(|name| !held.contains_key(*name)) {
            failures.add(self.kind, entry_name(*name), format!("there is no {what}"));
        }
    }
}

fn check_counts(due: &BTreeMap<&str, Counts>, found: &BTreeMap<String, Counts>, failures: &mut Failures) {
    let campaigns: BTreeSet<&str> = due.keys().copied().chain(found.keys().map(String::as_str)).collect();
    for campaign in campaigns {
        let due = due.get(campaign).copied().unwrap_or_default();
        let found = found.get(campaign).copied().unwrap_or_default();
        if due != found {
            failures.add(Kind::Count, campaign, format!("the table counts {found:?}, the recount {due:?}"));
        }
    }
}

/// All rows of a file were read, and those that are invalid are counted and logged.
fn check_rows(file: &File, found: &Found, failures: &mut Failures) {
    let progress = found.progress.get(file.key).copied().unwrap_or_default();
    let invalid = file.invalid.len() as u64;
    if (progress.rows, progress.invalid, progress.is_done) != (file.rows, invalid, true) {
        let detail =
            format!("its progress is {progress:?}, and it has {} rows, of which {invalid} are invalid", file.rows);
        failures.add(Kind::InvalidRow, file.key, detail);
    }
    let due: BTreeSet<u64> = file.invalid.iter().copied().collect();
    let logged = found.logged.get(file.key).cloned().unwrap_or_default();
    for line in due.symmetric_difference(&logged) {
        let subject = format!("{}:{line}", file.key);
        let detail = if due.contains(line) { "it is invalid and not logged" } else { "it is logged and not invalid" };
        failures.add(Kind::InvalidRow, subject, detail);
    }
}

/// What tells rows of the fan list apart.
type Told<'a> = (&'a str, &'a str, &'a str, &'a str, u64, bool);

/// `campaignDataStream` has each row of the fan list: once, or more often where the host was killed.
fn check_stream(expected: &Expected<'_>, streamed: &[Record], failures: &mut Failures) {
    let mut counts = BTreeMap::<Told<'_>, (usize, usize)>::new();
    for row in expected.plan.fanlist.iter().filter_map(|line| line.valid()) {
        counts.entry(told(row)).or_default().0 += 1;
    }
    for record in streamed {
        let names = [&record.member_id, &record.global_user_id, &record.email];
        let [member, user, email] = names.map(|name| name.as_deref().unwrap_or_default());
        let Score { score, rejected } = record.score();
        counts.entry((&record.campaign_id, member, user, email, score.to_bits(), rejected)).or_default().1 += 1;
    }
    for ((campaign, member, user, email, ..), (due, found)) in counts {
        let enough = if expected.undisturbed { found == due } else { found >= due && due > 0 };
        if !enough {
            let detail = format!("campaignDataStream has it {found} times, the fan list {due} times");
            failures.add(Kind::Streamed, format!("{campaign}/{member}{user}{email}"), detail);
        }
    }
}

fn told<'a>(row: &Row<'a>) -> Told<'a> {
    (row.campaign, row.member(), row.user(), row.address(), row.score.to_bits(), row.rejected)
}
