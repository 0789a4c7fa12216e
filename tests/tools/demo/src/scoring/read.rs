//! Reads the results of the scored files: from the table over the gateway, from the fakes, from the stream, and from
//! the host's log.

use super::due::Counts;
use super::file::File;
use super::found::{Found, Post, Progress, Record};
use crate::gateway::Gateway;
use crate::generate::World;
use crate::resolver::TABLE;
use crate::stores::{BUCKET, Stores};
use anyhow::{Context, Result};
use fake_services::FakeServices;
use host_adapters_records::table::{BatchGet, Key, Query};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;

const PAGE: u32 = 500;
/// Most keys of a read.
const KEYS: usize = 100;
/// The stream that has each row of the fan list.
const STREAM: &str = "campaignDataStream";
/// The message of a line about an invalid row.
const INVALID: &str = "Row invalid";

/// Reads everything.
pub async fn read(
    world: &World,
    files: &[File],
    checker: &Gateway,
    fakes: &FakeServices,
    stores: &Stores,
    log: &Path,
) -> Result<Found> {
    let mut found = Found {
        counts: counts(world, checker).await?,
        progress: progress(files, checker).await?,
        logged: logged(files, log)?,
        told: told(fakes),
        ..Found::default()
    };
    for campaign in world.campaign_ids() {
        found.items.extend(items(checker, campaign).await?);
        for score in fakes.entries().scores(campaign) {
            found.posted.push(serde_json::from_value(score).context("a score of the Entry Service")?);
        }
    }
    for record in stores.records(STREAM).await? {
        found.streamed.push(serde_json::from_slice(&record).with_context(|| format!("a record of {STREAM}"))?);
    }
    Ok(found)
}

/// The score items of a campaign.
async fn items(checker: &Gateway, campaign: &str) -> Result<Vec<Record>> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let pk = format!("CAMPAIGN#{campaign}");
        let query = Query { table: TABLE.to_owned(), pk, prefix: "SCORE#".to_owned(), after, limit: PAGE };
        let page = checker.call(&query).await?;
        for item in &page.items {
            items.push(serde_json::from_str(item).with_context(|| format!("a score item of {campaign}: {item}"))?);
        }
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}

/// The counts of all campaigns that have any.
pub async fn counts(world: &World, checker: &Gateway) -> Result<BTreeMap<String, Counts>> {
    let campaigns: Vec<&str> = world.campaign_ids().collect();
    let keys = campaigns.iter().map(|campaign| (format!("CAMPAIGN#{campaign}"), "meta:counts"));
    let items = get(checker, keys).await?;
    let counts = campaigns.into_iter().zip(items).filter_map(|(campaign, item)| {
        let number = |item: &Value, name: &str| item.get(name).and_then(Value::as_i64).unwrap_or_default();
        let item = item?;
        let [verified, rejected, selected] = ["verified", "rejected", "selected"].map(|name| number(&item, name));
        Some((campaign.to_owned(), Counts { verified, rejected, selected }))
    });
    Ok(counts.collect())
}

/// How far each file was read.
pub async fn progress(files: &[File], checker: &Gateway) -> Result<BTreeMap<String, Progress>> {
    let keys = files.iter().map(|file| (format!("FILE#{BUCKET}/{}", file.key), "progress"));
    let items = get(checker, keys).await?;
    let progress = files.iter().zip(items).filter_map(|(file, item)| {
        let item = item?;
        let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        let (rows, invalid) = (number("/position/counts/rows"), number("/position/counts/invalid"));
        let is_done = item.get("isDone") == Some(&Value::Bool(true));
        let ended_ms = number("/ending/sinceMs");
        Some((file.key.to_owned(), Progress { rows, invalid, ended_ms, is_done }))
    });
    Ok(progress.collect())
}

/// Items of the table, by partition and sort key.
async fn get(checker: &Gateway, keys: impl Iterator<Item = (String, &'static str)>) -> Result<Vec<Option<Value>>> {
    let keys: Vec<Key> = keys.map(|(pk, sk)| Key { pk, sk: sk.to_owned() }).collect();
    let mut items = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS) {
        let read = checker.call(&BatchGet { table: TABLE.to_owned(), keys: keys.to_vec() }).await?;
        for item in read {
            items.push(
                item.map(|item| serde_json::from_str(&item).context("an item of the table is not JSON")).transpose()?,
            );
        }
    }
    Ok(items)
}

/// The lines of each file that the host's log names as invalid.
fn logged(files: &[File], log: &Path) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let opened = std::fs::File::open(log).with_context(|| format!("opening {}", log.display()))?;
    let mut logged = BTreeMap::<String, BTreeSet<u64>>::new();
    for line in BufReader::new(opened).split(b'\n') {
        let line = line.context("reading the host's log")?;
        // Only a few lines are parsed: the log is long.
        let Some((file, number)) = invalid_row(&String::from_utf8_lossy(&line)) else { continue };
        let key = file.strip_prefix(BUCKET).and_then(|key| key.strip_prefix('/')).unwrap_or(&file);
        if files.iter().any(|file| file.key == key) {
            logged.entry(key.to_owned()).or_default().insert(number);
        }
    }
    Ok(logged)
}

/// The file and the line of an invalid row that a line of the log names.
fn invalid_row(line: &str) -> Option<(String, u64)> {
    if !line.contains(INVALID) {
        return None;
    }
    let line: Value = serde_json::from_str(line).ok()?;
    let data = line.get("data").filter(|_| line.get("message").is_some_and(|it| it == INVALID))?;
    Some((data.get("file")?.as_str()?.to_owned(), data.get("line")?.as_u64()?))
}

/// The posts to Slack.
fn told(fakes: &FakeServices) -> Vec<Post> {
    let posts = fakes.slack().posts().into_iter();
    posts
        .map(|post| Post {
            text: post.text,
            report: post.report.map(|it| {
                let counts = Counts { verified: it.verified, rejected: it.rejected, selected: it.selected };
                (it.campaign_id, counts)
            }),
            at_ms: u64::try_from(post.at_ms).unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_an_invalid_row_names_file_and_line() {
        let line = r#"{"level":"INFO","message":"Row invalid","data":{"file":"b/scrubbed/x.csv","line":17,"row":"line 17: is wrong"}}"#;
        assert_eq!(invalid_row(line), Some(("b/scrubbed/x.csv".to_owned(), 17)));
        for other in
            [r#"{"message":"Row invalid"}"#, r#"{"message":"File read","data":{"file":"b/x","line":1}}"#, "Row invalid"]
        {
            assert_eq!(invalid_row(other), None, "{other}");
        }
    }
}
