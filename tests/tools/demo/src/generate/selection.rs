//! What a selection is made from: the scores of the fans, and what each market has to give.

use super::world::{Score, Seats, Selection, World};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// The fewest codes that are reserved for a market without a shared code.
pub const FEWEST_CODES: usize = 500;
/// Codes that a market has and does not need.
const SPARE_CODES: usize = 25;
/// Scoring records without a globalUserId, in each market.
const NAMELESS: usize = 3;
/// The part of the fans who are rejected.
const REJECTED: f64 = 0.06;
/// When the first fan registered, milliseconds since 1970 (UTC): 4 May 2026, a Monday.
const MONDAY: i64 = 1_777_852_800_000;
/// The milliseconds of a week in which fans register.
const WEEK: i64 = 7 * 24 * 3_600_000;
/// Keeps the draws of the selection apart from those of the registrations.
const SALT: u64 = 0x7363_6f72_6573;

/// What a market offers its fans.
#[derive(Clone, Copy, Debug)]
pub enum Offer {
    /// Seats for this part of its fans, and one code for all winners.
    Shared(f64),
    /// Seats for this part of its fans, each with a code of its own.
    Unique(f64),
    /// The same, where the market has the part and not the number of seats.
    Ratio(f64),
    /// The same as `Unique`, with fewer codes than must be reserved.
    TooFewCodes(f64),
    /// This many seats, and as many codes.
    Exactly(usize),
    /// This many seats, by a later task half as many more, and codes for two reservations.
    Raised(usize),
}

/// Adds the selection of a campaign's first markets, and the scores of its fans. If `mixed`, some fans are rejected, and there
/// are records without a globalUserId.
pub fn add(world: &mut World, campaign: &str, offers: &[Offer], mixed: bool, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed ^ SALT);
    let markets = world.markets.iter().filter(|it| it.get("campaignId").is_some_and(|id| id == campaign));
    let markets = markets.filter_map(|market| market.get("id")?.as_str());
    let selections: Vec<Selection> = markets
        .zip(offers)
        .map(|(market, offer)| selection(campaign, market, *offer, world.fans_of(campaign, market).len()))
        .collect();
    for selection in &selections {
        let document = world.markets.iter_mut().find(|it| it.get("id").is_some_and(|id| *id == selection.market_id));
        document.into_iter().for_each(|document| describe(selection, document));
    }
    let fans: Vec<Option<String>> =
        world.latest().into_keys().filter(|(of, _)| *of == campaign).map(|(_, fan)| Some(fan.to_owned())).collect();
    let mut scores = draw(fans, campaign, &mut random);
    if mixed {
        scores.iter_mut().for_each(|score| score.rejected = random.random_bool(REJECTED));
        for selection in &selections {
            let records = draw(vec![None; NAMELESS], campaign, &mut random).into_iter();
            scores.extend(records.map(|it| Score { market_id: Some(selection.market_id.clone()), ..it }));
        }
    }
    world.scores.extend(scores);
    world.selections.extend(selections);
}

fn selection(campaign: &str, market: &str, offer: Offer, fans: usize) -> Selection {
    let seats_of = |part: f64| 1 + (part * fans as f64) as usize;
    let (seats, codes) = match offer {
        Offer::Shared(part) => (Seats::Capacity(seats_of(part)), 0),
        Offer::Unique(part) => (Seats::Capacity(seats_of(part)), seats_of(part).max(FEWEST_CODES) + SPARE_CODES),
        Offer::Ratio(part) => (Seats::SelectionRatio(part), seats_of(part).max(FEWEST_CODES) + SPARE_CODES),
        Offer::TooFewCodes(part) => (Seats::Capacity(seats_of(part)), seats_of(part).max(FEWEST_CODES) - 1),
        Offer::Exactly(seats) => (Seats::Capacity(seats), seats.max(FEWEST_CODES)),
        Offer::Raised(seats) => (Seats::Capacity(seats), raised(seats).max(FEWEST_CODES) + FEWEST_CODES),
    };
    let later = if let Offer::Raised(seats) = offer { Some(raised(seats)) } else { None };
    let shared_code = matches!(offer, Offer::Shared(_)).then(|| format!("SHARED-{market}"));
    Selection { campaign_id: campaign.to_owned(), market_id: market.to_owned(), seats, shared_code, codes, later }
}

fn raised(seats: usize) -> usize {
    seats + seats / 2
}

/// Puts what is selected into the document of its market.
fn describe(selection: &Selection, document: &mut Value) {
    let Some(document) = document.as_object_mut() else { return };
    let (member, seats) = match selection.seats {
        Seats::Capacity(count) => ("capacity", json!(count)),
        Seats::SelectionRatio(part) => ("selectionRatio", json!(part)),
    };
    document.remove("capacity");
    document.insert(member.to_owned(), seats);
    let ticketer = if selection.shared_code.is_some() { "TM" } else { "AXS" };
    document.insert("ticketer".to_owned(), ticketer.into());
    document.extend(selection.shared_code.iter().map(|code| ("sharedCode".to_owned(), code.as_str().into())));
}

