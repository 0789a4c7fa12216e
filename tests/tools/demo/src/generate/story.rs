//! Stories: the registrations of one fan that belong together, each with its expected outcome.

use super::campaign::{Campaign, Kind};
use super::form::{self, Flaw, Form};
use super::people::{FanId, People};
use super::plan::Quotas;
use super::world::{Expected, Invite, Registration};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The registrations of a story, each with the seconds since the previous one.
pub type Story = Vec<(f64, Registration)>;

/// All labels.
#[cfg(test)]
pub const LABELS: [&str; 23] = [
    "valid",
    "wrong-phone",
    "unknown-market",
    "missing-field",
    "wrong-type",
    "unknown-field",
    "oversized",
    "unstorable",
    "duplicate",
    "changed-twice",
    "spoiled-change",
    "invited",
    "not-invited",
    "prerequisite",
    "transfer",
    "linked-without-transfer",
    "verified-by-token",
    "verified-by-service",
    "unverified",
    "closed",
    "closed-to-new",
    "unknown-gate",
    "unknown-campaign",
];

/// The actions of a fan in a campaign.
#[derive(Clone, Copy, Debug)]
enum Plot {
    Valid,
    Flawed(Flaw),
    Duplicate,
    ChangedTwice,
    SpoiledChange,
    Invited,
    InvitedFlawed,
    NotInvited,
    Transfer(usize),
    NoTransfer(usize),
    VerifiedByToken,
    VerifiedByService,
    Unverified,
    Refused(&'static str, &'static str),
}

/// Makes stories, and collects what the services must know for them.
pub struct Teller<'a> {
    campaigns: &'a [Campaign],
    random: StdRng,
    pub people: People,
    pub invites: Vec<Invite>,
    pub verifications: BTreeMap<String, bool>,
    /// Fans of plain stories, who may register again for other open campaigns.
    regulars: Vec<FanId>,
}

impl<'a> Teller<'a> {
    pub fn new(campaigns: &'a [Campaign], random: StdRng) -> Self {
        let (people, regulars) = (People::new(), Vec::new());
        Self { campaigns, random, people, invites: Vec::new(), verifications: BTreeMap::new(), regulars }
    }

    /// Stories that fill the quotas exactly. Transfers come first, because they also use quota of the campaign they
    /// come from.
    pub fn tell(&mut self, mut quotas: Quotas) -> Vec<Story> {
        let mut stories = Vec::new();
        let campaigns = self.campaigns;
        let linked = |kind: Kind| matches!(kind, Kind::InviteOrTransfer(_) | Kind::Transferring(_));
        let (first, second): (Vec<_>, Vec<_>) =
            (0..campaigns.len()).partition(|index| campaigns.get(*index).is_some_and(|campaign| linked(campaign.kind)));
        for (index, campaign) in first.into_iter().chain(second).filter_map(|i| Some((i, campaigns.get(i)?))) {
            self.fill(index, campaign, &mut quotas.campaigns, &mut stories);
        }
        stories.extend((0..quotas.nowhere).map(|_| self.nowhere()));
        stories
    }

    /// A new fan's only registration for an open campaign.
    pub fn newcomer(&mut self, campaign: &Campaign) -> Story {
        let fan = self.people.add(&mut self.random);
        let form = self.form(campaign, fan);
        vec![(0.0, self.accepted("valid", campaign, fan, form))]
    }

    fn fill(&mut self, index: usize, campaign: &Campaign, quotas: &mut [usize], stories: &mut Vec<Story>) {
        let plots = plots(campaign.kind);
        // Each plot occurs once before plots are drawn at random, so that small runs have all of them too.
        let mut once = plots.iter().map(|(plot, _)| *plot);
        while let Some(left) = quotas.get(index).copied().filter(|left| *left > 0) {
            let plot = once.next().unwrap_or_else(|| draw(&plots, &mut self.random));
            let elsewhere = plot.elsewhere();
            let spare = elsewhere.is_none_or(|from| quotas.get(from).is_some_and(|quota| *quota > 0));
            let plot = if plot.length() <= left && spare { plot } else { lone(campaign.kind) };
            let story = self.play(plot, campaign);
            for from in [Some(index), plot.elsewhere()].into_iter().flatten() {
                let used = if from == index { plot.length() } else { 1 };
                if let Some(quota) = quotas.get_mut(from) {
                    *quota -= used;
                }
            }
            stories.push(story);
        }
    }

