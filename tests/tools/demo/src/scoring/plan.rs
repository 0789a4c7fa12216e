//! What the scored files say: of every fan at least one row, of some several, under one name or another, and in between rows
//! that are invalid. Whose row it is, is known from how it was made.

use crate::check::Name;
use crate::generate::{Fan, Score, World};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Keeps these draws apart from those of the registrations.
const SALT: u64 = 0x0073_636f_7269_6e67;
/// The part of the fans who are rejected, where nothing else says it.
const REJECTED: f64 = 0.15;
/// The part of the fans who are in the fan list, too.
const LISTED: f64 = 0.05;
/// One in this many rows is also invalid. The documents warn of more than one in 20.
const ROWS_PER_INVALID_ONE: usize = 50;
/// Most invalid rows of a file: load-scores logs 100 of them a call, each by itself.
const MOST_INVALID: usize = 90;
/// The step between the scores of a fan. Those of the world are halves, so no two are the same by chance.
const STEP: f64 = 0.125;

/// The lines of both files, without their headers.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<'a> {
    /// `scrubbed/`.
    pub scrubbed: Vec<Line<'a>>,
    /// `fanlist/scored/`, which is the later file.
    pub fanlist: Vec<Line<'a>>,
}

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line<'a> {
    /// A valid row.
    Row(Row<'a>),
    /// A row that is not, made from a valid one.
    Invalid(Row<'a>, Fault),
}

/// A row of a scored file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// The campaign.
    pub campaign: &'a str,
    /// Whose row it is.
    pub fan: &'a Fan,
    /// The names that it has.
    pub named: Named,
    /// The place of the event among the fan's, in `scrubbed/`.
    pub rank: Option<u32>,
    /// The score.
    pub score: f64,
    /// Whether its verdict is `rejected`.
    pub rejected: bool,
}

/// Which of a fan's names a row has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named {
    /// The memberId.
    pub member: bool,
    /// The globalUserId.
    pub user: bool,
    /// The e-mail address.
    pub email: bool,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No name that the file may have.
    Nameless,
    /// No campaign.
    NoCampaign,
    /// A word in place of the score.
    WordScore,
    /// A rank below 0.
    NegativeRank,
    /// A verdict that there is not.
    OtherVerdict,
    /// A cell too few.
    CellMissing,
}

impl Fault {
    const ALL: [Self; 6] = [
        Self::Nameless,
        Self::NoCampaign,
        Self::WordScore,
        Self::OtherVerdict,
        Self::CellMissing,
        // Of files with ranks only.
        Self::NegativeRank,
    ];
}

impl Named {
    const MEMBER: Self = Self { member: true, user: false, email: false };
    const USER: Self = Self { member: false, user: true, email: false };
    const EMAIL: Self = Self { member: false, user: false, email: true };
    const MEMBER_AND_USER: Self = Self { email: false, ..Self::ALL };
    const USER_AND_EMAIL: Self = Self { member: false, ..Self::ALL };
    const ALL: Self = Self { member: true, user: true, email: true };
}

/// How `scrubbed/` tells of a fan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Story {
    /// In one row.
    Once,
    /// In a row that comes twice.
    Twice,
    /// With a lower score again, and the other verdict.
    Lower,
    /// In rows for two events, of rank 0 and 1; the second may have the higher score.
    TwoEvents,
    /// For an event of rank 1 only.
    SecondChoice,
    /// Under each name alone, and in one row under all of them.
    EachName,
}

impl Story {
    const WEIGHTS: [(Self, u32); 6] = [
        (Self::Once, 80),
        (Self::Twice, 4),
        (Self::Lower, 5),
        (Self::TwoEvents, 6),
        (Self::SecondChoice, 2),
        (Self::EachName, 3),
    ];
}

