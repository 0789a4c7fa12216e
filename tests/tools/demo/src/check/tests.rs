//! Tests of the checks: on a snapshot in which everything is right, and with one fault at a time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::snapshot::{Item, StoredEntry};
use super::*;
use crate::generate::{Expected, generate};
use crate::resolver::Written;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A run without faults.
struct Run {
    world: World,
    outcomes: Vec<Outcome>,
    snapshot: Snapshot,
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = generate(700, seed);
        let outcomes: Vec<Outcome> = world.registrations.iter().enumerate().map(outcome).collect();
        let mut snapshot = Snapshot::default();
        for ((campaign, fan), position) in world.latest() {
            let Expected::Eligible { fields, linked_from } = &world.registrations[position].expected else { panic!() };
            let version = outcomes[position].written.as_ref().unwrap().version.clone();
            let (fields, linked_from) = (Value::Object(fields.clone()), linked_from.clone());
            let item = Item { version: version.clone(), fields: fields.clone(), ..Item::default() };
            snapshot.items.insert(campaign, fan, item);
            snapshot.entries.insert(campaign, fan, StoredEntry { version, fields, linked_from });
        }
        for (registration, outcome) in world.registrations.iter().zip(&outcomes) {
            let Some(written) = &outcome.written else { continue };
            let fan = world.fans.iter().find(|fan| fan.global_user_id == registration.fan).unwrap();
            let mut profile = fan.profile.clone();
            profile.insert("updatedAt".to_owned(), json!(written.version));
            snapshot.profiles.insert(fan.global_user_id.clone(), profile);
        }
        snapshot.dead_letters.insert("saveEntriesQueueDlq".to_owned(), 0);
        Self { world, outcomes, snapshot }
    }

    fn check(&self) -> Findings {
        check(&self.world, &self.outcomes.iter().map(Some).collect::<Vec<_>>(), &[], &self.snapshot)
    }

    /// One of the entries in the snapshot.
    fn entry(&self, draw: prop::sample::Index) -> (String, String) {
        let names: Vec<_> = self.snapshot.entries.names().collect();
        let (campaign, fan) = names[draw.index(names.len())];
        (campaign.to_owned(), fan.to_owned())
    }

    /// The failures, which must be of one kind and of one subject.
    #[track_caller]
    fn only(&self, kind: Kind, subject: &str) {
        let findings = self.check();
        let lines = findings.failures.lines();
        assert_eq!(findings.failures.of(kind).len(), 1, "{lines:?}");
        assert_eq!((lines.len(), findings.failures.of(kind)[0].subject.as_str()), (1, subject), "{lines:?}");
    }
}

fn outcome((position, registration): (usize, &crate::generate::Registration)) -> Outcome {
    let reason = match &registration.expected {
        Expected::Eligible { .. } => None,
        Expected::Ineligible { reason, .. } => Some(reason.clone()),
    };
    let version = format!("2026-01-01T00:00:{:02}.{:03}Z", position / 1_000, position % 1_000);
    let written = reason.is_none().then_some(Written { version, at_ms: 0 });
    Outcome { reason, difference: None, took_us: 1, written }
}

fn named((campaign, fan): &(String, String)) -> Name<'_> {
    (campaign, fan)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn each_injected_fault_is_found_and_nothing_else(seed: u64, draw: prop::sample::Index) {
        let fresh = || Run::new(seed);
        let right = fresh().check();
        prop_assert!(right.failures.is_empty(), "{:?}", right.failures.lines());
        prop_assert_eq!(right.replicated, fresh().world.latest().len());
        let entry = fresh().entry(draw);
        let subject = format!("{}/{}", entry.0, entry.1);

        let mut run = fresh();
        run.snapshot.entries.remove(named(&entry));
        run.only(Kind::Lost, &subject);

        let mut run = fresh();
        run.snapshot.entries.get_mut(named(&entry)).unwrap().version = "2025-12-31T00:00:00.000Z".into();
        run.only(Kind::Stale, &subject);

        let mut run = fresh();
        run.snapshot.entries.get_mut(named(&entry)).unwrap().fields["phone"] = json!("+10000000000");
        run.only(Kind::Different, &subject);

        let mut run = fresh();
        run.snapshot.entries.get_mut(named(&entry)).unwrap().linked_from = Some("elsewhere".into());
        run.only(Kind::Different, &subject);

        let mut run = fresh();
        run.snapshot.items.get_mut(named(&entry)).unwrap().flagged = true;
        run.only(Kind::FlagLeft, &subject);

        let mut run = fresh();
        run.snapshot.unscored.push(entry.clone());
        run.only(Kind::Score, &subject);

        let mut run = fresh();
        run.snapshot.items.get_mut(named(&entry)).unwrap().version = "2025-12-31T00:00:00.000Z".into();
        run.only(Kind::Table, &subject);

        let mut run = fresh();
        run.snapshot.items.get_mut(named(&entry)).unwrap().fields["phone"] = json!("+10000000000");
        run.only(Kind::Table, &subject);

        let mut run = fresh();
        let held = run.snapshot.entries.get(named(&entry)).unwrap().clone();
        run.snapshot.entries.insert(&entry.0, "stranger", held);
        run.only(Kind::Unexpected, &format!("{}/stranger", entry.0));

        let mut run = fresh();
        run.snapshot.profiles.remove(&entry.1);
        run.only(Kind::Profile, &entry.1);

        let mut run = fresh();
        run.snapshot.profiles.get_mut(&entry.1).unwrap().insert("email".into(), json!("other@example.com"));
        run.only(Kind::Profile, &entry.1);

        let mut run = fresh();
        let older = json!("2025-12-31T00:00:00.000Z");
        run.snapshot.profiles.get_mut(&entry.1).unwrap().insert("updatedAt".into(), older);
        run.only(Kind::Profile, &entry.1);

        let mut run = fresh();
        run.snapshot.dead_letters.insert("userInfoQueueDlq".into(), 2);
        run.only(Kind::DeadLetter, "userInfoQueueDlq");
    }
}

