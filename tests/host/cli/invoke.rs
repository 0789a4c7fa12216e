//! `host-adapters invoke`, with the documents' own examples.

use super::{run, run_with_input};
use serde_json::{Value, json};
use tests::programs;

const VARIABLES: &str = "components/check-eligibility/fixtures/variables.json";
const INVOKE: &str = "components/check-eligibility/fixtures/invoke.json";
const APPSYNC: &str = "components/check-eligibility/fixtures/appsync.json";

fn fixture(path: &str) -> String {
    std::fs::read_to_string(programs::project().join(path)).unwrap()
}

/// The object inside the printed `data.checkEligibility` of API usage.
fn printed() -> Value {
    json!({
        "isEligible": true,
        "campaignId": "campaign-789",
        "fields": {
            "email": "fan@example.com",
            "markets": ["market-123", "market-456"],
            "ticket_count": 2,
            "opt_in": true
        },
        "linkedCampaignId": null
    })
}

#[test]
fn the_documents_variables_give_the_documents_answer_key_for_key() {
    for event in [VARIABLES, APPSYNC] {
        let outcome = run(&["invoke", "checkEligibility", &format!("@{event}")]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.json(), printed(), "{event}");
    }
}

#[test]
fn the_documents_invoke_example_is_eligible() {
    // Inline, as the documents print it.
    let outcome = run(&["invoke", "checkEligibility", &fixture(INVOKE)]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let answer = outcome.json();
    assert_eq!(answer["isEligible"], json!(true));
    assert_eq!(answer["fields"], json!({"email": "test@example.com"}));
}

#[test]
fn standard_input_and_the_components_id_work_too() {
    for arguments in [vec!["invoke", "check-eligibility", "-"], vec!["invoke", "check-eligibility"]] {
        let outcome = run_with_input(&arguments, &fixture(INVOKE));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.json()["isEligible"], json!(true));
    }
}

#[test]
fn a_worker_that_does_not_exist_yet_is_named() {
    let outcome = run(&["invoke", "notificationGenerator", r#"{"campaignId":"campaign-123","marketId":"market-456"}"#]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    let said = "there is no worker `notificationGenerator` in spin.toml; there are: ";
    assert!(outcome.stderr.contains(said) && outcome.stderr.contains("check-eligibility"), "{outcome:?}");
}

/// As the documents print it. Services answer as the worker's fixtures say, so nothing else needs to run.
#[test]
fn the_documents_selection_finishes_offline() {
    let event = r#"{"campaignId": "campaign-123","dateId": "2024-03-01","marketId": "market-456"}"#;
    let outcome = run(&["invoke", "enqueueMarketSelections", event]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let stats = json!({"marketId": "market-456", "status": "FINISHED", "total": 5, "PROCESSED": 2, "FAILED": 1});
    assert_eq!(outcome.json(), json!({"stats": stats, "errors": []}));
    assert!(outcome.stderr.contains("Scoring records without globalUserId"), "{outcome:?}");
}

#[test]
fn a_selection_that_cannot_succeed_says_why() {
    let outcome = run(&["invoke", "enqueueMarketSelections", r#"{"campaignId": "campaign-123"}"#]);
    let error = json!({"error": {"code": "MALFORMED_INPUT", "message": "marketId is missing"}});
    assert_eq!((outcome.code, outcome.json()), (1, error), "{outcome:?}");
    let answers = tempfile::tempdir().unwrap();
    let campaign = answers.path().join("campaign/campaigns/campaign-123");
    std::fs::create_dir_all(&campaign).unwrap();
    std::fs::write(campaign.join("get.json"), r#"{"id": "campaign-123", "slug": "s", "status": "ACTIVE"}"#).unwrap();
    let event = "@components/enqueue-market-selections/fixtures/task.json";
    let folder = answers.path().to_str().unwrap();
    let closed = "entry_service_upstream=http://127.0.0.1:1";
    let outcome = run(&["invoke", "enqueueMarketSelections", event, "--services", folder, "--variable", closed]);
    assert_eq!((outcome.code, &outcome.json()["error"]["code"]), (1, &json!("CAMPAIGN_NOT_CLOSED")), "{outcome:?}");
}

#[test]
fn an_event_that_cannot_be_read_is_named() {
    for (event, said) in [("{", "not JSON"), ("@elsewhere.json", "elsewhere.json")] {
        let outcome = run(&["invoke", "checkEligibility", event]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{event}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

#[test]
fn a_fan_with_another_token_is_refused() {
    let outcome = run(&["invoke", "checkEligibility", "--token", "not.a.token", &fixture(INVOKE)]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.json()["error"]["code"].is_string(), "{outcome:?}");
    assert!(!outcome.stderr.contains("not.a.token"));
}

#[test]
fn a_batch_worker_answers_as_lambda_does() {
    let outcome = run(&["invoke", "enqueueEntries", "@components/enqueue-entries/fixtures/dynamodb-stream.json"]);
    let answer = outcome.json();
    assert_eq!((outcome.code, &answer["batchItemFailures"]), (0, &json!([])), "{outcome:?}");
    assert_eq!(answer["count"]["received"], answer["count"]["processed"]);
}

/// A rejected record is not done, and a skipped one is: it has been overtaken.
#[test]
fn a_batch_with_a_rejected_record_is_a_bad_outcome() {
    let event = |body: &str| json!({"Records": [{"messageId": "m", "body": body}]}).to_string();
    let outcome = run(&["invoke", "upsertUsers", &event("no JSON")]);
    let rejected = outcome.json()["rejected"].clone();
    assert_eq!((outcome.code, &rejected[0]["itemIdentifier"]), (1, &json!("m")), "{outcome:?}");

    // The store has no such item, so its change is stale.
    let outcome = run(&["invoke", "saveEntries", "@components/save-entries/fixtures/sqs.json"]);
    let rejected = outcome.json()["rejected"].clone();
    assert_eq!((outcome.code, &rejected[0]["skipped"]), (0, &json!(true)), "{outcome:?}");
}

#[test]
fn a_batch_with_failures_is_a_bad_outcome() {
    let closed = "entry_service_upstream=http://127.0.0.1:1";
    let event = "@components/retry-score/fixtures/aws.json";
    let outcome = run(&["invoke", "retryScore", event, "--variable", closed]);
    let failures = json!([{
        "itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "reason": "the entry service is unavailable: no connection to service entry: Connection refused (os error 111)",
    }]);
    assert_eq!((outcome.code, &outcome.json()["batchItemFailures"]), (1, &failures), "{outcome:?}");
    assert!(outcome.stderr.contains("correlation-123"), "the worker's log goes to stderr: {outcome:?}");
}
