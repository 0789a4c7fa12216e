//! Reads the results of a selection, over the interfaces of the services and of the gateway.

use super::found::{EntryCodes, Found, Sent};
use super::rank::Contest;
use super::run::Ran;
use crate::check::Name;
use crate::services::Services;
use anyhow::Result;
use fake_services::FakeServices;
use std::collections::{HashMap, HashSet};

/// Reads everything but what the table has. `sent` is how often each entry had been sent before the selection; `None` if
/// the host was restarted since.
pub async fn read(
    contests: &[Contest<'_>],
    ran: &Ran,
    sent: Option<&HashMap<(String, String), usize>>,
    services: &Services,
    fakes: &FakeServices,
) -> Result<Found> {
    let (tasks, first_codes) = (ran.ended.clone(), ran.first_codes.clone());
    let entry_codes = entry_codes(contests, services).await?;
    let mut found = Found { tasks, first_codes, entry_codes, ..Found::default() };
    for contest in contests {
        let (campaign, market) = (contest.campaign(), contest.market());
        let key = (campaign.to_owned(), market.to_owned());
        found.codes.insert(key.clone(), services.codes(campaign, market).await?);
        found.stats.insert(key, services.stats(campaign, market).await?);
    }
    found.violations = services.violations().await?;
    if let Some(before) = sent {
        let changed: HashSet<Name<'_>> = ran.changes.iter().map(|change| change.name()).collect();
        for ((campaign, fan), before) in before {
            let after = fakes.entries().versions(campaign, fan).len();
            let changed = changed.contains(&(campaign.as_str(), fan.as_str()));
            found.sent.insert((campaign.clone(), fan.clone()), Sent { before: *before, after, changed });
        }
    }
    Ok(found)
}

/// The codes that the Entry Service has for winners of these markets.
pub async fn entry_codes(contests: &[Contest<'_>], services: &Services) -> Result<EntryCodes> {
    let mut codes = EntryCodes::new();
    for contest in contests {
        for (fan, code) in services.entry_codes(contest.campaign(), contest.market()).await? {
            codes.insert((contest.campaign().to_owned(), fan), code);
        }
    }
    Ok(codes)
}

/// How often the entry of each fan of these markets was sent to the Entry Service so far, by campaign and fan.
pub fn sent(contests: &[Contest<'_>], fakes: &FakeServices) -> HashMap<(String, String), usize> {
    let fans = contests.iter().flat_map(|contest| contest.ranked.iter().map(|fan| (contest.campaign(), *fan)));
    fans.map(|(campaign, fan)| ((campaign.to_owned(), fan.to_owned()), fakes.entries().versions(campaign, fan).len()))
        .collect()
}
