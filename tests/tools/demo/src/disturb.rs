//! The disturbances at the end of a run: while the last registrations are sent, the addresses of the Entry Service and of
//! the User Service are wrong for ten seconds, and workers are replaced during that; then the User Service is slow, and
//! old profiles arrive late. Nothing may be lost because of it, and no record may use up its attempts.

use crate::check::accepted_fans;
use crate::gateway::Gateway;
use crate::generate::{Fan, World};
use crate::load::Load;
use crate::resolver::QUEUE;
use anyhow::{Context, Result};
use fake_services::{FakeServices, Faults, Service};
use host_adapters_records::queue::{Message, SendBatch};
use serde_json::json;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long the addresses are wrong.
const WRONG: Duration = Duration::from_secs(10);
/// How much longer they may stay wrong until a request finds that out: on a slow machine nothing may have been sent
/// yet.
const FELT_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// What the Entry Service answers meanwhile.
const REFUSAL: &str = "upsertEntries 404";
/// When workers are replaced, from when the addresses became wrong.
const DEPLOY: Duration = Duration::from_secs(3);
/// How long the last registrations take to arrive.
const ARRIVALS: Duration = Duration::from_secs(8);
/// Most registrations that are sent during the disturbances, and the part of a small run that is.
const MOST: usize = 400;
const PART: usize = 5;
/// The workers that are replaced.
const REPLACED: [&str; 3] = ["enqueue-entries", "save-entries", "upsert-users"];
/// Most fans with an old profile.
const OLD_PROFILES: usize = 25;
/// How late the slow responses are, milliseconds.
const SLOW_MS: u64 = 2_000;

/// What is disturbed.
pub struct Disturbance<'a> {
    /// The services.
    pub fakes: &'a FakeServices,
    /// Replaces workers.
    pub operator: &'a Gateway,
    /// Sends old profiles.
    pub resolver: &'a Gateway,
    /// The host's manifest, which names the workers' files.
    pub manifest: &'a Path,
}

/// The registrations that are sent during the disturbances: the last of the run.
pub fn positions(total: usize) -> Range<usize> {
    total - MOST.min(total / PART)..total
}

impl Disturbance<'_> {
    /// Sends these registrations, while everything happens. The services' faults are `usual` again afterwards, but for
    /// the slow User Service.
    pub async fn happen(
        &self,
        world: &World,
        load: &Arc<Load>,
        positions: Range<usize>,
        usual: impl Fn(),
    ) -> Result<Effects> {
        let rate = positions.len() as f64 / ARRIVALS.as_secs_f64();
        let sent = world.registrations.get(positions.clone()).unwrap_or_default();
        let is_due = sent.iter().any(|registration| registration.accepted_by().is_some());
        let before = self.refused();
        self.lose_the_addresses();
        let meanwhile = async {
            tokio::time::sleep(DEPLOY).await;
            let replaced = self.deploy().await?;
            tokio::time::sleep(WRONG - DEPLOY).await;
            let refused = if is_due { Some(self.refused_since(before).await) } else { None };
            usual();
            self.slow_down();
            anyhow::Ok(Effects { refused, replaced })
        };
        let (_, effects) = tokio::try_join!(load.open(positions, rate), meanwhile)?;
        self.send_old_profiles(world).await?;
        Ok(effects)
    }

    fn refused(&self) -> u64 {
        self.fakes.answered(Service::Entry, REFUSAL)
    }

    /// Waits until requests were refused; returns how many, 0 if none was in time.
    async fn refused_since(&self, before: u64) -> u64 {
        let deadline = Instant::now() + FELT_WITHIN;
        while self.refused() == before && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        self.refused() - before
    }

    /// As a server answers that does not know the path, and as a proxy that has a page for any path.
    fn lose_the_addresses(&self) {
        let faults = |operations: &[&str], refusal: u16| Faults {
            operations: operations.iter().map(|it| (*it).to_owned()).collect(),
            refused: 1.0,
            refusal,
            ..Faults::default()
        };
        self.fakes.set_faults(Service::Entry, faults(&["upsertEntries", "deleteEntries", "refreshScores"], 404));
        self.fakes.set_faults(Service::User, faults(&["upsertUsers"], 200));
    }

    /// Half of the profiles are slow to be stored, so that later ones overtake them.
    fn slow_down(&self) {
        let mut faults = self.fakes.faults(Service::User);
        (faults.slow, faults.slow_ms) = (0.5, SLOW_MS);
        faults.operations = vec!["upsertUsers".to_owned()];
        self.fakes.set_faults(Service::User, faults);
    }

    /// Replaces the workers by the same code under another digest; returns of each whether that serves now.
    async fn deploy(&self) -> Result<Vec<(&'static str, bool)>> {
        let manifest = std::fs::read_to_string(self.manifest).context("reading the manifest")?;
        let manifest: toml_edit::DocumentMut = manifest.parse().context("reading the manifest")?;
        let folder = self.manifest.parent().unwrap_or(Path::new("."));
        let mut replaced = Vec::new();
        for worker in REPLACED {
            let component = manifest.get("component").and_then(|it| it.get(worker));
            let source = component.and_then(|it| it.get("source")).and_then(|it| it.as_str());
            let file = folder.join(source.with_context(|| format!("the manifest names no file of {worker}"))?);
            let wasm = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            replaced.push((worker, self.operator.swap(worker, stamped(wasm)).await?));
        }
        Ok(replaced)
    }

    /// Profiles that are years old, with other numbers.
    async fn send_old_profiles(&self, world: &World) -> Result<()> {
        let accepted = accepted_fans(&world.registrations);
        let overtaken =
            |fan: &&Fan| accepted.contains(fan.global_user_id.as_str()) && fan.profile.contains_key("phoneNumber");
        let old = |fan: &Fan| {
            let profile = json!({
                "globalUserId": fan.global_user_id, "firstName": "Old", "phoneNumber": "+12125550199",
                "updatedAt": "2020-01-01T00:00:00.000Z",
            });
            Message::new(profile.to_string())
        };
        let messages = world.fans.iter().filter(overtaken).take(OLD_PROFILES).map(old).collect();
        let sent = self.resolver.call(&SendBatch { queue: QUEUE.to_owned(), messages }).await?;
        sent.into_iter().collect::<Result<Vec<_>, _>>().context("sending old profiles")?;
        Ok(())
    }
}

