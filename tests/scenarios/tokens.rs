//! check-eligibility answers only the fan whom a token of the right issuer names.

use serde_json::json;
use tests::workers::fixture;
use tests::{Fan, Signer, TestHost};

const FAN: Fan = Fan { id: "test-user-123", email: "test@example.com" };

#[tokio::test]
async fn only_the_fan_of_a_good_token_is_answered() {
    let host = TestHost::start().await;
    host.put_campaign("test-campaign").await;
    let event = fixture("check-eligibility", "invoke");
    let sign = |name: &str, value| host.signer.sign(&FAN.claims_with(name, value));
    let good = host.signer.sign(&FAN.claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0LXVzZXItMTIzIn0.";
    let cases = [
        ("none", None, 401, "UNAUTHORIZED"),
        ("no token at all", Some("nonsense".to_owned()), 401, "UNAUTHORIZED"),
        ("a forger's", Some(Signer::generate().sign(&FAN.claims())), 401, "UNAUTHORIZED"),
        (
            "a changed signature",
            Some(format!("{head}.{}", signature.chars().rev().collect::<String>())),
            401,
            "UNAUTHORIZED",
        ),
        ("algorithm none", Some(unsigned.to_owned()), 401, "UNAUTHORIZED"),
        ("expired", Some(sign("exp", json!(1_705_314_600))), 401, "UNAUTHORIZED"),
        ("another issuer's", Some(sign("iss", json!("https://other.example"))), 401, "UNAUTHORIZED"),
        ("for somebody else", Some(sign("aud", json!("other"))), 401, "UNAUTHORIZED"),
        ("another fan's", Some(sign("sub", json!("mallory"))), 403, "FORBIDDEN"),
    ];
    for (name, token, status, code) in cases {
        let reply = host.eligibility_as(token.as_deref(), &event).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (status, &json!(code)), "{name}: {}", reply.body);
        assert!(reply.body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
        assert!(
            token.is_none_or(|token| !reply.body.to_string().contains(&token)),
            "{name}: the answer tells the token"
        );
    }
    let expected = json!({
        "isEligible": true, "campaignId": "test-campaign-id", "fields": { "email": "test@example.com" },
        "linkedCampaignId": null,
    });
    let reply = host.eligibility_as(Some(&good), &event).await;
    assert_eq!((reply.status, reply.body), (200, expected));
}

/// Without the header, the token that the resolver forwards in its event is used.
#[tokio::test]
async fn the_token_may_come_in_the_appsync_event() {
    let host = TestHost::start().await;
    host.put_campaign("artist-presale-2024").await;
    let fan = Fan { id: "global-user-123", email: "fan@example.com" };
    let mut event = fixture("check-eligibility", "appsync");
    assert_eq!(host.eligibility_as(None, &event).await.status, 401);
    event["request"]["headers"]["authorization"] = format!("Bearer {}", host.signer.sign(&fan.claims())).into();
    let reply = host.eligibility_as(None, &event).await;
    assert_eq!((reply.status, &reply.body["isEligible"]), (200, &json!(true)), "{}", reply.body);
}
