//! Tests of the checks: on an outcome in which everything is right, and with one fault at a time.

use super::check::{Expected, check};
use super::due::{Counts, Due, Score};
use super::file::File;
use super::found::{Found, Post, Progress, Record};
use super::plan::{Plan, Row, draw};
use super::spoil::Spoils;
use crate::check::{Failures, Kind, entry_name};
use crate::generate::{World, generate};
use std::collections::BTreeMap;

/// When the files end.
const ENDED_MS: u64 = 1_000_000;

/// What should come of the files of a world.
struct Run<'a> {
    world: &'a World,
    plan: Plan<'a>,
    due: Due<'a>,
    files: Vec<File>,
    selected: BTreeMap<&'a str, i64>,
    found: Found,
    undisturbed: bool,
}

fn record(row: &Row<'_>, score: Score) -> Record {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Record {
        campaign_id: row.campaign.to_owned(),
        member_id: text(row.member()),
        global_user_id: text(row.user()),
        email: text(row.address()),
        score: score.score,
        verification: if score.rejected { "rejected" } else { "verified" }.to_owned(),
    }
}

fn report(campaign: &str, counts: Counts, at_ms: u64) -> Post {
    Post { text: "told".to_owned(), report: Some((campaign.to_owned(), counts)), at_ms }
}

impl<'a> Run<'a> {
    fn new(world: &'a World) -> Self {
        let plan = draw(world, 1);
        let due = Due::of(&plan);
        let files = vec![File::scrubbed(&plan.scrubbed), File::fanlist(&plan.fanlist)];
        let selected = BTreeMap::from([(*due.counts.first_key_value().unwrap().0, 7)]);
        let mut found = Found::default();
        let rows: BTreeMap<_, _> =
            plan.scrubbed.iter().filter_map(|line| line.valid()).map(|row| (row.name(), row)).collect();
        found.items = due.items.iter().map(|(name, score)| record(rows[name], *score)).collect();
        found.posted = due.posted.iter().map(|(name, score)| record(rows[name], *score)).collect();
        let listed = plan.fanlist.iter().filter_map(|line| line.valid());
        found.streamed = listed.map(|row| record(row, Score { score: row.score, rejected: row.rejected })).collect();
        for (campaign, counts) in &due.counts {
            found.told.push(report(campaign, *counts, ENDED_MS + 20_000));
            let counts = Counts { selected: selected.get(campaign).copied().unwrap_or_default(), ..*counts };
            if counts.selected > 0 {
                found.told.push(report(campaign, counts, ENDED_MS + 90_000));
            }
            found.counts.insert((*campaign).to_owned(), counts);
        }
        for file in &files {
            let progress =
                Progress { rows: file.rows, invalid: file.invalid.len() as u64, ended_ms: ENDED_MS, is_done: true };
            found.progress.insert(file.key.to_owned(), progress);
            found.logged.insert(file.key.to_owned(), file.invalid.iter().copied().collect());
        }
        Self { world, plan, due, files, selected, found, undisturbed: true }
    }

    fn failures(&self) -> Failures {
        let mut failures = Failures::default();
        let expected = Expected {
            world: self.world,
            plan: &self.plan,
            due: &self.due,
            files: &self.files,
            undisturbed: self.undisturbed,
            may_tell_twice: !self.undisturbed,
            ended_ms: Some(ENDED_MS),
        };
        check(&expected, &self.selected, &self.found, &mut failures);
        failures
    }

    /// Checks that exactly one failure is found.
    #[track_caller]
    fn finds(&self, kind: Kind, subject: &str) {
        let failures = self.failures();
        let lines = failures.lines();
        assert_eq!((lines.len(), failures.of(kind).len()), (1, 1), "{lines:#?}");
        assert_eq!(failures.of(kind)[0].subject, subject, "{lines:#?}");
    }

    #[track_caller]
    fn finds_nothing(&self) {
        assert_eq!(self.failures().lines(), [""; 0]);
    }
}

#[test]
fn a_right_outcome_has_no_failures() {
    for seed in 1..4 {
        Run::new(&generate(2_000, seed)).finds_nothing();
    }
}

#[test]
fn a_fan_without_a_score_item_or_with_two_or_a_wrong_one_is_found() {
    let world = generate(1_000, 5);
    let (name, _) = Due::of(&draw(&world, 1)).items.into_iter().next().unwrap();
    let subject = entry_name(name);
    let fan = world.fans.iter().find(|fan| fan.global_user_id == name.1).unwrap();

    let mut run = Run::new(&world);
    run.found.items.remove(0);
    run.finds(Kind::ScoreItem, &subject);

    // Under another name.
    let mut run = Run::new(&world);
    let other =
        Record { member_id: None, global_user_id: None, email: Some(fan.email.clone()), ..run.found.items[0].clone() };
    run.found.items.push(other);
    run.finds(Kind::ScoreItem, &subject);

    let mut run = Run::new(&world);
    run.found.items[0].score += 1.0;
    run.finds(Kind::ScoreItem, &subject);

    let mut run = Run::new(&world);
    let item = &mut run.found.items[0];
    item.verification = if item.verification == "verified" { "rejected" } else { "verified" }.to_owned();
    run.finds(Kind::ScoreItem, &subject);

    let mut run = Run::new(&world);
    let stranger = Record { email: Some("stranger@example.com".to_owned()), ..run.found.items[0].clone() };
    run.found.items.push(stranger);
    run.finds(Kind::ScoreItem, name.0);
}

