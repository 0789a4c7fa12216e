//! Tests of the order of the gates and of the decisions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn campaign(status: &str, gates: Value) -> Campaign {
    serde_json::from_value(json!({
        "id": "campaign-789", "slug": "artist", "name": "Artist", "status": status, "gates": gates,
        "fields": [{"name": "email", "type": "email", "required": true}],
        "date": {"open": "2024-01-01T00:00:00Z", "close": "2024-02-01T00:00:00Z"},
    }))
    .unwrap()
}

fn during() -> DateTime<Utc> {
    "2024-01-15T12:00:00Z".parse().unwrap()
}

fn vip() -> Campaign {
    campaign("ACTIVE", json!([{"type": "invite"}, {"type": "linked", "linkedCampaignId": "XYZ"}]))
}

/// The facts about a fan, for [`decide`].
#[derive(Clone, Copy, Debug, Default)]
struct Fan {
    linked: bool,
    invited: bool,
    verified: bool,
    wants_transfer: bool,
}

/// Runs the decision to its end and records the questions.
fn decide(campaign: &Campaign, fan: Fan, now: DateTime<Utc>) -> (Step<'_>, Vec<Question<'_>>) {
    let (mut facts, mut asked) = (Facts::default(), Vec::new());
    loop {
        match step(campaign, fan.wants_transfer, &facts, now) {
            Step::Ask(question) => {
                assert!(!asked.contains(&question), "asked twice: {question:?}");
                match &question {
                    Question::LinkedEntry(campaigns) => {
                        facts.linked_entry = Some(fan.linked.then(|| campaigns.first().unwrap().to_string()));
                    }
                    Question::Invited => facts.invited = Some(fan.invited),
                    Question::Verified => facts.verified = Some(fan.verified),
                }
                asked.push(question);
            }
            end => return (end, asked),
        }
    }
}

fn admitted(from: Option<&str>) -> Step<'static> {
    Step::Admit { linked_campaign_id: from.map(str::to_owned) }
}

fn refused(reason: Reason) -> Step<'static> {
    Step::Refuse(reason.into())
}

#[test]
fn scenario_2_fan_a_is_invited() {
    let campaign = vip();
    let (end, asked) = decide(&campaign, Fan { invited: true, ..Fan::default() }, during());
    assert_eq!(end, admitted(None));
    assert_eq!(asked, [Question::LinkedEntry(vec!["XYZ"]), Question::Invited]);
}

#[test]
fn scenario_2_fan_b_is_transferred_and_the_invite_list_is_not_asked() {
    let campaign = vip();
    let (end, asked) = decide(&campaign, Fan { linked: true, wants_transfer: true, ..Fan::default() }, during());
    assert_eq!(end, admitted(Some("XYZ")));
    assert_eq!(asked, [Question::LinkedEntry(vec!["XYZ"])]);
}

#[test]
fn scenario_2_fan_c_is_neither() {
    for wants_transfer in [false, true] {
        let campaign = vip();
        let (end, _) = decide(&campaign, Fan { wants_transfer, ..Fan::default() }, during());
        assert_eq!(end, closed(Reason::NotInvited, &GateType::Invite));
        let Step::Refuse(refusal) = end else { panic!("not refused") };
        assert_eq!(
            serde_json::to_value(Decision::refused(Some("campaign-789".into()), refusal)).unwrap(),
            json!({"isEligible": false, "reason": "NOT_INVITED", "campaignId": "campaign-789",
                   "detail": {"gateType": "invite"}})
        );
    }
}

#[test]
fn an_entry_in_the_linked_campaign_without_do_transfer_also_stops_invited_fans() {
    let campaign = vip();
    let (end, asked) = decide(&campaign, Fan { linked: true, invited: true, ..Fan::default() }, during());
    assert_eq!(end, refused(Reason::LinkedEntry));
    assert_eq!(asked.len(), 1);
}

#[test]
fn point_9_a_linked_gate_alone_is_a_prerequisite() {
    let campaign = campaign("ACTIVE", json!([{"type": "linked", "linkedCampaignId": "XYZ"}]));
    for wants_transfer in [false, true] {
        let (end, asked) = decide(&campaign, Fan { wants_transfer, invited: true, ..Fan::default() }, during());
        assert_eq!(
            (end, asked),
            (closed(Reason::NotInvited, &GateType::Linked), vec![Question::LinkedEntry(vec!["XYZ"])])
        );
    }
    let transfer = Fan { linked: true, wants_transfer: true, ..Fan::default() };
    assert_eq!(decide(&campaign, transfer, during()).0, admitted(Some("XYZ")));
    assert_eq!(decide(&campaign, Fan { linked: true, ..Fan::default() }, during()).0, refused(Reason::LinkedEntry));
}

#[test]
fn a_transferring_campaign_takes_transfers_only() {
    let transferring =
        campaign("TRANSFERRING", json!([{"type": "invite"}, {"type": "linked", "linkedCampaignId": "XYZ"}]));
    let (end, asked) = decide(&transferring, Fan { linked: true, invited: true, ..Fan::default() }, during());
    assert_eq!((end, asked), (refused(Reason::CampaignClosed), vec![]));
    let fan = Fan { linked: true, wants_transfer: true, ..Fan::default() };
    assert_eq!(decide(&transferring, fan, during()).0, admitted(Some("XYZ")));
    let fan = Fan { invited: true, wants_transfer: true, ..Fan::default() };
    assert_eq!(decide(&transferring, fan, during()).0, refused(Reason::CampaignClosed));
    let fan = Fan { linked: true, wants_transfer: true, ..Fan::default() };
    let unlinked = campaign("TRANSFERRING", json!([]));
    assert_eq!(decide(&unlinked, fan, during()).0, refused(Reason::CampaignClosed));
}