    fn play(&mut self, plot: Plot, campaign: &Campaign) -> Story {
        let fan = self.cast(plot);
        let form = self.form(campaign, fan);
        match plot {
            Plot::Valid => vec![(0.0, self.accepted("valid", campaign, fan, form))],
            Plot::Flawed(flaw) => vec![(0.0, self.flawed(flaw, campaign, fan, &form))],
            Plot::Duplicate => {
                let registration = self.accepted("duplicate", campaign, fan, form);
                let gap = self.random.random_range(0.001..0.05);
                vec![(0.0, registration.clone()), (gap, registration)]
            }
            Plot::ChangedTwice => self.changed_twice(campaign, fan, form),
            Plot::SpoiledChange => {
                let mut change = self.flawed(Flaw::WrongPhone, campaign, fan, &form);
                change.label = "spoiled-change".to_owned();
                vec![(0.0, self.accepted("valid", campaign, fan, form)), (self.random.random_range(0.1..0.5), change)]
            }
            Plot::Invited => {
                self.invite(campaign, fan);
                vec![(0.0, self.accepted("invited", campaign, fan, form))]
            }
            Plot::InvitedFlawed => {
                self.invite(campaign, fan);
                vec![(0.0, self.flawed(Flaw::WrongPhone, campaign, fan, &form))]
            }
            Plot::NotInvited => {
                let detail = Some(json!({ "gateType": "invite" }));
                vec![(0.0, self.refused("not-invited", campaign, fan, form, "NOT_INVITED", detail))]
            }
            Plot::Transfer(from) => self.transfer(from, campaign, fan, form),
            Plot::NoTransfer(from) => self.no_transfer(from, campaign, fan, form),
            Plot::VerifiedByToken => {
                self.people.claim_identity(fan, true);
                vec![(0.0, self.accepted("verified-by-token", campaign, fan, form))]
            }
            Plot::VerifiedByService => {
                self.verify(fan, true);
                vec![(0.0, self.accepted("verified-by-service", campaign, fan, form))]
            }
            Plot::Unverified => {
                // The User Service does not know half of them.
                if self.random.random_bool(0.5) {
                    self.verify(fan, false);
                }
                vec![(0.0, self.refused("unverified", campaign, fan, form, "IDV_NOT_VERIFIED", None))]
            }
            Plot::Refused(label, reason) => {
                let detail = (reason == "INELIGIBLE_ENTRY").then(|| json!({ "gateType": "card" }));
                vec![(0.0, self.refused(label, campaign, fan, form, reason, detail))]
            }
        }
    }

    /// The fan changes the form twice, and the phone number of the profile with it.
    fn changed_twice(&mut self, campaign: &Campaign, fan: FanId, first: Form) -> Story {
        let mut story = vec![(0.0, self.accepted("changed-twice", campaign, fan, first))];
        for _ in 0..2 {
            let form = self.form(campaign, fan);
            let gap = self.random.random_range(0.05..0.4);
            let number = format!("+1212555{:04}", self.random.random_range(0..10_000));
            self.people.change_phone(fan, &number);
            let mut registration = self.accepted("changed-twice", campaign, fan, form);
            registration.phone_number = Some(number);
            story.push((gap, registration));
        }
        story
    }

    fn transfer(&mut self, from: usize, campaign: &Campaign, fan: FanId, form: Form) -> Story {
        let Some((prerequisite, id)) = self.prerequisite(from, fan) else { return Vec::new() };
        let mut transfer = self.accepted("transfer", campaign, fan, form);
        transfer.do_transfer = Some(true);
        if let Expected::Eligible { linked_from, .. } = &mut transfer.expected {
            *linked_from = Some(id);
        }
        vec![(0.0, prerequisite), (self.random.random_range(0.3..3.0), transfer)]
    }

