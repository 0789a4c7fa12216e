//! Use cases, scenario 2: an invite-only campaign with a linked transfer, up to the entry in the Entry Service.

use serde_json::{Value, json};
use tests::{Fan, TestHost, entry};

const A: Fan = Fan { id: "fan-a", email: "fan-a@example.com" };
const B: Fan = Fan { id: "fan-b", email: "fan-b@example.com" };
const C: Fan = Fan { id: "fan-c", email: "fan-c@example.com" };
const VIP: &str = "campaign-vip";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

fn form(fan: Fan, do_transfer: bool) -> Value {
    json!({ "body": {
        "slug": "vip-presale", "doTransfer": do_transfer, "entry": { "email": fan.email },
        "userInfo": { "globalUserId": fan.id, "email": fan.email, "countryCode": "US" },
    }})
}

/// The VIP campaign, its invite list with 1,000 addresses including fan A's, and fan B's entry in campaign XYZ.
async fn vip() -> TestHost {
    let host = TestHost::start().await;
    host.put_campaign("vip-presale").await;
    (1..1_000).for_each(|n| host.fakes.invites().invite_email(VIP, &format!("guest-{n}@example.com")));
    host.fakes.invites().invite_email(VIP, A.email);
    host.put_entry(&entry("XYZ", B.id, &json!({ "email": B.email }), UPDATED)).await;
    host
}

#[tokio::test]
async fn scenario_2_invited_transferred_and_neither() {
    let host = vip().await;
    let ask = async |fan, do_transfer| host.eligibility(fan, &form(fan, do_transfer)).await;

    let invited = json!({
        "isEligible": true, "campaignId": VIP, "fields": { "email": A.email }, "linkedCampaignId": null,
    });
    let reply = ask(A, false).await;
    assert_eq!((reply.status, reply.body), (200, invited));

    let transferred = json!({
        "isEligible": true, "campaignId": VIP, "fields": { "email": B.email }, "linkedCampaignId": "XYZ",
    });
    let reply = ask(B, true).await;
    assert_eq!((reply.status, reply.body), (200, transferred));

    let refused = json!({
        "isEligible": false, "reason": "NOT_INVITED", "campaignId": VIP, "detail": { "gateType": "invite" },
    });
    for do_transfer in [false, true] {
        let reply = ask(C, do_transfer).await;
        assert_eq!((reply.status, &reply.body), (200, &refused));
    }
}

#[tokio::test]
async fn an_entry_in_the_linked_campaign_without_do_transfer_is_a_linked_entry() {
    let host = vip().await;
    let reply = host.eligibility(B, &form(B, false)).await;
    let refused = json!({ "isEligible": false, "reason": "LINKED_ENTRY", "campaignId": VIP });
    assert_eq!((reply.status, reply.body), (200, refused));
}

/// Step 7: the resolver writes fan B's entry with `linkedFrom: XYZ`.
#[tokio::test]
async fn scenario_2_a_transferred_entry_keeps_its_origin() {
    let host = vip().await;
    let answer = host.eligibility(B, &form(B, true)).await.body;
    let mut item = entry(VIP, B.id, &answer["fields"], UPDATED);
    item["linkedFrom"] = answer["linkedCampaignId"].clone();
    host.put_entry(&item).await;
    host.replicated(VIP, B.id, UPDATED).await;
    assert_eq!(host.entry(VIP, B.id).await["linkedFrom"], "XYZ");
}
