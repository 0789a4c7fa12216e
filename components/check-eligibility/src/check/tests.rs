//! Tests of the decision: the responses, and the facts that were looked up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fake;

use super::*;
use fake::Fake;
use futures::executor::block_on;

const VARIABLES: &str = include_str!("../../fixtures/variables.json");
const INVOKE: &str = include_str!("../../fixtures/invoke.json");

fn campaign(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn artist_presale() -> Value {
    campaign(include_str!("../../../../tests/fixtures/domain/campaigns/artist-presale-2024.json"))
}

fn test_campaign() -> Value {
    campaign(include_str!("../../../../tests/fixtures/domain/campaigns/test-campaign.json"))
}

/// Invite-only, with transfers from campaign XYZ (scenario 2).
fn vip() -> Value {
    campaign(include_str!("../../../../tests/fixtures/domain/campaigns/vip-presale.json"))
}

fn now() -> DateTime<Utc> {
    "2024-01-15T10:30:00Z".parse().unwrap()
}

fn run(world: &Fake, event: &str) -> Outcome {
    block_on(check(world, Some("token"), event, now()))
}

#[track_caller]
fn answers(world: &Fake, event: &str, expected: Value) {
    let Outcome::Decision(decision) = run(world, event) else { panic!("no decision: {:?}", run(world, event)) };
    assert_eq!(serde_json::to_value(decision).unwrap(), expected);
}

fn vip_event(do_transfer: bool) -> String {
    json!({"slug": "vip-presale", "entry": {"email": "fan@example.com"}, "doTransfer": do_transfer}).to_string()
}

#[test]
fn api_usages_variables_are_answered_as_printed() {
    let world = Fake::new("global-user-123", &[artist_presale()]);
    let Outcome::Decision(decision) = run(&world, VARIABLES) else { panic!("refused") };
    assert_eq!(
        serde_json::to_string(&decision).unwrap(),
        concat!(
            r#"{"isEligible":true,"campaignId":"campaign-789","fields":{"email":"fan@example.com","#,
            r#""markets":["market-123","market-456"],"ticket_count":2,"opt_in":true},"linkedCampaignId":null}"#
        )
    );
    let logged = r#"INFO Eligibility check completed {"campaignId":"campaign-789","isEligible":true}"#;
    assert_eq!(world.logs.take(), [logged]);
}

#[test]
fn api_usages_invoke_example_is_eligible() {
    let eligible = json!({"isEligible": true, "campaignId": "test-campaign-id",
        "fields": {"email": "test@example.com"}, "linkedCampaignId": null});
    answers(&Fake::new("test-user-123", &[test_campaign()]), INVOKE, eligible);
}

#[test]
fn api_usages_ineligible_examples_are_answered_as_printed() {
    let mut closed = artist_presale();
    closed["status"] = json!("CLOSED");
    let world = Fake::new("global-user-123", &[closed]);
    answers(&world, VARIABLES, json!({"isEligible": false, "reason": "CAMPAIGN_CLOSED", "campaignId": "campaign-789"}));

    let mut event: Value = serde_json::from_str(VARIABLES).unwrap();
    event["input"]["body"]["entry"]["ticket_count"] = json!("two");
    let invalid = json!({"isEligible": false, "reason": "INVALID_ENTRY", "campaignId": "campaign-789",
        "detail": {"field": "ticket_count"}});
    answers(&Fake::new("global-user-123", &[artist_presale()]), &event.to_string(), invalid);
}

#[test]
fn a_campaign_that_does_not_exist_is_not_found() {
    let world = Fake::new("test-user-123", &[]);
    answers(&world, INVOKE, json!({"isEligible": false, "reason": "CAMPAIGN_NOT_FOUND"}));
    assert_eq!(world.asked(), ["verify token", "cached campaign:test-campaign", "campaign test-campaign"]);
    let logged =
        r#"INFO Eligibility check completed {"isEligible":false,"reason":"CAMPAIGN_NOT_FOUND","slug":"test-campaign"}"#;
    assert_eq!(world.logs.take(), [logged]);
}

#[test]
fn scenario_2_fan_a_b_and_c() {
    let mut world = Fake::new("fan", &[vip()]);
    world.invited = vec!["fan@example.com".into()];
    let fields = json!({"email": "fan@example.com"});
    let eligible = |linked: Value| json!({"isEligible": true, "campaignId": "campaign-vip", "fields": fields, "linkedCampaignId": linked});
    answers(&world, &vip_event(false), eligible(Value::Null));

    world.invited.clear();
    world.entries = vec!["CAMPAIGN#XYZ|USER#fan".into()];
    world.asked();
    answers(&world, &vip_event(true), eligible(json!("XYZ")));
    let asked = ["verify token", "cached campaign:vip-presale", "entries CAMPAIGN#XYZ|USER#fan"];
    assert_eq!(world.asked(), asked);

    world.entries.clear();
    let refused = json!({"isEligible": false, "reason": "NOT_INVITED", "campaignId": "campaign-vip",
        "detail": {"gateType": "invite"}});
    answers(&world, &vip_event(true), refused);
}

#[test]
fn the_invite_list_is_asked_with_the_tokens_identifiers() {
    let world = Fake::new("fan", &[vip()]);
    let event = json!({"slug": "vip-presale", "entry": {}, "userInfo": {"email": "invited@example.com"}}).to_string();
    let Outcome::Decision(decision) = run(&world, &event) else { panic!("refused") };
    assert_eq!(decision.refusal().unwrap().reason, Reason::NotInvited);
    let asked = r#"is_invited campaign-vip {"email":"fan@example.com","globalUserId":"fan"}"#;
    assert_eq!(world.asked().last().unwrap(), asked);
}

#[test]
fn point_8_a_token_without_an_email_is_asked_about_by_its_ids() {
    for email in [None, Some(""), Some(" ")] {
        let mut world = Fake::new("fan", &[vip()]);
        let claims = world.claims.as_mut().unwrap();
        (claims.email, claims.member_id) = (email.map(str::to_owned), Some("member".into()));
        run(&world, &vip_event(false));
        let asked = r#"is_invited campaign-vip {"globalUserId":"fan","memberId":"member"}"#;
        assert_eq!(world.asked().last().unwrap(), asked, "{email:?}");
        world.claims.as_mut().unwrap().member_id = Some(String::new());
        run(&world, &vip_event(false));
        assert_eq!(world.asked().last().unwrap(), r#"is_invited campaign-vip {"globalUserId":"fan"}"#, "{email:?}");
    }
}

#[test]
fn point_9_a_linked_gate_alone_is_a_prerequisite() {
    let mut linked = vip();
    linked["gates"].as_array_mut().unwrap().retain(|gate| gate["type"] == "linked");
    let mut world = Fake::new("fan", &[linked]);
    let refused = json!({"isEligible": false, "reason": "NOT_INVITED", "campaignId": "campaign-vip",
        "detail": {"gateType": "linked"}});
    answers(&world, &vip_event(true), refused);
    world.entries = vec!["CAMPAIGN#XYZ|USER#fan".into()];
    let transferred = json!({"isEligible": true, "campaignId": "campaign-vip",
        "fields": {"email": "fan@example.com"}, "linkedCampaignId": "XYZ"});
    answers(&world, &vip_event(true), transferred);
}

/// The test campaign with these fields more, and its event with these values and this country.
fn with_fields(fields: Value, entry: Value, country: &str) -> (Fake, String) {
    let mut campaign = test_campaign();
    campaign["fields"].as_array_mut().unwrap().extend(fields.as_array().unwrap().clone());
    let mut event: Value = serde_json::from_str(INVOKE).unwrap();
    event["body"]["entry"].as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    event["body"]["userInfo"]["countryCode"] = country.into();
    (Fake::new("test-user-123", &[campaign]), event.to_string())
}

#[test]
fn case_20_uk_is_understood_and_a_country_that_is_not_known_is_named() {
    let phone = json!([{"name": "phone", "type": "phone"}]);
    let (world, event) = with_fields(phone.clone(), json!({"phone": "020 7946 0018"}), "UK");
    let Outcome::Decision(Decision::Eligible { fields, .. }) = run(&world, &event) else { panic!("refused") };
    assert!(fields.iter().any(|(name, value)| name == "phone" && value == "+442079460018"), "{fields:?}");
    let (world, event) = with_fields(phone, json!({"phone": "020 7946 0018"}), "ZZ");
    let invalid = json!({"isEligible": false, "reason": "INVALID_ENTRY", "campaignId": "test-campaign-id",
        "detail": {"field": "phone"}});
    answers(&world, &event, invalid);
    assert_eq!(world.logs.borrow()[0], r#"WARN The countryCode is not one of ISO 3166-1 {"countryCode":"ZZ"}"#);
}

#[test]
fn case_21_a_malformed_bound_is_named_and_a_double_is_an_integer() {
    let bounds = |min: Value| json!([{"name": "tickets", "type": "integer", "min": min}]);
    let (world, event) = with_fields(bounds(json!(1.0)), json!({"tickets": 2.0}), "US");
    let Outcome::Decision(Decision::Eligible { fields, .. }) = run(&world, &event) else { panic!("refused") };
    assert!(fields.iter().any(|(name, value)| name == "tickets" && *value == json!(2)), "{fields:?}");
    let (world, event) = with_fields(bounds(json!(1.5)), json!({}), "US");
    answers(&world, &event, json!({"isEligible": false, "reason": "INTERNAL_SERVER_ERROR"}));
    let error = &world.logs.borrow()[0];
    assert!(error.contains("is malformed: fields[1].min: 1.5 is not a whole number"), "{error}");
}

#[test]
fn point_1_half_of_a_surrogate_pair_names_its_field() {
    let (world, event) = with_fields(json!([{"name": "note", "type": "string"}]), json!({"note": "half"}), "US");
    let invalid = json!({"isEligible": false, "reason": "INVALID_ENTRY", "campaignId": "test-campaign-id",
        "detail": {"field": "note"}});
    answers(&world, &event.replace("half", r"\ud83d"), invalid);
}

#[test]
fn a_verified_token_spares_the_user_service_and_another_does_not() {
    let mut idv = test_campaign();
    idv["gates"] = json!([{"type": "idv"}]);
    let mut world = Fake::new("test-user-123", &[idv]);
    for (claim, service, reason, asked) in [
        (Some(true), false, None, false),
        (Some(false), true, None, true),
        (None, true, None, true),
        (None, false, Some(Reason::IdvNotVerified), true),
    ] {
        world.claims.as_mut().unwrap().idv = claim;
        world.verified = service;
        let Outcome::Decision(decision) = run(&world, INVOKE) else { panic!("refused") };
        assert_eq!(decision.refusal().map(|refusal| refusal.reason), reason, "{claim:?} {service}");
        assert_eq!(world.asked().contains(&"is_verified test-user-123".to_owned()), asked, "{claim:?} {service}");
    }
}

#[test]
fn without_a_good_token_nothing_is_looked_up() {
    let mut world = Fake::new("fan", &[vip()]);
    let Outcome::Refused { status, code, .. } = block_on(check(&world, None, INVOKE, now())) else {
        panic!("answered")
    };
    assert_eq!((status, code, world.asked().len()), (401, "UNAUTHORIZED", 0));
    world.claims = None;
    let Outcome::Refused { status, message, .. } = run(&world, "no JSON") else { panic!("answered") };
    assert_eq!((status, message.as_str()), (401, "the token is not accepted: it has expired"));
    assert_eq!(world.asked(), ["verify token"]);
}

#[test]
fn a_body_about_another_fan_is_403_and_a_malformed_one_400() {
    let world = Fake::new("somebody-else", &[test_campaign()]);
    for (event, expected) in
        [(INVOKE, (403, "FORBIDDEN")), ("{}", (400, "MALFORMED_EVENT")), ("", (400, "MALFORMED_EVENT"))]
    {
        let Outcome::Refused { status, code, .. } = run(&world, event) else { panic!("answered: {event}") };
        assert_eq!((status, code), expected, "{event}");
        assert_eq!(world.asked(), ["verify token"]);
    }
}

#[test]
fn the_second_check_reads_the_cache_only() {
    let world = Fake::new("test-user-123", &[test_campaign()]);
    run(&world, INVOKE);
    let first = world.asked();
    assert_eq!(
        first[1..],
        [
            "cached campaign:test-campaign",
            "campaign test-campaign",
            "cache campaign:test-campaign campaign:test-campaign-id",
        ]
    );
    run(&world, INVOKE);
    assert_eq!(world.asked(), ["verify token", "cached campaign:test-campaign"]);
    assert_eq!(world.cache.borrow()["campaign:test-campaign-id"], test_campaign().to_string());
}

#[test]
fn a_broken_cache_costs_a_read_of_the_documents() {
    let mut world = Fake::new("test-user-123", &[test_campaign()]);
    world.broken = vec!["cached", "cache"];
    for _ in 0..2 {
        let Outcome::Decision(decision) = run(&world, INVOKE) else { panic!("refused") };
        assert_eq!(decision.refusal(), None);
        assert!(world.asked().contains(&"campaign test-campaign".to_owned()));
    }
}

#[test]
fn a_cached_value_that_is_not_a_campaign_is_replaced_with_a_warning() {
    let world = Fake::new("test-user-123", &[test_campaign()]);
    world.cache.borrow_mut().insert("campaign:test-campaign".into(), r#"{"id": 5}"#.into());
    run(&world, INVOKE);
    assert!(world.logs.borrow()[0].starts_with("WARN Cached campaign cannot be read"), "{:?}", world.logs);
    assert_eq!(world.cache.borrow()["campaign:test-campaign"], test_campaign().to_string());
}

#[test]
fn the_id_of_one_campaign_is_not_taken_for_the_slug_of_another() {
    let mut other = artist_presale();
    other["id"] = json!("test-campaign");
    let world = Fake::new("test-user-123", &[test_campaign()]);
    world.cache.borrow_mut().insert("campaign:test-campaign".into(), other.to_string());
    let Outcome::Decision(decision) = run(&world, INVOKE) else { panic!("refused") };
    assert_eq!(decision.refusal(), None);
}

#[test]
fn a_needed_dependency_that_fails_is_an_internal_server_error() {
    let mut everything = vip();
    everything["gates"].as_array_mut().unwrap().push(json!({"type": "idv"}));
    let failed = |campaign_id: Option<&str>| match campaign_id {
        Some(id) => json!({"isEligible": false, "reason": "INTERNAL_SERVER_ERROR", "campaignId": id}),
        None => json!({"isEligible": false, "reason": "INTERNAL_SERVER_ERROR"}),
    };
    let vip_id = Some("campaign-vip");
    for (broken, id) in
        [("verify", None), ("campaign", None), ("entries", vip_id), ("is_invited", vip_id), ("is_verified", vip_id)]
    {
        let mut world = Fake::new("fan", &[everything.clone()]);
        world.invited = vec!["fan@example.com".into()];
        world.broken = vec![broken];
        answers(&world, &vip_event(false), failed(id));
        let error = &world.logs.borrow()[0];
        assert!(error.starts_with("ERROR Eligibility check failed") && error.contains("broken"), "{error}");
    }
}

#[test]
fn a_failed_dependency_that_is_not_needed_does_not_matter() {
    let mut world = Fake::new("test-user-123", &[test_campaign()]);
    world.broken = vec!["entries", "is_invited", "is_verified"];
    let Outcome::Decision(decision) = run(&world, INVOKE) else { panic!("refused") };
    assert_eq!(decision.refusal(), None);
}

#[test]
fn a_malformed_campaign_is_an_internal_server_error_that_names_the_member() {
    let mut malformed = test_campaign();
    malformed["date"]["open"] = json!("soon");
    let world = Fake::new("test-user-123", &[malformed]);
    answers(&world, INVOKE, json!({"isEligible": false, "reason": "INTERNAL_SERVER_ERROR"}));
    let error = &world.logs.borrow()[0];
    assert!(error.contains(r#"campaign \"test-campaign\" is malformed: date.open"#), "{error}");
}

#[test]
fn a_bad_phone_in_user_info_does_not_refuse_the_fan() {
    let mut event: Value = serde_json::from_str(INVOKE).unwrap();
    event["body"]["userInfo"]["phoneNumber"] = json!("call me");
    let Outcome::Decision(decision) = run(&Fake::new("test-user-123", &[test_campaign()]), &event.to_string()) else {
        panic!("refused")
    };
    assert_eq!(decision.refusal(), None);
}
