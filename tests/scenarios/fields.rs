//! What fans type, copy and paste into forms, and what becomes of it: through check-eligibility, and on to the Entry
//! Service.

use serde_json::{Value, json};
use tests::{Fan, Reply, TestHost, entry};

const FAN: Fan = Fan { id: "fan-1", email: "fan@example.com" };
const CAMPAIGN: &str = "campaign-fields";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

/// A host with a campaign of these fields.
async fn host(fields: Value) -> TestHost {
    let host = TestHost::start().await;
    host.put_document(&campaign(fields, json!([]))).await;
    host
}

fn campaign(fields: Value, gates: Value) -> Value {
    json!({
        "id": CAMPAIGN, "slug": "fields", "name": "Fields", "status": "ACTIVE", "fields": fields, "gates": gates,
        "date": { "open": "2020-01-01T00:00:00Z", "close": "2099-12-31T00:00:00Z" },
    })
}

fn form(entry: Value, country: Option<&str>) -> Value {
    json!({ "slug": "fields", "entry": entry, "userInfo": { "globalUserId": FAN.id, "countryCode": country } })
}

/// The normalised value of a field, or the field that is refused.
fn outcome(reply: &Reply, field: &str) -> Result<Value, Value> {
    match reply.body["isEligible"].as_bool().unwrap_or_else(|| panic!("{reply:?}")) {
        true => Ok(reply.body["fields"][field].clone()),
        false => Err(reply.body["detail"]["field"].clone()),
    }
}

async fn value(host: &TestHost, field: &str, value: &Value, country: Option<&str>) -> Result<Value, Value> {
    outcome(&host.eligibility(FAN, &form(json!({ field: value }), country)).await, field)
}

/// Sends the numbers of a file of cases: each becomes what is `right`, or is refused.
async fn phones(cases: &str) {
    let host = host(json!([{ "name": "phone", "type": "phone" }])).await;
    for case in cases.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let expected = match case["right"].as_str().unwrap() {
            number if number.starts_with('+') => Ok(json!(number)),
            _ => Err(json!("phone")),
        };
        assert_eq!(value(&host, "phone", &case["phone"], case["country"].as_str()).await, expected, "{case}");
    }
}

#[tokio::test]
async fn case_19_phones_with_characters_that_nobody_sees() {
    phones(include_str!("../fixtures/phones/invisible.jsonl")).await;
}

#[tokio::test]
async fn case_20_phones_of_many_numbering_plans() {
    phones(include_str!("../fixtures/phones/plans.jsonl")).await;
}

#[tokio::test]
async fn case_21_integers_are_numbers_without_a_fraction() {
    let host = host(json!([{ "name": "tickets", "type": "integer", "min": 1.0, "max": 8e0 }])).await;
    for number in ["2", "2.0", "2e0"] {
        let event = form(json!({ "tickets": "NUMBER" }), None).to_string().replace("\"NUMBER\"", number);
        let token = host.signer.sign(&FAN.claims());
        let reply = host.post("/workers/check-eligibility", Some(&token), event).await;
        assert_eq!(outcome(&reply, "tickets").map(|it| it.to_string()), Ok("2".to_owned()), "{number}");
    }
    for refused in [json!(2.5), json!(0.0), json!(9.0)] {
        assert_eq!(value(&host, "tickets", &refused, None).await, Err(json!("tickets")), "{refused}");
    }
}

#[tokio::test]
async fn point_1_what_a_queue_does_not_carry_is_refused_by_the_name_of_its_field() {
    let note = |name: &str| json!({ "name": name, "type": "string", "maxLength": 100_000 });
    let host = host(json!([{ "name": "plain", "type": "string" }, note("note"), note("more")])).await;
    for refused in ["\u{fffe}", "\u{ffff}", "a\u{0}b", "\u{1b}[31m"] {
        assert_eq!(value(&host, "note", &json!(refused), None).await, Err(json!("note")), "{refused:?}");
    }
    assert_eq!(value(&host, "plain", &json!("x".repeat(1001)), None).await, Err(json!("plain")));
    assert_eq!(value(&host, "plain", &json!("x".repeat(1000)), None).await, Ok(json!("x".repeat(1000))));

    // Half of a surrogate pair.
    let event = form(json!({ "note": "HALF", "plain": "Zoé" }), None).to_string().replace("HALF", "\\ud83d");
    let reply = host.post("/workers/check-eligibility", Some(&host.signer.sign(&FAN.claims())), event).await;
    assert_eq!(outcome(&reply, "note"), Err(json!("note")));

    // All fields together.
    let half = "x".repeat(40_000);
    let reply = host.eligibility(FAN, &form(json!({ "note": half, "more": half }), None)).await;
    assert_eq!(outcome(&reply, "note"), Err(json!("more")));
}

