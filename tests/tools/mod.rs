//! The demo and the benchmark, run as programs.

mod bench_output;
mod on_servers;
mod slow;

use serde_json::Value;

/// Checks that the winners of the demo's five markets were selected, and that the one with too few codes has failed.
fn assert_selected(summary: &Value) {
    let markets = summary["selection"]["markets"].as_array().unwrap_or_else(|| panic!("no selection: {summary}"));
    let statuses: Vec<_> = markets.iter().map(|market| market["status"].as_str().unwrap_or_default()).collect();
    assert_eq!(statuses, ["FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED"], "{summary}");
    for market in markets {
        // Side by side, a market's winners may all have won another one.
        assert_eq!(market["PROCESSED"] == 0, market["status"] == "FAILED", "{market}");
        assert!(market["status"] != "FAILED" || market["winners"] == 0, "{market}");
    }
}