/// Draws the rows from a seed. The scores of fans whose markets are selected are those of the world.
pub fn draw(world: &World, seed: u64) -> Plan<'_> {
    let scores = world.scores.iter().filter_map(|score| {
        let name = (score.campaign_id.as_str(), score.global_user_id.as_deref()?);
        Some((name, score))
    });
    let mut drawing = Drawing {
        scores: scores.collect(),
        highest: world.fans.len().max(1),
        random: StdRng::seed_from_u64(seed ^ SALT),
        plan: Plan { scrubbed: Vec::new(), fanlist: Vec::new() },
    };
    let fans: HashMap<&str, &Fan> = world.fans.iter().map(|fan| (fan.global_user_id.as_str(), fan)).collect();
    let entries: BTreeSet<Name<'_>> = world.latest().into_keys().collect();
    // Each story is told once before stories are drawn, so that small runs have all of them, too.
    let mut once = Story::WEIGHTS.iter().map(|(story, _)| *story);
    for (campaign, id) in &entries {
        let Some(fan) = fans.get(id) else { continue };
        let story = once.next().unwrap_or_else(|| drawing.story());
        drawing.tell(campaign, fan, story);
    }
    for (id, campaign) in visitors(world, &entries) {
        if let Some(fan) = fans.get(id) {
            drawing.tell(campaign, fan, Story::SecondChoice);
        }
    }
    drawing.finish()
}

/// The fans without an entry, with a campaign for which they wanted to register, or any.
fn visitors<'a>(world: &'a World, entries: &BTreeSet<Name<'_>>) -> BTreeMap<&'a str, &'a str> {
    let accepted: BTreeSet<&str> = entries.iter().map(|(_, fan)| *fan).collect();
    let any = world.campaign_ids().next();
    let mut visitors = BTreeMap::new();
    for registration in world.registrations.iter().filter(|it| !accepted.contains(it.fan.as_str())) {
        if let Some(campaign) = registration.campaign_id.as_deref().or(any) {
            visitors.entry(registration.fan.as_str()).or_insert(campaign);
        }
    }
    visitors
}

struct Drawing<'a> {
    scores: HashMap<Name<'a>, &'a Score>,
    /// Scores are below this.
    highest: usize,
    random: StdRng,
    plan: Plan<'a>,
}

impl<'a> Drawing<'a> {
    fn story(&mut self) -> Story {
        let drawn = Story::WEIGHTS.choose_weighted(&mut self.random, |(_, weight)| *weight);
        drawn.map_or(Story::Once, |(story, _)| *story)
    }

    /// Adds the rows of a fan.
    fn tell(&mut self, campaign: &'a str, fan: &'a Fan, story: Story) {
        let decided = self.scores.get(&(campaign, fan.global_user_id.as_str())).copied();
        let (score, rejected) = match decided {
            Some(score) => (score.score, score.rejected),
            None => (self.random.random_range(0..self.highest) as f64 / 2.0, self.random.random_bool(REJECTED)),
        };
        let story = match story {
            // Only a row of rank 0 tells the Entry Service.
            Story::SecondChoice if decided.is_some() => Story::Once,
            story => story,
        };
        let is_member = fan.member_id.is_some();
        let all = if is_member { Named::ALL } else { Named::USER_AND_EMAIL };
        let named = if story == Story::EachName { all } else { self.named(is_member) };
        let rank = Some(u32::from(story == Story::SecondChoice));
        let row = Row { campaign, fan, named, rank, score, rejected };
        self.plan.scrubbed.push(Line::Row(row));
        let more = match story {
            Story::Once | Story::SecondChoice => vec![],
            Story::Twice => vec![row],
            Story::Lower => vec![Row { score: score - STEP, rejected: !rejected, ..row }],
            Story::TwoEvents => {
                let score = score + if self.random.random_bool(0.5) { STEP } else { -STEP };
                vec![Row { rank: Some(1), score, rejected: self.random.random_bool(REJECTED), ..row }]
            }
            Story::EachName => {
                let user = Row { named: Named::USER, score: score - STEP, rejected: !rejected, ..row };
                let member = is_member.then_some(Row { named: Named::MEMBER, score: score - 2.0 * STEP, ..user });
                [Some(user), member].into_iter().flatten().collect()
            }
        };
        self.plan.scrubbed.extend(more.into_iter().map(Line::Row));
        if story == Story::EachName || self.random.random_bool(LISTED) {
            self.list(row, decided.is_some());
        }
    }

