//! Writes what must exist before the first registration: campaigns, markets, invite lists, verified identities.

use crate::gateway::Gateway;
use crate::generate::World;
use crate::progress::Progress;
use crate::services::Services;
use anyhow::{Context, Result};
use host_adapters_records::documents::ReplaceOne;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes the world into the collection `campaigns` and into the services.
pub async fn seed(world: &World, seeder: &Gateway, services: &Services, progress: &Progress) -> Result<()> {
    let bar = progress.bar("putting campaigns in", world.campaigns.len() + world.markets.len());
    for campaign in &world.campaigns {
        let id = id(campaign).context("a campaign has no id")?;
        let filter = json!({ "id": id }).to_string();
        let document = campaign.to_string();
        seeder.call(&ReplaceOne { collection: "campaigns".to_owned(), filter, document }).await?;
        services.put_campaign(&format!("/_control/campaigns/{id}"), campaign.clone()).await?;
        bar.inc(1);
    }
    for market in &world.markets {
        let campaign = market.get("campaignId").and_then(Value::as_str).context("a market has no campaignId")?;
        let path = format!("/_control/campaigns/{campaign}/markets/{}", id(market).context("a market has no id")?);
        services.put_campaign(&path, market.clone()).await?;
        bar.inc(1);
    }
    let mut lists = BTreeMap::<&str, Vec<&Value>>::new();
    for invite in &world.invites {
        lists.entry(&invite.campaign_id).or_default().push(&invite.name);
    }
    for (campaign, names) in lists {
        services.tell_entry(&format!("/_control/invites/{campaign}"), json!(names)).await?;
    }
    services.tell_user("/_control/verifications", json!(world.verifications)).await?;
    bar.finish_and_clear();
    Ok(())
}

fn id(document: &Value) -> Option<&str> {
    document.get("id")?.as_str()
}