/// Scores that often tie, so that the time of the registration decides, and now and then only the id.
fn draw(fans: Vec<Option<String>>, campaign: &str, random: &mut StdRng) -> Vec<Score> {
    let values = fans.len().div_ceil(3).max(1);
    let mut scores: Vec<Score> = Vec::with_capacity(fans.len());
    for global_user_id in fans {
        let (score, at) = match scores.last().filter(|_| random.random_bool(0.05)) {
            Some(twin) => (twin.score, instant(&twin.registered_at)),
            // Whole numbers and halves.
            None => (random.random_range(0..values) as f64 / 2.0, MONDAY + random.random_range(0..WEEK / 500) * 500),
        };
        let registered_at = notation(at, random);
        let campaign_id = campaign.to_owned();
        scores.push(Score { campaign_id, global_user_id, market_id: None, score, rejected: false, registered_at });
    }
    scores
}

/// Milliseconds since 1970 (UTC) of an instant in RFC 3339.
pub fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).map_or(i64::MAX, |at| at.timestamp_millis())
}

/// An instant in RFC 3339: with milliseconds, or sometimes without where there are none. As texts the two do not compare
/// as the instants do.
fn notation(ms: i64, random: &mut StdRng) -> String {
    let at = DateTime::<Utc>::UNIX_EPOCH + Duration::milliseconds(ms);
    let short = ms % 1_000 == 0 && random.random_bool(0.5);
    at.to_rfc3339_opts(if short { SecondsFormat::Secs } else { SecondsFormat::Millis }, true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::super::{generate, scenario_1};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_fan_of_the_largest_campaign_has_a_score_and_its_markets_are_selected() {
        let world = generate(5_000, 1);
        let fans: HashSet<&str> =
            world.latest().into_keys().filter(|(of, _)| *of == "demo-campaign-00").map(|(_, fan)| fan).collect();
        let scored: Vec<&str> = world.scores.iter().filter_map(|it| it.global_user_id.as_deref()).collect();
        assert_eq!((scored.len(), scored.into_iter().collect::<HashSet<_>>()), (fans.len(), fans));
        assert_eq!(world.selected_campaigns().into_iter().collect::<Vec<_>>(), ["demo-campaign-00"]);
        assert_eq!(world.selections.len(), 5);
        assert_eq!(world.scores.iter().filter(|it| it.global_user_id.is_none()).count(), 5 * NAMELESS);
        let rejected = world.scores.iter().filter(|it| it.rejected).count();
        assert!(rejected > 10 && rejected * 10 < world.scores.len(), "{rejected} of {}", world.scores.len());
        for selection in &world.selections {
            let market = world.markets.iter().find(|it| it["id"] == selection.market_id.as_str()).unwrap();
            assert_eq!(market["ticketer"] == "TM", selection.shared_code.is_some(), "{market}");
            assert!(market.get("capacity").is_some() != market.get("selectionRatio").is_some(), "{market}");
        }
    }

    #[test]
    fn scores_tie_and_so_do_registrations() {
        let world = generate(5_000, 2);
        let (mut scores, mut both) = (HashSet::new(), HashSet::new());
        for it in &world.scores {
            scores.insert(it.score.to_bits());
            both.insert((it.score.to_bits(), instant(&it.registered_at)));
        }
        assert!(scores.len() * 2 < world.scores.len(), "{} of {}", scores.len(), world.scores.len());
        let twins = world.scores.len() - both.len();
        assert!((20..world.scores.len() / 10).contains(&twins), "{twins} of {}", world.scores.len());
        let (short, long): (Vec<_>, Vec<_>) = world.scores.iter().partition(|it| it.registered_at.len() == 20);
        assert!(short.len() > 100 && long.len() > short.len());
    }

    #[test]
    fn scenario_1_is_the_documents_own() {
        let world = scenario_1(2_000, 1, false);
        assert_eq!((world.registrations.len(), world.fans.len(), world.latest().len()), (2_000, 2_000, 2_000));
        assert_eq!((world.markets.len(), &world.markets[0]["name"]), (1, &json!("Los Angeles")));
        assert_eq!(world.fans_of(&world.selections[0].campaign_id, &world.selections[0].market_id).len(), 2_000);
        assert_eq!((world.selections[0].seats, world.selections[0].codes), (Seats::Capacity(500), 500));
        assert_eq!(world.scores.iter().filter(|it| it.global_user_id.is_some() && !it.rejected).count(), 2_000);
        assert_eq!(scenario_1(200, 1, false).selections[0].seats, Seats::Capacity(50));
        let raised = scenario_1(200, 1, true).selections.remove(0);
        assert_eq!((raised.seats, raised.later, raised.codes), (Seats::Capacity(50), Some(75), 1_000));
        let raised = scenario_1(2_000, 1, true).selections.remove(0);
        assert_eq!((raised.seats, raised.later, raised.codes), (Seats::Capacity(400), Some(600), 1_100));
    }
}