/// What the disturbances did.
pub struct Effects {
    /// How many requests the Entry Service refused at the wrong address; `None` if nobody was to be replicated then.
    refused: Option<u64>,
    /// Of each worker to be replaced, whether it was.
    replaced: Vec<(&'static str, bool)>,
}

impl Effects {
    /// A sentence for each disturbance that had no effect.
    pub fn missing(&self) -> Vec<String> {
        let unfelt = (self.refused == Some(0)).then(|| {
            let secs = (WRONG + FELT_WITHIN).as_secs();
            format!("no request was answered with 404 in the {secs} s in which the Entry Service's address was wrong")
        });
        let left = self.replaced.iter().filter(|(_, changed)| !changed);
        let left = left.map(|(worker, _)| format!("{worker} was not replaced: the file that was sent served already"));
        unfelt.into_iter().chain(left).collect()
    }
}

/// The component with a custom section more, which changes nothing but its digest.
fn stamped(mut wasm: Vec<u8>) -> Vec<u8> {
    const SECTION: &[u8] = b"\x00\x0a\x06deploydem";
    wasm.extend_from_slice(SECTION);
    wasm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_registrations_are_disturbed_a_fifth_at_most() {
        assert_eq!(positions(50_000), 49_600..50_000);
        assert_eq!(positions(100), 80..100);
        assert_eq!(positions(3), 3..3);
    }

    #[test]
    fn a_disturbance_without_effect_is_told() {
        let missing =
            |refused, replaced: &[(&'static str, bool)]| Effects { refused, replaced: replaced.into() }.missing();
        assert!(missing(Some(1), &[("save-entries", true)]).is_empty() && missing(None, &[]).is_empty());
        let told = missing(Some(0), &[("enqueue-entries", true), ("save-entries", false)]);
        assert!(
            matches!(&told[..], [unfelt, left] if unfelt.contains("404") && left.starts_with("save-entries ")),
            "{told:?}"
        );
    }

    #[test]
    fn a_stamp_is_a_custom_section() {
        let [id, size, content @ ..] = &stamped(vec![])[..] else { unreachable!("it has a head") };
        assert_eq!((*id, usize::from(*size)), (0, content.len()));
    }
}