    /// The names of a row. One name alone costs the workers least, and is the most frequent.
    fn named(&mut self, is_member: bool) -> Named {
        match (is_member, self.random.random_range(0..10)) {
            (true, 0..7) => Named::MEMBER,
            (true, 7..9) => Named::MEMBER_AND_USER,
            (true, _) => Named::ALL,
            (false, 0..8) => Named::USER,
            (false, _) => Named::USER_AND_EMAIL,
        }
    }

    /// Adds the rows of the fan list about a fan, of whom `scrubbed/` has this row: under the address alone if that row has it,
    /// too, with any score, and sometimes with the other verdict. Where the verdict decides about a selection it stays.
    fn list(&mut self, told: Row<'a>, is_decided: bool) {
        let named = match told.named {
            Named { email: true, .. } => Named::EMAIL,
            Named { member: true, .. } => Named { email: self.random.random_bool(0.5), ..Named::MEMBER },
            // The fan list cannot name this fan, because nothing tells whose address it is.
            _ => return,
        };
        let rejected = if is_decided { told.rejected } else { told.rejected != self.random.random_bool(0.5) };
        let score = told.score + f64::from(self.random.random_range(-4..=4_i32));
        let row = Row { named, rank: None, score, rejected, ..told };
        self.plan.fanlist.push(Line::Row(row));
        if self.random.random_bool(0.1) {
            self.plan.fanlist.push(Line::Row(Row { score: score - STEP, rejected: !rejected, ..row }));
        }
    }

    /// Mixes the rows of each file, with invalid ones among them.
    fn finish(mut self) -> Plan<'a> {
        let faults = Fault::ALL;
        for (lines, faults) in [
            (&mut self.plan.scrubbed, &faults[..]),
            (&mut self.plan.fanlist, faults.split_last().map(|(_, others)| others).unwrap_or_default()),
        ] {
            let count = MOST_INVALID.min(lines.len() / ROWS_PER_INVALID_ONE);
            let rows: Vec<Row<'a>> = lines.iter().map(Line::row).collect();
            let spoilt = rows.sample(&mut self.random, count).zip(faults.iter().cycle());
            lines.extend(spoilt.map(|(row, fault)| Line::Invalid(*row, *fault)));
            lines.shuffle(&mut self.random);
        }
        self.plan
    }
}

impl<'a> Line<'a> {
    /// The row, or that from which it was made.
    fn row(&self) -> Row<'a> {
        match self {
            Self::Row(row) | Self::Invalid(row, _) => *row,
        }
    }

    /// The row, if it is valid.
    pub fn valid(&self) -> Option<&Row<'a>> {
        match self {
            Self::Row(row) => Some(row),
            Self::Invalid(..) => None,
        }
    }
}

impl<'a> Row<'a> {
    /// Whose score it is: campaign and fan.
    pub fn name(&self) -> Name<'a> {
        (self.campaign, &self.fan.global_user_id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::generate::{generate, scenario_1};

    fn rows<'p, 'a>(lines: &'p [Line<'a>]) -> impl Iterator<Item = &'p Row<'a>> {
        lines.iter().filter_map(Line::valid)
    }

    #[test]
    fn the_seed_decides() {
        let world = generate(1_000, 1);
        assert_eq!(draw(&world, 1), draw(&world, 1));
        assert_ne!(draw(&world, 1), draw(&world, 2));
    }

    #[test]
    fn every_fan_has_a_row_and_every_entry_one_for_its_campaign() {
        for world in [generate(3_000, 1), scenario_1(500, 1, false)] {
            let plan = draw(&world, 1);
            let told: BTreeSet<Name<'_>> = rows(&plan.scrubbed).map(Row::name).collect();
            assert!(world.latest().into_keys().all(|name| told.contains(&name)));
            let fans: BTreeSet<&str> = told.into_iter().map(|(_, fan)| fan).collect();
            assert_eq!(fans.len(), world.fans.len());
        }
    }

