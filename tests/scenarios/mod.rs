//! The documents' flows on the real components, from outside: HTTP requests and messages go in, then the table and the
//! services are checked.

mod api_usage;
mod body_shapes;
mod campaigns_by_event;
mod counts;
mod data_pipeline;
mod data_streams;
mod dead_letters;
mod entry_service_timeout;
mod event_shapes;
mod external_check;
mod fields;
mod forty_four_markets;
mod on_servers;
mod out_of_time;
mod outage;
mod race;
mod registration;
mod reports;
mod save_selections;
mod scored_files;
mod scores;
mod services;
mod statuses;
mod tokens;
mod transfer;
mod twenty_five_thousand;
mod wrong_address;

use serde_json::Value;

/// The body of a message on saveEntriesQueue, as enqueue-entries makes it.
fn change(operation: &str, item: &Value, record_id: &str) -> String {
    let date = &item["date"]["updated"];
    serde_json::json!({ "entry": item, "operation": operation, "recordId": record_id, "date": date }).to_string()
}
