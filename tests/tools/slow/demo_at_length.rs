//! Demos that take long: more registrations, more kills, the documents' own size.

use super::{demo, green, run};
use tests::programs::alone;

#[test]
fn five_thousand_registrations_survive_services_that_fail() {
    let summary = green(&["--registrations", "5000", "--faults", "--calm"]);
    assert_eq!(summary["registrations"], 5000);
}

#[test]
fn nothing_is_lost_when_the_host_is_killed_three_times() {
    let summary = green(&["--registrations", "5000", "--kills", "3", "--calm"]);
    assert_eq!(summary["restarts"], 3, "{summary}");
}

/// Two tasks of the market at once, and a third one that needs more codes than the first reservation has left.
#[test]
fn the_same_fans_win_with_the_same_codes_when_services_fail_and_the_host_is_killed() {
    let codes = |arguments: &[&str]| {
        let scenario = ["--scenario", "1", "--registrations", "2000", "--three-tasks"];
        let (output, summary) = demo(&[&scenario, arguments].concat());
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {summary}\n{log}", output.status);
        assert_eq!(summary["selection"]["markets"][0]["winners"], 600, "{summary}");
        summary["selection"]["codes_digest"].clone()
    };
    let whole = codes(&[]);
    assert_eq!(codes(&["--faults"]), whole);
    // One of six kills is during the first two tasks, and one during the third.
    assert_eq!(codes(&["--kills", "6"]), whole);
}

/// The documents' own size, and with it the limits of time and memory (`tests/tools/demo/src/selection/selected.rs`): all
/// verdicts are in the table within 30 s, and the host takes at most 100 MB more.
#[test]
fn scenario_1_has_the_documents_numbers_and_keeps_its_limits() {
    let _alone = alone();
    let (output, summary) = run(&["--scenario", "1"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ended with {}: {summary}\n{log}", output.status);
    assert_eq!(summary["failures"], serde_json::json!({}), "{summary}");
    // Else verdicts might have been given up, and written after the time was taken.
    assert_eq!(summary["redriven"], 0, "{summary}");
    let market = &summary["selection"]["markets"][0];
    assert_eq!(market["status"], "FINISHED", "{market}");
    let numbers = ["TOTAL", "PROCESSED", "FAILED", "winners", "losers"].map(|name| market[name].as_u64().unwrap());
    assert_eq!(numbers, [50_000, 500, 0, 500, 49_500], "{market}");
    assert!(log.contains("FINISHED, PROCESSED: 500, FAILED: 0, TOTAL: 50000"), "{log}");
}

/// Each message is received only once, so messages in flight at a kill become dead letters.
#[test]
fn messages_whose_receives_were_used_up_by_kills_are_sent_back() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, tests::manifest::changed(|it| tests::manifest::set_queues(it, 2, 1))).unwrap();
    let summary =
        green(&["--registrations", "3000", "--kills", "3", "--calm", "--manifest", manifest.to_str().unwrap()]);
    assert!(summary["redriven"].as_u64().is_some_and(|redriven| redriven > 0), "{summary}");
}

/// Counts are exactly right, and no fan has two score items: `green` fails otherwise.
#[test]
fn scores_are_counted_exactly_through_ten_kills() {
    let summary = green(&["--registrations", "5000", "--kills", "10", "--calm"]);
    assert_eq!(summary["restarts"], 10, "{summary}");
    let scoring = &summary["scoring"];
    let number = |name: &str| scoring[name].as_u64().unwrap_or_default();
    assert!(number("verified") > number("rejected") && number("rejected") > 100, "{scoring}");
    assert!(number("rows") > 4_000 && number("invalid") > 50 && number("slack_posts") > 40, "{scoring}");
}

#[test]
fn another_seed_is_another_week() {
    let (first, second) = (green(&["--registrations", "1000", "--seed", "7"]), green(&["--registrations", "1000"]));
    assert_ne!(first["ineligible"], second["ineligible"]);
}
