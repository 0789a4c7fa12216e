//! Reads registrations from a file of JSON lines, each with one part of the world.

use crate::generate::{Selection, World};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, Write};

/// One line: `{"campaign": …}`, `{"market": …}`, `{"invite": …}`, `{"verification": …}`, `{"fan": …}`,
/// `{"registration": …}`, `{"selection": …}` or `{"score": …}`. Registrations are sent in their order and carry their own
/// expected outcome.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Campaign(Value),
    Market(Value),
    Invite(crate::generate::Invite),
    Verification(Verification),
    Fan(crate::generate::Fan),
    Registration(crate::generate::Registration),
    Selection(crate::generate::Selection),
    Score(crate::generate::Score),
}

/// Whether the User Service knows a fan's identity as verified.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verification {
    global_user_id: String,
    verified: bool,
}

/// Reads a world; an error names its line.
pub fn read(lines: impl BufRead) -> Result<World> {
    let mut world = World::default();
    for (number, line) in lines.lines().enumerate() {
        let line = line.with_context(|| format!("reading line {}", number + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(&line).with_context(|| format!("line {} is malformed", number + 1))? {
            Line::Campaign(campaign) => world.campaigns.push(campaign),
            Line::Market(market) => world.markets.push(market),
            Line::Invite(invite) => world.invites.push(invite),
            Line::Verification(fact) => drop(world.verifications.insert(fact.global_user_id, fact.verified)),
            Line::Fan(fan) => world.fans.push(fan),
            Line::Registration(registration) => world.registrations.push(registration),
            Line::Selection(selection) => world.selections.push(selection),
            Line::Score(score) => world.scores.push(score),
        }
    }
    check(&world)?;
    Ok(world)
}

/// Writes a world so that [`read`] reads the same.
pub fn write(world: &World, mut to: impl Write) -> Result<()> {
    let campaigns = world.campaigns.iter().cloned().map(Line::Campaign);
    let markets = world.markets.iter().cloned().map(Line::Market);
    let invites = world.invites.iter().cloned().map(Line::Invite);
    let facts = world.verifications.iter();
    let facts = facts.map(|(id, verified)| Verification { global_user_id: id.clone(), verified: *verified });
    let fans = world.fans.iter().cloned().map(Line::Fan);
    let registrations = world.registrations.iter().cloned().map(Line::Registration);
    let selections = world.selections.iter().cloned().map(Line::Selection);
    let scores = world.scores.iter().cloned().map(Line::Score);
    let lines = campaigns.chain(markets).chain(invites).chain(facts.map(Line::Verification)).chain(fans);
    for line in lines.chain(registrations).chain(selections).chain(scores) {
        writeln!(to, "{}", serde_json::to_string(&line)?)?;
    }
    to.flush().context("writing the last line")
}

/// Checks that every registration is of a fan and for a campaign that the file has, and every selection of its market.
fn check(world: &World) -> Result<()> {
    let fans: HashSet<&str> = world.fans.iter().map(|fan| fan.global_user_id.as_str()).collect();
    let campaigns: HashSet<&str> = world.campaign_ids().collect();
    for (number, registration) in world.registrations.iter().enumerate() {
        if !fans.contains(registration.fan.as_str()) {
            bail!("registration {} is of fan {}, for whom there is no line", number + 1, registration.fan);
        }
        if let Some(id) = registration.campaign_id.as_deref().filter(|id| !campaigns.contains(id)) {
            bail!("registration {} is for campaign {id}, for which there is no line", number + 1);
        }
    }
    let markets: HashSet<&str> = world.markets.iter().filter_map(|market| market.get("id")?.as_str()).collect();
    if let Some(Selection { market_id, .. }) = world.selections.iter().find(|it| !markets.contains(&*it.market_id)) {
        bail!("winners of {market_id} are to be selected, for which there is no line");
    }
    if world.registrations.is_empty() {
        bail!("there is no line with a registration");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn a_world_is_read_as_it_was_written() {
        let world = generate(600, 9);
        let mut file = Vec::new();
        write(&world, &mut file).unwrap();
        assert_eq!(read(file.as_slice()).unwrap(), world);
    }

    #[test]
    fn an_error_names_its_line() {
        let told = |text: &str| format!("{:#}", read(text.as_bytes()).unwrap_err());
        assert!(told("{\"market\": {}}\n\n{\"fam\": {}}").contains("line 3"));
        assert!(told("{\"market\": {}}").contains("no line with a registration"));
        let stray = r#"{"registration": {"fan": "f1", "slug": "s", "entry": {}, "label": "l",
            "expected": {"outcome": "ineligible", "reason": "CAMPAIGN_NOT_FOUND"}}}"#;
        assert!(told(&stray.replace('\n', "")).contains("registration 1 is of fan f1"));
    }
}