#[test]
fn a_wrong_reason_is_found_in_the_answer_and_in_the_counts() {
    let mut run = Run::new(1);
    let position = run.outcomes.iter().position(|o| o.reason.as_deref() == Some("INVALID_ENTRY")).unwrap();
    run.outcomes[position].reason = Some("LINKED_ENTRY".to_owned());
    run.outcomes[position].difference = Some("the reason is LINKED_ENTRY".to_owned());
    let findings = run.check();
    let registration = &run.world.registrations[position];
    let subject = format!("{}/{}", registration.slug, registration.fan);
    assert_eq!(findings.failures.of(Kind::WrongAnswer)[0].subject, subject);
    let counts: Vec<_> = findings.failures.of(Kind::ReasonCount).iter().map(|f| f.subject.as_str()).collect();
    assert_eq!(counts, ["INVALID_ENTRY", "LINKED_ENTRY"]);
}

#[test]
fn an_accepted_entry_that_was_refused_is_lost_too() {
    let mut run = Run::new(2);
    let ((campaign, fan), position) = run.world.latest().into_iter().next().unwrap();
    let name = (campaign.to_owned(), fan.to_owned());
    run.outcomes[position].reason = Some("CAMPAIGN_CLOSED".to_owned());
    run.outcomes[position].written = None;
    run.snapshot.entries.remove(named(&name));
    run.snapshot.items.remove(named(&name));
    assert_eq!(run.check().failures.of(Kind::Lost).len(), 1);
}

#[test]
fn all_members_of_a_response_are_compared() {
    use crate::load::EligibilityResponse;
    let world = generate(700, 3);
    let eligible = world.registrations.iter().find(|r| r.label == "transfer").unwrap();
    let Expected::Eligible { fields, linked_from } = eligible.expected.clone() else { panic!() };
    let answer = |campaign: &str, fields: Value, linked: Option<&str>| EligibilityResponse::Eligible {
        campaign_id: campaign.to_owned(),
        fields,
        linked_campaign_id: linked.map(str::to_owned),
    };
    let campaign = eligible.campaign_id.as_deref().unwrap();
    let (right, mut extra) = (Value::Object(fields.clone()), Value::Object(fields));
    extra["more"] = json!(1);
    let told = |answer| answer::difference(eligible, &answer);
    assert_eq!(told(answer(campaign, right.clone(), linked_from.as_deref())), None);
    assert!(told(answer("other", right.clone(), linked_from.as_deref())).unwrap().contains("campaignId"));
    assert!(told(answer(campaign, right, None)).unwrap().contains("linkedCampaignId"));
    assert!(told(answer(campaign, extra, linked_from.as_deref())).unwrap().contains("field more"));
    assert!(told(answer(campaign, json!({}), linked_from.as_deref())).unwrap().contains("field "));

    let refused = world.registrations.iter().find(|r| r.label == "not-invited").unwrap();
    let refusal = |reason: &str, detail: Option<Value>| {
        let campaign_id = refused.campaign_id.clone();
        answer::difference(refused, &EligibilityResponse::Ineligible { reason: reason.to_owned(), detail, campaign_id })
    };
    assert_eq!(refusal("NOT_INVITED", Some(json!({ "gateType": "invite" }))), None);
    assert!(refusal("NOT_INVITED", None).is_some() && refusal("CAMPAIGN_CLOSED", None).is_some());
}

#[test]
fn what_a_fan_changed_last_is_wanted() {
    let run = Run::new(4);
    let ((campaign, fan), position) = run.world.latest().into_iter().next().unwrap();
    let Expected::Eligible { fields, .. } = &run.world.registrations[position].expected else { panic!() };
    let mut fields = fields.clone();
    fields.insert("opt_in".to_owned(), json!("changed"));
    let version = "2026-02-01T00:00:00.000Z".to_owned();
    let change = Change { campaign_id: campaign.to_owned(), global_user_id: fan.to_owned(), version, fields };
    let outcomes: Vec<_> = run.outcomes.iter().map(Some).collect();
    let findings = check(&run.world, &outcomes, &[change], &run.snapshot);
    let subject = format!("{campaign}/{fan}");
    for kind in [Kind::Stale, Kind::Table] {
        assert_eq!(findings.failures.of(kind)[0].subject, subject);
    }
    assert_eq!(findings.failures.lines().len(), 2);
}