#[test]
fn identity_is_asked_for_last_and_only_if_a_gate_needs_it() {
    let gates = json!([{"type": "idv"}, {"type": "invite"}]);
    let campaign = campaign("ACTIVE", gates);
    let (end, asked) = decide(&campaign, Fan::default(), during());
    assert_eq!((end, asked), (closed(Reason::NotInvited, &GateType::Invite), vec![Question::Invited]));
    let (end, asked) = decide(&campaign, Fan { invited: true, ..Fan::default() }, during());
    assert_eq!((end, asked), (refused(Reason::IdvNotVerified), vec![Question::Invited, Question::Verified]));
    let fan = Fan { invited: true, verified: true, ..Fan::default() };
    assert_eq!(decide(&campaign, fan, during()).0, admitted(None));
}

#[test]
fn an_identity_known_to_be_verified_is_not_asked_for() {
    let campaign = campaign("ACTIVE", json!([{"type": "idv"}]));
    let facts = Facts { verified: Some(true), ..Facts::default() };
    assert_eq!(step(&campaign, false, &facts, during()), admitted(None));
}

#[test]
fn without_gates_nothing_is_asked() {
    assert_eq!(decide(&campaign("OPEN", json!([])), Fan::default(), during()), (admitted(None), vec![]));
}

#[test]
fn a_linked_gate_without_a_campaign_admits_nobody() {
    let campaign = campaign("ACTIVE", json!([{"type": "linked"}]));
    assert_eq!(decide(&campaign, Fan::default(), during()).0, closed(Reason::IneligibleEntry, &GateType::Linked));
}

#[test]
fn decisions_are_serialised_key_for_key_as_api_usage_prints_them() {
    let entry = json!({"email": " Fan@Example.com"}).as_object().unwrap().clone();
    let answer = Decision::of_admitted(campaign("ACTIVE", json!([])), entry, None, None);
    assert_eq!(
        serde_json::to_string(&answer).unwrap(),
        r#"{"isEligible":true,"campaignId":"campaign-789","fields":{"email":"fan@example.com"},"linkedCampaignId":null}"#
    );
    let answer = Decision::of_admitted(campaign("ACTIVE", json!([])), Map::new(), None, Some("XYZ".into()));
    assert_eq!(
        serde_json::to_string(&answer).unwrap(),
        r#"{"isEligible":false,"reason":"INVALID_ENTRY","campaignId":"campaign-789","detail":{"field":"email"}}"#
    );
    let answer = Decision::refused(None, Reason::CampaignNotFound);
    assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"isEligible":false,"reason":"CAMPAIGN_NOT_FOUND"}"#);
}

fn any_fan() -> impl Strategy<Value = Fan> {
    any::<[bool; 4]>().prop_map(|[linked, invited, verified, wants_transfer]| Fan {
        linked,
        invited,
        verified,
        wants_transfer,
    })
}

fn any_gates() -> impl Strategy<Value = Vec<Value>> {
    let gate = prop_oneof![
        Just(json!({"type": "invite"})),
        Just(json!({"type": "idv"})),
        Just(json!({"type": "linked", "linkedCampaignId": "XYZ"})),
    ];
    proptest::collection::vec(gate, 0..4)
}

proptest! {
    #[test]
    fn an_unknown_gate_closes_the_campaign_to_everybody(
        kind in "[a-z]{1,8}", gates in any_gates(), at in 0..4_usize, fan in any_fan(),
    ) {
        prop_assume!(!["invite", "idv", "linked"].contains(&kind.as_str()));
        let mut gates = gates;
        gates.insert(at.min(gates.len()), json!({"type": kind}));
        let campaign = campaign("ACTIVE", gates.into());
        let expected = closed(Reason::IneligibleEntry, &GateType::Unknown(kind));
        prop_assert_eq!(decide(&campaign, fan, during()), (expected, vec![]));
    }

    #[test]
    fn outside_its_dates_a_campaign_is_closed_and_asks_nothing(
        seconds in 0..10_000_000_i64, after in any::<bool>(), gates in any_gates(), fan in any_fan(),
    ) {
        let campaign = campaign("ACTIVE", gates.into());
        let away = chrono::TimeDelta::seconds(seconds);
        let tick = chrono::TimeDelta::milliseconds(1);
        let now = if after { campaign.date.close + away } else { campaign.date.open - tick - away };
        prop_assert_eq!(decide(&campaign, fan, now), (refused(Reason::CampaignClosed), vec![]));
    }

    #[test]
    fn an_admitted_fan_has_passed_every_gate(gates in any_gates(), fan in any_fan()) {
        let campaign = campaign("ACTIVE", gates.into());
        let (invite, linkable) = (has(&campaign, &GateType::Invite), has(&campaign, &GateType::Linked));
        let linked = linkable && fan.linked;
        let admit = (fan.wants_transfer || !linked)
            && (linked || invite && fan.invited || !invite && !linkable)
            && (!has(&campaign, &GateType::Idv) || fan.verified);
        let (end, _) = decide(&campaign, fan, during());
        prop_assert_eq!(matches!(end, Step::Admit { .. }), admit, "{:?}", end);
    }
}
