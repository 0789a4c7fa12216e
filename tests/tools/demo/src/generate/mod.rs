//! Registrations like those of a real campaign week, made from a seed.
//!
//! [`generate`] makes a [`World`]: [`plan`] decides how many registrations each campaign gets, [`story`] what a fan
//! does there and with which outcome, [`people`] who the fans are, [`form`] what they enter, [`selection`] what decides
//! who wins. The expected outcome of a registration is known from how it was made.

mod campaign;
mod form;
mod people;
mod plan;
mod selection;
mod story;
mod world;

pub use selection::{FEWEST_CODES, instant};
pub use world::{Expected, Fan, Invite, Registration, Score, Seats, Selection, World};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use selection::Offer;

/// The number of campaigns; at least 40 are required.
const CAMPAIGNS: usize = 44;

/// Registrations a second, by which the gaps between a fan's own registrations are chosen.
const NOMINAL_RATE: f64 = 1_000.0;

/// A world of `registrations`, which is the same for the same seed.
pub fn generate(registrations: usize, seed: u64) -> World {
    let mut random = StdRng::seed_from_u64(seed);
    let campaigns = campaign::all(CAMPAIGNS);
    let mut teller = story::Teller::new(&campaigns, StdRng::seed_from_u64(random.random()));
    let quotas = plan::quotas(&campaigns, registrations);
    let stories = teller.tell(quotas);
    let mut world = collect(&campaigns, teller, stories, registrations, &mut random);
    // The markets of the largest campaign, each another case.
    let offers =
        [Offer::Shared(0.1), Offer::Unique(0.05), Offer::Ratio(0.05), Offer::TooFewCodes(0.1), Offer::Unique(0.3)];
    let largest = campaigns.first().map(|campaign| campaign.id.as_str()).unwrap_or_default();
    selection::add(&mut world, largest, &offers, true, seed);
    world
}

/// The first scenario of the documents: everybody registers for the one market of a campaign, Los Angeles, where 500 fans
/// can win, and there are as many codes. (Of fewer than 2,000 fans a quarter can win.) Where `raised`, 400 win, and half as
/// many more by a later task: by the codes that the first reservation leaves, and of 1,336 fans or more by another one.
pub fn scenario_1(registrations: usize, seed: u64, raised: bool) -> World {
    let mut random = StdRng::seed_from_u64(seed);
    let campaigns = [campaign::alone()];
    let [only] = &campaigns;
    let mut teller = story::Teller::new(&campaigns, StdRng::seed_from_u64(random.random()));
    let stories = (0..registrations).map(|_| teller.newcomer(only)).collect();
    let mut world = collect(&campaigns, teller, stories, registrations, &mut random);
    let most = if raised { FEWEST_CODES * 4 / 5 } else { FEWEST_CODES };
    let seats = most.min(registrations / 4);
    let offer = if raised { Offer::Raised(seats) } else { Offer::Exactly(seats) };
    selection::add(&mut world, &only.id, &[offer], false, seed);
    world
}