#[test]
fn a_score_that_the_entry_service_should_not_have_is_found() {
    let world = generate(1_000, 5);
    let run = Run::new(&world);
    let (second, score) = run.due.items.iter().find(|(name, _)| !run.due.posted.contains_key(*name)).unwrap();
    let row = run.plan.scrubbed.iter().filter_map(|line| line.valid()).find(|row| row.name() == *second).unwrap();
    let (subject, sent) = (entry_name(*second), record(row, *score));
    let mut run = Run::new(&world);
    run.found.posted.push(sent);
    run.finds(Kind::Posted, &subject);

    let mut run = Run::new(&world);
    run.found.posted[0].score -= 1.0;
    let subject = entry_name(*run.due.posted.first_key_value().unwrap().0);
    run.finds(Kind::Posted, &subject);
}

#[test]
fn a_wrong_count_is_found_wherever_it_is() {
    let world = generate(1_000, 5);
    type Change = fn(&mut Counts);
    let changes: [Change; 3] = [|it| it.verified += 1, |it| it.rejected -= 1, |it| it.selected += 1];
    for change in changes {
        let mut run = Run::new(&world);
        let (campaign, counts) = run.found.counts.iter_mut().next().unwrap();
        let subject = campaign.clone();
        change(counts);
        run.finds(Kind::Count, &subject);
    }
    let mut run = Run::new(&world);
    let (campaign, _) = run.found.counts.pop_first().unwrap();
    run.finds(Kind::Count, &campaign);
}

#[test]
fn what_slack_should_not_hear_or_does_not_is_found() {
    let world = generate(1_000, 5);
    let last = |run: &Run<'_>| run.found.told.last().unwrap().report.clone().unwrap();
    let (campaign, counts) = last(&Run::new(&world));

    let mut run = Run::new(&world);
    run.found.told.pop();
    run.finds(Kind::Report, &campaign);

    let mut run = Run::new(&world);
    run.found.told.last_mut().unwrap().report =
        Some((campaign.clone(), Counts { verified: counts.verified - 1, ..counts }));
    run.finds(Kind::Report, &campaign);

    let mut run = Run::new(&world);
    run.found.told.push(report(&campaign, counts, ENDED_MS + 30_000));
    run.finds(Kind::Report, &campaign);
    run.undisturbed = false;
    run.finds_nothing();

    let mut run = Run::new(&world);
    run.found.told.push(report("no-campaign", counts, ENDED_MS));
    run.finds(Kind::Report, "no-campaign");

    let mut run = Run::new(&world);
    run.found.told.push(Post { text: "hello".to_owned(), report: None, at_ms: ENDED_MS });
    run.finds(Kind::Report, "slack");

    let mut run = Run::new(&world);
    run.found.told.last_mut().unwrap().at_ms = ENDED_MS + 61_000;
    run.finds(Kind::Slow, &campaign);
}

#[test]
fn rows_that_are_not_read_counted_or_logged_are_found() {
    let world = generate(1_000, 5);
    type Change = fn(&mut Progress);
    let changes: [Change; 3] = [|it| it.rows -= 1, |it| it.invalid += 1, |it| it.is_done = false];
    for change in changes {
        let mut run = Run::new(&world);
        change(run.found.progress.get_mut("scrubbed/demo.csv").unwrap());
        run.finds(Kind::InvalidRow, "scrubbed/demo.csv");
    }
    let mut run = Run::new(&world);
    let line = run.found.logged.get_mut("scrubbed/demo.csv").unwrap().pop_first().unwrap();
    run.finds(Kind::InvalidRow, &format!("scrubbed/demo.csv:{line}"));
    run.found.logged.get_mut("scrubbed/demo.csv").unwrap().extend([line, 1]);
    run.finds(Kind::InvalidRow, "scrubbed/demo.csv:1");
}

#[test]
fn a_row_of_the_fan_list_that_the_stream_has_not_is_found() {
    let world = generate(2_000, 5);
    let subject = |record: &Record| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let names = [&record.member_id, &record.global_user_id, &record.email].map(text);
        format!("{}/{}", record.campaign_id, names.concat())
    };
    let mut run = Run::new(&world);
    let missing = run.found.streamed.pop().unwrap();
    run.finds(Kind::Streamed, &subject(&missing));
    run.found.streamed.extend([missing.clone(), missing.clone()]);
    run.finds(Kind::Streamed, &subject(&missing));
    run.undisturbed = false;
    run.finds_nothing();
    run.found.streamed.push(Record { score: missing.score + 100.0, ..missing.clone() });
    run.finds(Kind::Streamed, &subject(&missing));
}

#[test]
fn whatever_inject_spoils_is_found() {
    let world = generate(1_000, 5);
    let mut run = Run::new(&world);
    let spoils = Spoils::choose(&world, &run.due).unwrap();
    for (fault, kind, subject) in spoils.faults() {
        match kind {
            Kind::Count => run.found.counts.get_mut(&subject).unwrap().verified = 1_000_000,
            _ => {
                let fan = world.fans.iter().find(|fan| subject.ends_with(&fan.global_user_id)).unwrap();
                let item = run.found.items[0].clone();
                run.found.items.push(Record {
                    member_id: None,
                    global_user_id: None,
                    email: Some(fan.email.clone()),
                    ..item
                });
            }
        }
        let failures = run.failures();
        let found = failures.of(kind).iter().any(|failure| failure.subject == subject);
        assert!(found, "{fault} of {subject} is not among {:#?}", failures.lines());
    }
}