    #[test]
    fn there_is_all_that_can_go_wrong_with_a_fan() {
        let world = generate(3_000, 2);
        let plan = draw(&world, 2);
        let mut by_fan = BTreeMap::<Name<'_>, Vec<&Row<'_>>>::new();
        rows(&plan.scrubbed).for_each(|row| by_fan.entry(row.name()).or_default().push(row));
        let has = |what: fn(&[&Row<'_>]) -> bool| by_fan.values().any(|rows| what(rows));
        assert!(has(|rows| rows.len() == 2 && rows[0] == rows[1]), "a duplicate");
        assert!(has(|rows| rows.len() == 2 && rows[0].score < rows[1].score && rows[0].rank == rows[1].rank));
        assert!(has(|rows| rows.iter().any(|row| row.rank == Some(1)) && rows.iter().any(|row| row.rank == Some(0))));
        assert!(has(|rows| rows.iter().all(|row| row.rank == Some(1))));
        let each = |rows: &[&Row<'_>]| {
            [Named::ALL, Named::USER, Named::MEMBER].map(|it| rows.iter().any(|row| row.named == it))
        };
        let by_address: BTreeSet<Name<'_>> =
            rows(&plan.fanlist).filter(|row| row.named == Named::EMAIL).map(Row::name).collect();
        assert!(by_fan.iter().any(|(name, rows)| each(rows) == [true; 3] && by_address.contains(name)));
        let flips =
            rows(&plan.fanlist).filter(|row| by_fan[&row.name()].iter().all(|told| told.rejected != row.rejected));
        assert!(flips.count() > 5);
    }

    #[test]
    fn less_than_one_row_in_twenty_is_invalid_and_every_fault_occurs() {
        for registrations in [100, 1_000, 5_000] {
            let world = generate(registrations, 3);
            let Plan { scrubbed, fanlist } = draw(&world, 3);
            for lines in [&scrubbed, &fanlist] {
                let invalid = lines.len() - rows(lines).count();
                assert!(invalid * 20 < lines.len(), "{invalid} of {}", lines.len());
            }
            let has = |fault: &Fault| scrubbed.iter().any(|line| matches!(line, Line::Invalid(_, it) if it == fault));
            assert!(registrations < 1_000 || Fault::ALL.iter().all(has));
        }
    }

    #[test]
    fn what_decides_about_a_selection_is_what_the_world_says() {
        let world = generate(3_000, 4);
        let plan = draw(&world, 4);
        let named = world.scores.iter().filter_map(|it| Some((it.global_user_id.as_deref()?, it)));
        for (fan, score) in named {
            let of_fan = rows(&plan.scrubbed).filter(|row| row.name() == (score.campaign_id.as_str(), fan));
            let first = of_fan.filter(|row| row.rank == Some(0)).max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
            assert_eq!((first.score.to_bits(), first.rejected), (score.score.to_bits(), score.rejected));
        }
    }

    /// The workers can know of two names that they are one fan's only if rows tell them.
    #[test]
    fn all_names_of_a_fan_are_in_one_row_or_with_the_member_id() {
        let world = generate(3_000, 5);
        let plan = draw(&world, 5);
        let mut by_fan = BTreeMap::<Name<'_>, Vec<&Row<'_>>>::new();
        rows(&plan.scrubbed).chain(rows(&plan.fanlist)).for_each(|row| by_fan.entry(row.name()).or_default().push(row));
        for told in by_fan.values() {
            let any = |has: fn(&Named) -> bool| told.iter().any(|row| has(&row.named));
            let all = Named { member: any(|it| it.member), user: any(|it| it.user), email: any(|it| it.email) };
            assert!(told.iter().any(|row| row.named == all) || told.iter().all(|row| row.named.member), "{told:?}");
        }
    }
}
