//! Spoils the results of the scored files, for `--inject`: a fan has a second score item, and a campaign is counted
//! wrong.

use super::due::Due;
use crate::check::{Kind, Name, entry_name};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::resolver::{TABLE, again};
use anyhow::{Context, Result};
use host_adapters_records::table::{BatchUpdate, BatchWrite, Key, Update};
use serde_json::json;

/// What is spoilt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spoils {
    campaign: String,
    fan: String,
    email: String,
    /// The campaign that is counted wrong.
    miscounted: String,
}

impl Spoils {
    /// Chooses the first fan with a score, and the last campaign with counts.
    pub fn choose(world: &World, due: &Due<'_>) -> Result<Self> {
        let few = "too few fans to spoil their scores";
        let (name, _) = due.items.first_key_value().context(few)?;
        let (campaign, fan): Name<'_> = *name;
        let (miscounted, _) = due.counts.last_key_value().context(few)?;
        let known = world.fans.iter().find(|it| it.global_user_id == fan).context(few)?;
        Ok(Self {
            campaign: campaign.to_owned(),
            fan: fan.to_owned(),
            email: known.email.clone(),
            miscounted: (*miscounted).to_owned(),
        })
    }

    /// Writes it to the table.
    pub async fn spoil(&self, resolver: &Gateway) -> Result<()> {
        let item = json!({
            "pk": format!("CAMPAIGN#{}", self.campaign), "sk": "SCORE#somebody", "campaignId": self.campaign,
            "email": self.email, "score": 1, "verification": "verified", "file": "none", "sequencer": "",
        });
        let (mut puts, mut attempts) = (vec![item.to_string()], 0);
        while !puts.is_empty() {
            let write = BatchWrite { table: TABLE.to_owned(), puts, deletes: Vec::new() };
            let errors = resolver.call(&write).await?;
            puts = again(write.puts.into_iter().zip(errors), &mut attempts).await?;
        }
        let mut updates = vec![Update {
            key: Key { pk: format!("CAMPAIGN#{}", self.miscounted), sk: "meta:counts".to_owned() },
            set: vec![("verified".to_owned(), "1000000".to_owned())],
            increment: Vec::new(),
            remove: Vec::new(),
            condition: Vec::new(),
        }];
        while !updates.is_empty() {
            let write = BatchUpdate { table: TABLE.to_owned(), updates };
            let errors = resolver.call(&write).await?;
            updates = again(write.updates.into_iter().zip(errors), &mut attempts).await?;
        }
        Ok(())
    }

    /// Each fault, with the kind and the subject of the failure that should tell of it.
    pub fn faults(&self) -> [(&'static str, Kind, String); 2] {
        let name: Name<'_> = (&self.campaign, &self.fan);
        [
            ("second score item", Kind::ScoreItem, entry_name(name)),
            ("wrong count", Kind::Count, self.miscounted.clone()),
        ]
    }
}
