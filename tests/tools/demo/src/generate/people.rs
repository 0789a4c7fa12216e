//! Fans from several countries, with their numbers and postal codes as they enter them and as they should become.

use super::world::Fan;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// All fans made so far, and the generator that draws the next.
pub struct People {
    pub fans: Vec<Fan>,
    origins: Vec<Origin>,
}

/// Values for the entries of a fan.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The number in E.164, and as the fan's country writes it.
    pub phone: Written,
    /// The postal code as it should become, and as fans enter it.
    pub postal_code: Written,
}

/// A value in its canonical form, and as fans enter it.
#[derive(Clone, Debug)]
pub struct Written {
    pub canonical: String,
    pub casual: String,
}

/// A fan, by the index in [`People::fans`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FanId(pub usize);

const FIRST_NAMES: [&str; 8] = ["Ada", "Zoë", "José", "Mei", "Amir", "Olu", "Björk", "Sam"];
const LAST_NAMES: [&str; 8] = ["Lovelace", "O'Neil", "García", "Chen", "Haddad", "Okafor", "Müller", "Smith"];

impl People {
    pub fn new() -> Self {
        Self { fans: Vec::new(), origins: Vec::new() }
    }

    /// A new fan.
    pub fn add(&mut self, random: &mut StdRng) -> FanId {
        let number = self.fans.len();
        let (country, locale, origin) = origin(random);
        self.fans.push(fan(number, country, locale, &origin, random));
        self.origins.push(origin);
        FanId(number)
    }

    /// A fan made before.
    pub fn fan(&self, id: FanId) -> Option<&Fan> {
        self.fans.get(id.0)
    }

    /// Sets the claim of the fan's token about a verified identity.
    pub fn claim_identity(&mut self, id: FanId, verified: bool) {
        if let Some(fan) = self.fans.get_mut(id.0) {
            fan.idv = Some(verified);
        }
    }

    /// Gives the fan another phone number, in E.164.
    pub fn change_phone(&mut self, id: FanId, number: &str) {
        if let Some(fan) = self.fans.get_mut(id.0) {
            fan.profile.insert("phoneNumber".to_owned(), number.into());
        }
    }

    /// Values for the entries of the fan.
    pub fn origin(&self, id: FanId) -> Option<&Origin> {
        self.origins.get(id.0)
    }
}

fn fan(number: usize, country: &str, locale: &str, origin: &Origin, random: &mut StdRng) -> Fan {
    let id = format!("fan-{number:06}");
    let email = format!("{id}@example.com");
    let member_id = random.random_bool(0.6).then(|| format!("member-{number:06}"));
    let mut profile = Map::new();
    let mut say = |name: &str, value: &str| drop(profile.insert(name.to_owned(), value.into()));
    say("globalUserId", &id);
    say("email", &email);
    say("firstName", FIRST_NAMES.get(number % 8).copied().unwrap_or_default());
    say("lastName", LAST_NAMES.get(number / 8 % 8).copied().unwrap_or_default());
    say("postalCode", &origin.postal_code.canonical);
    say("countryCode", country);
    say("locale", locale);
    if let Some(member_id) = &member_id {
        say("memberId", member_id);
    }
    let mut user_info = profile.clone();
    user_info.extend([("env".to_owned(), json!("prod")), ("isLoggedIn".to_owned(), json!("true"))]);
    // An invalid number does not stop a registration; it is left out of the profile.
    let phone = match random.random_range(0..50) {
        0 => "unlisted",
        1..=25 => &origin.phone.casual,
        _ => &origin.phone.canonical,
    };
    user_info.insert("phoneNumber".to_owned(), phone.into());
    if phone != "unlisted" {
        profile.insert("phoneNumber".to_owned(), Value::from(origin.phone.canonical.as_str()));
    }
    Fan { global_user_id: id, email, member_id, idv: None, user_info, profile }
}

/// Country, locale, and values as that country writes them.
fn origin(random: &mut StdRng) -> (&'static str, &'static str, Origin) {
    let mut digits = |count: u32| random.random_range(0..10u32.pow(count));
    let (subscriber, zip, dead_letter) = (digits(4), 10_000 + digits(4) * 9, digits(1));
    let area = |areas: [u32; 5]| areas.get(dead_letter as usize % 5).copied().unwrap_or(212);
    let written = |canonical: String, casual: String| Written { canonical, casual };
    let north_american =
        |area: u32| written(format!("+1{area}555{subscriber:04}"), format!("({area}) 555-{subscriber:04}"));
    let plain = |code: String| written(code.clone(), format!(" {code} "));
    match random.random_range(0..100) {
        0..70 => {
            let phone = north_american(area([212, 310, 415, 617, 702]));
            ("US", "en-US", Origin { phone, postal_code: plain(format!("{zip:05}")) })
        }
        70..85 => {
            let phone = north_american(area([416, 604, 514, 403, 613]));
            (
                "CA",
                "fr-CA",
                Origin { phone, postal_code: written(format!("K{dead_letter}A 0B1"), format!("k{dead_letter}a0b1")) },
            )
        }
        85..94 => {
            let phone = written(format!("+44770090{subscriber:04}"), format!("07700 90{subscriber:04}"));
            (
                "GB",
                "en-GB",
                Origin { phone, postal_code: written(format!("M{dead_letter} 1AE"), format!("m{dead_letter}1ae")) },
            )
        }
        _ => {
            let phone = written(format!("+4915123{subscriber:04}78"), format!("01512 3{subscriber:04}78"));
            ("DE", "de-DE", Origin { phone, postal_code: plain(format!("{zip:05}")) })
        }
    }
}
