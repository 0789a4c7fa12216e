//! Forms that fans fill in: valid ones, not always tidy, and ones with one fault.

use super::campaign::Campaign;
use super::people::{Origin, Written};
use super::world::Fan;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

/// A valid form: as entered, and as it should become.
#[derive(Clone, Debug)]
pub struct Form {
    pub entered: Map<String, Value>,
    pub normalised: Map<String, Value>,
}

/// One fault of a form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// A phone number that cannot be one.
    WrongPhone,
    /// A market that the campaign does not have.
    UnknownMarket,
    /// A required field left out, or left blank.
    MissingField,
    /// A value of the wrong type.
    WrongType,
    /// A field that the campaign does not ask for.
    UnknownField,
    /// A text that no queue would take.
    Oversized,
    /// A character that no queue takes.
    Unstorable,
}

/// More bytes than a message had room for at SQS until August 2025.
const OVERSIZED: usize = 300_000;

/// Fills in a valid form.
pub fn fill(campaign: &Campaign, fan: &Fan, origin: &Origin, random: &mut StdRng) -> Form {
    let mut form = Form { entered: Map::new(), normalised: Map::new() };
    let shouted = Written { canonical: fan.email.clone(), casual: format!(" {} ", fan.email.to_uppercase()) };
    form.text("email", &shouted, random);
    form.text("phone", &origin.phone, random);
    form.markets(campaign, random);
    if campaign.extras.postal_code && random.random_bool(0.8) {
        form.text("postalCode", &origin.postal_code, random);
    }
    if campaign.extras.ticket_count {
        form.same("ticket_count", json!(random.random_range(1..=8)));
    }
    if campaign.extras.opt_in && random.random_bool(0.7) {
        form.same("opt_in", json!(random.random_bool(0.5)));
    }
    if campaign.extras.note {
        form.text("note", &Written { canonical: "See you there!".into(), casual: "  See you there! ".into() }, random);
    }
    form
}

impl Form {
    fn same(&mut self, name: &str, value: Value) {
        self.entered.insert(name.to_owned(), value.clone());
        self.normalised.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &Written, random: &mut StdRng) {
        let entered = if random.random_bool(0.5) { &text.casual } else { &text.canonical };
        self.entered.insert(name.to_owned(), entered.as_str().into());
        self.normalised.insert(name.to_owned(), text.canonical.as_str().into());
    }

    /// Some of the markets in any order, sometimes one of them twice.
    fn markets(&mut self, campaign: &Campaign, random: &mut StdRng) {
        let markets = &campaign.markets;
        let one = campaign.one_market > 0.0 && random.random_bool(campaign.one_market);
        let count = if one { 1 } else { random.random_range(1..=markets.len().max(1)) };
        let chosen: Vec<&String> = markets.sample(random, count).collect();
        let mut entered = chosen.clone();
        if random.random_bool(0.1) {
            entered.extend(chosen.first());
        }
        self.entered.insert("markets".to_owned(), json!(entered));
        self.normalised.insert("markets".to_owned(), json!(chosen));
    }
}

/// A form with one fault, and the field that has it.
pub fn spoil(form: &Form, flaw: Flaw, random: &mut StdRng) -> (Map<String, Value>, &'static str) {
    let mut entered = form.entered.clone();
    let mut put = |name: &'static str, value: Value| {
        entered.insert(name.to_owned(), value);
        name
    };
    let field = match flaw {
        Flaw::WrongPhone => put("phone", json!(any(&["not a number", "+1415", "+1415555012345678901", "0"], random))),
        Flaw::UnknownMarket => put("markets", json!([any(&["atlantis", "market-000", "demo"], random)])),
        Flaw::WrongType => put(any(&["email", "phone"], random), json!(any(&[json!(17), json!(true)], random))),
        Flaw::UnknownField => put("favourite_colour", json!("blue")),
        Flaw::Oversized => put("note", json!("x".repeat(OVERSIZED))),
        Flaw::Unstorable => put("note", json!("See you there\u{fffe}")),
        Flaw::MissingField => missing(&mut entered, random),
    };
    (entered, field)
}

fn missing(entered: &mut Map<String, Value>, random: &mut StdRng) -> &'static str {
    let field = any(&["email", "phone", "markets"], random);
    match (field, random.random_range(0..3)) {
        (_, 0) => drop(entered.remove(field)),
        (_, 1) => drop(entered.insert(field.to_owned(), Value::Null)),
        ("markets", _) => drop(entered.insert(field.to_owned(), json!([]))),
        (_, _) => drop(entered.insert(field.to_owned(), json!("  "))),
    }
    field
}

fn any<T: Clone + Default>(choices: &[T], random: &mut StdRng) -> T {
    choices.choose(random).cloned().unwrap_or_default()
}