    fn no_transfer(&mut self, from: usize, campaign: &Campaign, fan: FanId, form: Form) -> Story {
        let Some((prerequisite, _)) = self.prerequisite(from, fan) else { return Vec::new() };
        let (label, reason) = match campaign.kind {
            Kind::Transferring(_) => ("closed-to-new", "CAMPAIGN_CLOSED"),
            _ => ("linked-without-transfer", "LINKED_ENTRY"),
        };
        let mut registration = self.refused(label, campaign, fan, form, reason, None);
        registration.do_transfer = self.random.random_bool(0.5).then_some(false);
        vec![(0.0, prerequisite), (self.random.random_range(0.3..3.0), registration)]
    }

    /// The fan's entry in the campaign that the transfer comes from, and that campaign's id.
    fn prerequisite(&mut self, from: usize, fan: FanId) -> Option<(Registration, String)> {
        let campaign = self.campaigns.get(from)?;
        let form = self.form(campaign, fan);
        Some((self.accepted("prerequisite", campaign, fan, form), campaign.id.clone()))
    }

    fn nowhere(&mut self) -> Story {
        let fan = self.people.add(&mut self.random);
        let entry = Map::from_iter([("email".to_owned(), json!("fan@example.com"))]);
        let slug = format!("no-such-artist-{}", self.random.random_range(0..5));
        let expected = Expected::Ineligible { reason: "CAMPAIGN_NOT_FOUND".to_owned(), detail: None };
        let (fan, label) = (self.name(fan), "unknown-campaign".to_owned());
        vec![(
            0.0,
            Registration {
                fan,
                slug,
                campaign_id: None,
                entry,
                phone_number: None,
                do_transfer: None,
                label,
                expected,
            },
        )]
    }

    /// A new fan, or for a plain story sometimes one who has registered before.
    fn cast(&mut self, plot: Plot) -> FanId {
        if !matches!(plot, Plot::Valid) {
            return self.people.add(&mut self.random);
        }
        let known = self.random.random_range(0..self.regulars.len().max(1));
        match self.regulars.get(known) {
            Some(regular) if self.random.random_bool(0.08) => *regular,
            _ => {
                let fan = self.people.add(&mut self.random);
                self.regulars.push(fan);
                fan
            }
        }
    }

    fn form(&mut self, campaign: &Campaign, fan: FanId) -> Form {
        match (self.people.fan(fan), self.people.origin(fan)) {
            (Some(known), Some(origin)) => form::fill(campaign, known, origin, &mut self.random),
            _ => Form { entered: Map::new(), normalised: Map::new() },
        }
    }

    fn accepted(&self, label: &str, campaign: &Campaign, fan: FanId, form: Form) -> Registration {
        let expected = Expected::Eligible { fields: form.normalised, linked_from: None };
        self.registration(label, campaign, fan, form.entered, expected)
    }

    fn flawed(&mut self, flaw: Flaw, campaign: &Campaign, fan: FanId, form: &Form) -> Registration {
        let (entered, field) = form::spoil(form, flaw, &mut self.random);
        let reason = "INVALID_ENTRY".to_owned();
        let expected = Expected::Ineligible { reason, detail: Some(json!({ "field": field })) };
        let label = match flaw {
            Flaw::WrongPhone => "wrong-phone",
            Flaw::UnknownMarket => "unknown-market",
            Flaw::MissingField => "missing-field",
            Flaw::WrongType => "wrong-type",
            Flaw::UnknownField => "unknown-field",
            Flaw::Oversized => "oversized",
            Flaw::Unstorable => "unstorable",
        };
        self.registration(label, campaign, fan, entered, expected)
    }

    fn refused(
        &self,
        label: &str,
        campaign: &Campaign,
        fan: FanId,
        form: Form,
        reason: &str,
        detail: Option<Value>,
    ) -> Registration {
        let expected = Expected::Ineligible { reason: reason.to_owned(), detail };
        self.registration(label, campaign, fan, form.entered, expected)
    }

    fn registration(
        &self,
        label: &str,
        campaign: &Campaign,
        fan: FanId,
        entry: Map<String, Value>,
        expected: Expected,
    ) -> Registration {
        let (slug, campaign_id) = (campaign.slug.clone(), Some(campaign.id.clone()));
        let (fan, label) = (self.name(fan), label.to_owned());
        Registration { fan, slug, campaign_id, entry, phone_number: None, do_transfer: None, label, expected }
    }

