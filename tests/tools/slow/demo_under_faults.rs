//! Tests that the demo's checks find faults, and that the pipeline withstands failures.

use super::demo;

/// Two tasks of the market at once, and a third one by which more win.
#[test]
fn the_same_fans_win_by_three_tasks_when_services_fail_and_the_host_is_killed() {
    let codes = |arguments: &[&str]| {
        let scenario = ["--scenario", "1", "--registrations", "1000", "--three-tasks"];
        let (output, summary) = demo(&[&scenario, arguments].concat());
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {summary}\n{log}", output.status);
        let market = &summary["selection"]["markets"][0];
        assert_eq!((&market["PROCESSED"], &market["winners"]), (&375.into(), &375.into()), "{summary}");
        summary["selection"]["codes_digest"].clone()
    };
    let whole = codes(&[]);
    assert_eq!(codes(&["--faults"]), whole);
    assert_eq!(codes(&["--kills", "3"]), whole);
}

#[test]
fn every_injected_fault_is_found_and_named() {
    let (output, summary) = demo(&["--registrations", "2000", "--inject"]);
    assert_eq!(output.status.code(), Some(1), "{summary}");
    let injected = summary["injected"].as_array().unwrap();
    let kinds: Vec<_> = injected.iter().map(|fault| fault["fault"].as_str().unwrap()).collect();
    let of_registrations = ["lost message", "stale overwrite", "flag left set", "wrong reason"];
    let of_the_selection = ["code with two fans", "loser with a code", "missing verdict", "wrong winner"];
    let of_scoring = ["second score item", "wrong count"];
    let of_the_pipeline = ["lost record"];
    assert_eq!(kinds, [&of_registrations[..], &of_the_selection, &of_scoring, &of_the_pipeline].concat());
    let log = String::from_utf8_lossy(&output.stderr);
    for fault in injected {
        assert_eq!(fault["found"], true, "{fault}");
        let subject = fault["subject"].as_str().unwrap();
        assert!(log.contains(subject), "{subject} is not named: {log}");
    }
}
