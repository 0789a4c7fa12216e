//! Entries in `demand-table`, messages on queues, campaigns in their collection: what the resolver and other clients
//! write.

use crate::TestHost;
use host_adapters_records::Error;
use host_adapters_records::documents::ReplaceOne;
use host_adapters_records::queue::{Message, SendBatch};
use host_adapters_records::table::{BatchGet, BatchWrite, Key};
use serde_json::{Value, json};

const TABLE: &str = "demand-table";

/// An entry as the resolver writes it: flagged, with all its dates the same.
pub fn entry(campaign: &str, fan: &str, fields: &Value, updated: &str) -> Value {
    json!({
        "pk": format!("CAMPAIGN#{campaign}"), "sk": format!("USER#{fan}"),
        "campaignId": campaign, "globalUserId": fan, "fields": fields.to_string(), "needsReplication": true,
        "date": { "created": updated, "updated": updated, "fanModified": updated },
    })
}

impl TestHost {
    /// Writes a whole item.
    pub async fn put_entry(&self, item: &Value) {
        self.put_entries(std::slice::from_ref(item)).await;
    }

    /// Writes whole items.
    pub async fn put_entries(&self, items: &[Value]) {
        let puts = items.iter().map(Value::to_string).collect();
        self.write(BatchWrite { table: TABLE.to_owned(), puts, deletes: Vec::new() }).await;
    }

    /// Removes an entry.
    pub async fn remove_entry(&self, campaign: &str, fan: &str) {
        self.write(BatchWrite { table: TABLE.to_owned(), puts: Vec::new(), deletes: vec![key(campaign, fan)] }).await;
    }

    async fn write(&self, write: BatchWrite) {
        let errors: Vec<Error> = self.platform(&write).await.into_iter().flatten().collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// An entry in the table; null if there is none.
    pub async fn item(&self, campaign: &str, fan: &str) -> Value {
        self.items(&[(campaign, fan)]).await.remove(0)
    }

    /// Entries in the table.
    pub async fn items(&self, entries: &[(&str, &str)]) -> Vec<Value> {
        let keys = entries.iter().map(|(campaign, fan)| key(campaign, fan)).collect();
        let items = self.platform(&BatchGet { table: TABLE.to_owned(), keys }).await;
        items
            .iter()
            .map(|item| item.as_ref().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default())
            .collect()
    }

    /// Whether an entry is flagged as not replicated.
    pub async fn flagged(&self, campaign: &str, fan: &str) -> bool {
        self.item(campaign, fan).await["needsReplication"] == true
    }

    /// Sends messages to a queue; returns their ids.
    pub async fn queue(&self, queue: &str, bodies: &[String]) -> Vec<String> {
        let message = |body: &String| Message::new(body);
        let send = SendBatch { queue: queue.to_owned(), messages: bodies.iter().map(message).collect() };
        let answers = self.platform(&send).await.into_iter();
        answers
            .map(|answer| match answer {
                Ok(id) => id,
                Err(error) => panic!("{queue}: {error}"),
            })
            .collect()
    }

    /// Puts a campaign of `tests/fixtures/domain/campaigns` into the collection and returns it.
    pub async fn put_campaign(&self, fixture: &str) -> Value {
        let path = crate::support::settings::root().join(format!("tests/fixtures/domain/campaigns/{fixture}.json"));
        let document = std::fs::read_to_string(path).unwrap();
        let campaign: Value = serde_json::from_str(&document).unwrap();
        self.put_document(&campaign).await;
        campaign
    }

    /// Puts a campaign into the collection.
    pub async fn put_document(&self, campaign: &Value) {
        let filter = json!({ "id": campaign["id"] }).to_string();
        let document = campaign.to_string();
        self.platform(&ReplaceOne { collection: "campaigns".to_owned(), filter, document }).await;
    }
}

fn key(campaign: &str, fan: &str) -> Key {
    Key { pk: format!("CAMPAIGN#{campaign}"), sk: format!("USER#{fan}") }
}