    fn name(&self, fan: FanId) -> String {
        self.people.fan(fan).map(|fan| fan.global_user_id.clone()).unwrap_or_default()
    }

    /// Puts one of the fan's identifiers on the campaign's invite list.
    fn invite(&mut self, campaign: &Campaign, fan: FanId) {
        let Some(known) = self.people.fan(fan) else { return };
        let name = match (self.random.random_range(0..3), &known.member_id) {
            (0, Some(member)) => json!({ "memberId": member }),
            (1, _) => json!({ "globalUserId": known.global_user_id }),
            _ => json!({ "email": known.email }),
        };
        self.invites.push(Invite { campaign_id: campaign.id.clone(), name });
    }

    fn verify(&mut self, fan: FanId, verified: bool) {
        self.verifications.insert(self.name(fan), verified);
    }
}

impl Plot {
    /// How many registrations it has for its own campaign.
    const fn length(self) -> usize {
        match self {
            Self::Duplicate | Self::SpoiledChange => 2,
            Self::ChangedTwice => 3,
            _ => 1,
        }
    }

    /// The other campaign for which it has one registration.
    const fn elsewhere(self) -> Option<usize> {
        match self {
            Self::Transfer(from) | Self::NoTransfer(from) => Some(from),
            _ => None,
        }
    }
}

/// A plot of one registration that needs no other campaign.
fn lone(kind: Kind) -> Plot {
    match kind {
        Kind::Open => Plot::Valid,
        Kind::Invite | Kind::InviteOrTransfer(_) => Plot::Invited,
        Kind::Verified => Plot::VerifiedByToken,
        Kind::Closed | Kind::Over | Kind::NotYetOpen => Plot::Refused("closed", "CAMPAIGN_CLOSED"),
        Kind::Transferring(_) => Plot::Refused("closed-to-new", "CAMPAIGN_CLOSED"),
        Kind::CardGate => Plot::Refused("unknown-gate", "INELIGIBLE_ENTRY"),
    }
}

/// The plots in a campaign of this kind, with their weights.
fn plots(kind: Kind) -> Vec<(Plot, u32)> {
    match kind {
        Kind::Open => vec![
            (Plot::Valid, 850),
            (Plot::Flawed(Flaw::WrongPhone), 25),
            (Plot::Flawed(Flaw::UnknownMarket), 25),
            (Plot::Flawed(Flaw::MissingField), 25),
            (Plot::Flawed(Flaw::WrongType), 8),
            (Plot::Flawed(Flaw::UnknownField), 7),
            (Plot::Flawed(Flaw::Oversized), 1),
            (Plot::Flawed(Flaw::Unstorable), 1),
            (Plot::Duplicate, 30),
            (Plot::ChangedTwice, 20),
            (Plot::SpoiledChange, 10),
        ],
        Kind::Invite => vec![(Plot::Invited, 65), (Plot::NotInvited, 30), (Plot::InvitedFlawed, 5)],
        Kind::InviteOrTransfer(from) => {
            vec![(Plot::Transfer(from), 35), (Plot::NoTransfer(from), 15), (Plot::Invited, 35), (Plot::NotInvited, 15)]
        }
        Kind::Verified => vec![(Plot::VerifiedByToken, 40), (Plot::VerifiedByService, 30), (Plot::Unverified, 30)],
        Kind::Transferring(from) => vec![(Plot::Transfer(from), 60), (Plot::NoTransfer(from), 25), (lone(kind), 15)],
        Kind::Closed | Kind::Over | Kind::NotYetOpen | Kind::CardGate => vec![(lone(kind), 1)],
    }
}

fn draw(plots: &[(Plot, u32)], random: &mut StdRng) -> Plot {
    let mut point = random.random_range(0..plots.iter().map(|(_, weight)| weight).sum::<u32>().max(1));
    for (plot, weight) in plots {
        if point < *weight {
            return *plot;
        }
        point -= weight;
    }
    Plot::Valid
}
