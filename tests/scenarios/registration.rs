//! Use case 1: a fan registers for an event presale, from the form to the Entry Service and the User Service.

use super::wrong_address::{elsewhere, foreign_pages};
use fake_services::{Faults, Service};
use serde_json::{Value, json};
use tests::workers::fixture;
use tests::{Fan, TestHost, entry, wait};

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };
const CAMPAIGN: &str = "campaign-789";
const UPDATED: &str = "2024-01-15T10:30:00.123Z";

#[tokio::test]
async fn use_case_1_a_fan_registers() {
    let host = TestHost::start().await;
    host.put_campaign("artist-presale-2024").await;
    let event = fixture("check-eligibility", "appsync");

    // Steps 1 to 7: the form and the decision.
    let decision = host.eligibility(JANE, &event).await;
    assert_eq!((decision.status, &decision.body["isEligible"]), (200, &json!(true)), "{}", decision.body);

    // Steps 8 and 10: what the resolver does with the decision.
    let mut item = entry(CAMPAIGN, JANE.id, &decision.body["fields"], UPDATED);
    item["memberId"] = "member-456".into();
    host.put_entry(&item).await;
    let user_info = &event["arguments"]["input"]["body"]["userInfo"];
    host.queue("userInfoQueue", &[user_info.to_string()]).await;

    // Step 9: the entry is replicated, and its flag is removed.
    host.replicated(CAMPAIGN, JANE.id, UPDATED).await;
    let expected = json!({
        "globalUserId": "global-user-123", "campaignId": "campaign-789", "memberId": "member-456",
        "fields": { "email": "fan@example.com", "markets": ["market-123", "market-456"], "ticket_count": 2,
                    "opt_in": true },
        "date": { "created": UPDATED, "updated": UPDATED, "fanModified": UPDATED }, "version": UPDATED,
    });
    assert_eq!(host.entry(CAMPAIGN, JANE.id).await, expected);
    let item = host.item(CAMPAIGN, JANE.id).await;
    assert!(item["replicatedAt"].is_string() && item["date"]["updated"] == UPDATED, "{item}");

    let profile = wait::eventually("the profile", async || Some(host.profile(JANE.id).await).filter(Value::is_object));
    let mut profile = profile.await;
    let updated_at = profile.as_object_mut().unwrap().remove("updatedAt");
    assert!(updated_at.is_some_and(|at| at.is_string()), "when it was queued");
    let expected = json!({
        "globalUserId": "global-user-123", "memberId": "member-456", "email": "fan@example.com", "firstName": "Jane",
        "lastName": "Doe", "phoneNumber": "+15551234567", "postalCode": "90210", "countryCode": "US",
        "locale": "en-US",
    });
    assert_eq!(profile, expected);
    for queue in ["saveEntriesQueue", "userInfoQueue"] {
        host.drained(queue).await;
        assert_eq!(host.depth(&format!("{queue}Dlq")).await, 0);
    }
}

/// The alternative flows of use case 1 with the documents' reasons. The field of INVALID_ENTRY is the documents' own
/// example.
#[tokio::test]
async fn use_case_1_alternative_flows() {
    let host = TestHost::start().await;
    let campaign = host.put_campaign("artist-presale-2024").await;
    let event = fixture("check-eligibility", "variables")["input"].clone();
    let ask = async |event: &Value| host.eligibility(JANE, event).await.body;

    let mut invalid = event.clone();
    invalid["body"]["entry"]["ticket_count"] = json!(9);
    let expected = json!({
        "isEligible": false, "reason": "INVALID_ENTRY", "campaignId": CAMPAIGN, "detail": { "field": "ticket_count" },
    });
    assert_eq!(ask(&invalid).await, expected);

    let mut unknown = event.clone();
    unknown["body"]["slug"] = json!("nowhere");
    assert_eq!(ask(&unknown).await, json!({ "isEligible": false, "reason": "CAMPAIGN_NOT_FOUND" }));

    let variant = async |id: &str, change: Value| {
        let mut variant = campaign.clone();
        variant["id"] = id.into();
        variant["slug"] = id.into();
        variant.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        host.put_document(&variant).await;
        let mut event = event.clone();
        event["body"]["slug"] = id.into();
        ask(&event).await
    };
    let closed = variant("closed", json!({ "status": "CLOSED" })).await;
    assert_eq!(closed, json!({ "isEligible": false, "reason": "CAMPAIGN_CLOSED", "campaignId": "closed" }));
    let idv = variant("idv", json!({ "gates": [{ "type": "idv" }] })).await;
    assert_eq!(idv, json!({ "isEligible": false, "reason": "IDV_NOT_VERIFIED", "campaignId": "idv" }));
}

/// The User Service is looked for under a wrong path: that does not mean that the fan is not verified.
#[tokio::test]
async fn point_16_a_page_in_place_of_the_user_service_refuses_no_fan() {
    let host = TestHost::start().await;
    let mut campaign = host.put_campaign("artist-presale-2024").await;
    campaign["gates"] = json!([{ "type": "idv" }]);
    host.put_document(&campaign).await;
    let event = fixture("check-eligibility", "variables")["input"].clone();
    let reason = async || host.eligibility(JANE, &event).await.body["reason"].clone();
    for page in foreign_pages() {
        host.faults(Service::User, elsewhere(page.clone()));
        assert_eq!(reason().await, "INTERNAL_SERVER_ERROR", "{page:?}");
    }
    host.faults(Service::User, Faults::default());
    assert_eq!(reason().await, "IDV_NOT_VERIFIED", "in the service's own words");
}
