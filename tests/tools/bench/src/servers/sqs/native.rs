//! The baseline: as many pollers as the host's source has, each a loop of one long poll and one delete.

use crate::servers::native::{Count, sdk, tell};
use anyhow::{Result, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use tokio::task::JoinSet;

/// Pollers of either side.
pub const POLLERS: usize = 5;

/// Empties a queue until it is killed.
///
/// # Errors
/// When a call fails.
pub fn run(endpoint: &str, queue: &str) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let client = Client::new(&sdk(endpoint).await);
        let url = client.get_queue_url().queue_name(queue).send().await?.queue_url.unwrap_or_default();
        let (count, mut pollers) = (Count::default(), JoinSet::new());
        for _ in 0..POLLERS {
            pollers.spawn(poll(client.clone(), url.clone(), count.clone()));
        }
        tell(count, pollers).await
    })
}

async fn poll(client: Client, url: String, count: Count) -> Result<()> {
    loop {
        let receive = client.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(20);
        let messages = receive.message_attribute_names("All").send().await?.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let entries = messages.iter().enumerate().map(entry).collect::<Result<_, BuildError>>()?;
        let deleted = client.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await?;
        ensure!(deleted.failed.is_empty(), "messages are not deleted: {:?}", deleted.failed);
        count.add(messages.len());
    }
}

fn entry((place, message): (usize, &Message)) -> Result<DeleteMessageBatchRequestEntry, BuildError> {
    let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
    entry.set_receipt_handle(message.receipt_handle.clone()).build()
}
