//! Queues what the seeder has: campaigns, markets, mappings and numbers, and records that are wrong.

use super::due::{self, QUEUE};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::resolver::send;
use anyhow::Result;
use host_adapters_records::queue::Message;

/// Messages in one call.
const BATCH: usize = 100;

/// Queues a record of every document, and those that are wrong.
pub async fn seed(world: &World, seeder: &Gateway) -> Result<()> {
    let records = due::seeded(world)?.records.into_iter().map(|(_, due, data)| due::body(due.kind, &data.to_string()));
    let bodies: Vec<String> = records.chain(due::invalid()).collect();
    for bodies in bodies.chunks(BATCH) {
        send(seeder, QUEUE, bodies.iter().map(Message::new).collect()).await?;
    }
    Ok(())
}