/// The stories, in the order in which their registrations are sent, and all that the services must know for them.
fn collect(
    campaigns: &[campaign::Campaign],
    teller: story::Teller<'_>,
    stories: Vec<story::Story>,
    registrations: usize,
    random: &mut StdRng,
) -> World {
    let mut placed = Vec::with_capacity(registrations);
    for (number, story) in stories.into_iter().enumerate() {
        let mut at = random.random_range(0.0..registrations.max(1) as f64);
        for (gap_secs, registration) in story {
            at += gap_secs * NOMINAL_RATE;
            placed.push((at, number, registration));
        }
    }
    // The sort is stable and breaks ties by number, so that the order within a story is kept, and the same for the same
    // seed.
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    World {
        campaigns: campaigns.iter().map(campaign::Campaign::document).collect(),
        markets: campaigns.iter().flat_map(campaign::Campaign::market_documents).collect(),
        invites: teller.invites,
        verifications: teller.verifications,
        fans: teller.people.fans,
        registrations: placed.into_iter().map(|(_, _, registration)| registration).collect(),
        ..World::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

    fn per_campaign(world: &World) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for id in world.registrations.iter().filter_map(|r| r.campaign_id.as_deref()) {
            *counts.entry(id).or_default() += 1;
        }
        counts
    }

    fn gates(campaign: &Value) -> Vec<&str> {
        campaign["gates"].as_array().unwrap().iter().map(|gate| gate["type"].as_str().unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn it_has_the_size_asked_for_and_no_invite_only_campaign_has_more_than_a_fiftieth(
            registrations in 1_000usize..6_000, seed: u64,
        ) {
            let world = generate(registrations, seed);
            prop_assert_eq!(world.registrations.len(), registrations);
            let counts = per_campaign(&world);
            for campaign in world.campaigns.iter().filter(|campaign| gates(campaign).contains(&"invite")) {
                let count = counts.get(campaign["id"].as_str().unwrap()).copied().unwrap_or_default();
                prop_assert!(count * 50 <= registrations, "{} has {count} of {registrations}", campaign["id"]);
            }
        }

        #[test]
        fn the_same_seed_makes_the_same_world_and_another_seed_another(seed: u64) {
            let world = generate(500, seed);
            prop_assert_eq!(&world, &generate(500, seed));
            prop_assert_ne!(&world.registrations, &generate(500, seed.wrapping_add(1)).registrations);
        }
    }

    #[test]
    fn campaigns_are_spread_as_in_a_real_week() {
        let world = generate(50_000, 1);
        let counts = per_campaign(&world);
        assert!(
            world.campaigns.len() >= 40
                && world.campaigns.iter().all(|c| counts.contains_key(c["id"].as_str().unwrap()))
        );
        let mut sizes: Vec<_> = counts.values().copied().collect();
        sizes.sort_by_key(|count| std::cmp::Reverse(*count));
        assert_eq!(sizes[..2], [15_000, 7_500]);
        assert!(sizes[2] < 3_000, "a long tail: {sizes:?}");
        let largest = world.campaigns.iter().find(|c| counts[c["id"].as_str().unwrap()] == 15_000).unwrap();
        assert!(gates(largest).is_empty() && largest["status"] == "ACTIVE");
    }

    #[test]
    fn every_campaign_has_a_phone_field_and_most_have_several_markets() {
        let world = generate(1_000, 1);
        for campaign in &world.campaigns {
            assert!(campaign["fields"].as_array().unwrap().iter().any(|f| f["type"] == "phone"), "{campaign}");
        }
        assert!(world.markets.len() > 2 * world.campaigns.len());
    }

    #[test]
    fn every_label_occurs_and_every_reason_with_it() {
        let world = generate(5_000, 3);
        let mut labels = BTreeMap::<&str, usize>::new();
        let mut reasons = BTreeSet::new();
        for registration in &world.registrations {
            *labels.entry(&registration.label).or_default() += 1;
            if let Expected::Ineligible { reason, .. } = &registration.expected {
                reasons.insert(reason.as_str());
            }
        }
        let missing: Vec<_> = story::LABELS.iter().filter(|label| !labels.contains_key(**label)).collect();
        assert!(missing.is_empty(), "{missing:?} of {labels:?}");
        let known = [
            "CAMPAIGN_CLOSED",
            "CAMPAIGN_NOT_FOUND",
            "IDV_NOT_VERIFIED",
            "INELIGIBLE_ENTRY",
            "INVALID_ENTRY",
            "LINKED_ENTRY",
            "NOT_INVITED",
        ];
        assert_eq!(reasons, BTreeSet::from(known));
        let eligible = world.registrations.iter().filter(|r| r.accepted_by().is_some()).count();
        assert!((3_500..4_500).contains(&eligible), "{eligible}");
    }

    #[test]
    fn a_transfer_follows_the_entry_that_it_transfers() {
        let world = generate(5_000, 4);
        let mut accepted = HashSet::new();
        let mut transfers = 0;
        for registration in &world.registrations {
            if let Expected::Eligible { linked_from: Some(from), .. } = &registration.expected {
                assert!(accepted.contains(&(from.as_str(), registration.fan.as_str())), "{registration:?}");
                transfers += 1;
            }
            accepted.extend(registration.accepted_by().map(|campaign| (campaign, registration.fan.as_str())));
        }
        assert!(transfers > 20, "{transfers}");
    }

    #[test]
    fn some_fans_change_their_entry_twice_within_a_second() {
        let world = generate(20_000, 5);
        let mut positions = HashMap::<(&str, &str), Vec<usize>>::new();
        for (position, r) in world.registrations.iter().enumerate().filter(|(_, r)| r.label == "changed-twice") {
            positions.entry((r.slug.as_str(), r.fan.as_str())).or_default().push(position);
        }
        assert!(positions.len() > 50);
        let near = positions.values().filter(|p| p.len() == 3 && p[2] - p[0] < 1_000).count();
        assert!(near * 10 >= positions.len() * 9, "{near} of {}", positions.len());
    }

    #[test]
    fn the_predecessor_is_the_fans_own_last_registration() {
        let world = generate(2_000, 6);
        for (position, predecessor) in world.predecessors().into_iter().enumerate() {
            let fan = &world.registrations[position].fan;
            let expected = world.registrations[..position].iter().rposition(|r| r.fan == *fan);
            assert_eq!(predecessor, expected);
        }
    }
}