/// Quotation marks are escaped in the item and again in the message, so this is the largest message that there is.
#[tokio::test]
async fn point_1_the_largest_entry_is_replicated() {
    let host = host(json!([{ "name": "note", "type": "string", "maxLength": 100_000 }])).await;
    let note = "\"".repeat(32_750);
    let reply = host.eligibility(FAN, &form(json!({ "note": note }), None)).await;
    assert_eq!(outcome(&reply, "note"), Ok(json!(note)));
    host.put_entry(&entry(CAMPAIGN, FAN.id, &reply.body["fields"], UPDATED)).await;
    host.replicated(CAMPAIGN, FAN.id, UPDATED).await;
    assert_eq!(host.entry(CAMPAIGN, FAN.id).await["fields"]["note"], json!(note));
}

#[tokio::test]
async fn point_7_input_without_a_body_and_aws_json() {
    let host = host(json!([{ "name": "email", "type": "email" }])).await;
    let input = form(json!({ "email": FAN.email }), Some("US"));
    let mut texts = input.clone();
    for member in ["entry", "userInfo"] {
        texts[member] = input[member].to_string().into();
    }
    for input in
        [json!({ "body": input }), input.clone(), texts.clone(), json!({ "body": texts }), json!(input.to_string())]
    {
        let reply = host.eligibility(FAN, &json!({ "arguments": { "input": input }, "identity": null })).await;
        assert_eq!(outcome(&reply, "email"), Ok(json!(FAN.email)), "{input}");
    }
}

#[tokio::test]
async fn point_8_a_token_without_an_email_is_answered() {
    let host = TestHost::start().await;
    host.put_document(&campaign(json!([]), json!([{ "type": "invite" }]))).await;
    let refused = json!({
        "isEligible": false, "reason": "NOT_INVITED", "campaignId": CAMPAIGN, "detail": { "gateType": "invite" },
    });
    for email in [json!(""), json!(" "), Value::Null] {
        let token = host.signer.sign(&FAN.claims_with("email", email.clone()));
        let reply = host.eligibility_as(Some(&token), &form(json!({}), None)).await;
        assert_eq!((reply.status, &reply.body), (200, &refused), "{email}");
    }
}

#[tokio::test]
async fn point_9_a_linked_gate_alone_admits_only_those_with_an_entry_there() {
    let host = TestHost::start().await;
    host.put_document(&campaign(json!([]), json!([{ "type": "linked", "linkedCampaignId": "XYZ" }]))).await;
    let mut form = form(json!({}), None);
    form["doTransfer"] = json!(true);
    let refused = json!({
        "isEligible": false, "reason": "NOT_INVITED", "campaignId": CAMPAIGN, "detail": { "gateType": "linked" },
    });
    assert_eq!(host.eligibility(FAN, &form).await.body, refused);
    host.put_entry(&entry("XYZ", FAN.id, &json!({}), UPDATED)).await;
    let transferred = json!({ "isEligible": true, "campaignId": CAMPAIGN, "fields": {}, "linkedCampaignId": "XYZ" });
    assert_eq!(host.eligibility(FAN, &form).await.body, transferred);
}

#[tokio::test]
async fn point_10_postal_codes_of_every_country() {
    let host = host(json!([{ "name": "postalCode", "type": "postalCode", "required": true }])).await;
    for (country, code, expected) in [
        ("NL", "1012ab", Some("1012 AB")),
        ("NL", "1012 AB", Some("1012 AB")),
        ("DE", "HELLO", None),
        ("JP", "１５４－００２３", Some("154-0023")),
        ("SE", "11455", Some("114 55")),
        ("UK", "sw1a1aa", Some("SW1A 1AA")),
        ("HK", "999077", Some("999077")),
    ] {
        let expected = expected.map(|code| json!(code)).ok_or(json!("postalCode"));
        assert_eq!(value(&host, "postalCode", &json!(code), Some(country)).await, expected, "{code} in {country}");
    }
    assert_eq!(value(&host, "postalCode", &json!(""), Some("HK")).await, Ok(Value::Null));
    assert_eq!(value(&host, "postalCode", &json!(""), Some("DE")).await, Err(json!("postalCode")));
}
