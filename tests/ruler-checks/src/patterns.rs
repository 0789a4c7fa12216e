//! Random patterns of all operators, and some that are refused.

use crate::events::scalar;
use crate::json::Json;
use crate::words::{self, chance, one};
use rand::RngExt;
use rand::rngs::StdRng;

const DEPTH: u32 = 3;

pub fn pattern(random: &mut StdRng) -> Json {
    object(random, DEPTH)
}

fn object(random: &mut StdRng, depth: u32) -> Json {
    let count = random.random_range(1..4);
    let mut members: Vec<(String, Json)> = Vec::new();
    for _ in 0..count {
        let name = words::name(random);
        // Fields that are named twice are refused.
        if !members.iter().any(|(other, _)| *other == name) || chance(random, 2) {
            let is_nested = depth > 1 && chance(random, 40);
            let value = if is_nested { object(random, depth - 1) } else { values(random) };
            members.push((name, value));
        }
    }
    if chance(random, 12) {
        let is_too_short = chance(random, 5);
        let count = random.random_range(if is_too_short { 0..2 } else { 2..4 });
        let objects = (0..count).map(|_| object(random, depth.saturating_sub(1).max(1))).collect();
        members.insert(random.random_range(0..=members.len()), ("$or".to_owned(), Json::List(objects)));
    }
    Json::Object(members)
}

fn values(random: &mut StdRng) -> Json {
    if chance(random, 1) {
        return one_that_is_refused(random);
    }
    let count = random.random_range(1..4);
    Json::List((0..count).map(|_| value(random)).collect())
}

fn value(random: &mut StdRng) -> Json {
    match random.random_range(0..20) {
        0..5 => scalar(random),
        5 => Json::of("prefix", fragment(random)),
        6 => Json::of("suffix", fragment(random)),
        7 => Json::of("prefix", ignoring_case(random)),
        8 => Json::of("suffix", ignoring_case(random)),
        9 => ignoring_case(random),
        10 => Json::of("wildcard", wildcard(random)),
        11..14 => Json::of("anything-but", negated(random)),
        14..17 => Json::of("numeric", numeric(random)),
        17 => Json::of("exists", Json::word("true")),
        18 => Json::of("exists", Json::word("false")),
        _ => Json::of("cidr", Json::text(one(random, &words::RANGES))),
    }
}

fn fragment(random: &mut StdRng) -> Json {
    Json::text(one(random, &words::TEXTS))
}

fn ignoring_case(random: &mut StdRng) -> Json {
    Json::of("equals-ignore-case", Json::text(words::text(random)))
}

fn wildcard(random: &mut StdRng) -> Json {
    let count = random.random_range(1..4);
    let mut parts: Vec<_> = (0..count).map(|_| one(random, &words::TEXTS)).collect();
    if chance(random, 97) {
        parts.retain(|part| !part.is_empty() && !part.contains(['*', '\\']));
    }
    let (before, after) = (one(random, &["", "*", "a*", r"\*"]), one(random, &["", "*", "*b", r"\\"]));
    match parts.is_empty() {
        true => Json::text(before),
        false => Json::text(format!("{before}{}{after}", parts.join("*"))),
    }
}

fn negated(random: &mut StdRng) -> Json {
    let name = one(random, &["prefix", "suffix", "equals-ignore-case", "wildcard"]);
    match random.random_range(0..6) {
        0 => list_of(random, |random| Json::text(words::text(random))),
        1 => list_of(random, |random| Json::word(words::number(random))),
        2 => Json::text(words::text(random)),
        3 => Json::word(words::number(random)),
        4 => Json::of(name, if name == "wildcard" { wildcard(random) } else { fragment(random) }),
        _ => Json::of(
            name,
            list_of(random, |random| if name == "wildcard" { wildcard(random) } else { fragment(random) }),
        ),
    }
}

/// Never empty: the ruler takes some empty lists, and then matches nothing.
fn list_of(random: &mut StdRng, mut element: impl FnMut(&mut StdRng) -> Json) -> Json {
    let count = random.random_range(1..4);
    Json::List((0..count).map(|_| element(random)).collect())
}

fn numeric(random: &mut StdRng) -> Json {
    let number = |random: &mut StdRng| Json::word(words::number(random));
    let sign = |random: &mut StdRng, of: &[&str]| Json::text(one(random, of));
    if chance(random, 50) {
        return Json::List(vec![sign(random, &["=", "<", "<=", ">", ">="]), number(random)]);
    }
    let (low, high) = (sign(random, &[">", ">="]), sign(random, &["<", "<="]));
    let (mut from, mut to) = (number(random), number(random));
    let double = |number: &Json| number.number().and_then(|it| it.parse::<f64>().ok());
    // A range from the greater to the lesser is refused.
    if double(&from) > double(&to) && chance(random, 95) {
        std::mem::swap(&mut from, &mut to);
    }
    Json::List(vec![low, from, high, to])
}

fn one_that_is_refused(random: &mut StdRng) -> Json {
    let value = match random.random_range(0..12) {
        0 => return Json::List(Vec::new()),
        1 => return Json::Object(Vec::new()),
        2 => return Json::text("a"),
        3 => Json::List(vec![Json::text("a")]),
        4 => Json::Object(Vec::new()),
        5 => Json::of("contains", Json::text("a")),
        6 => Json::of("numeric", Json::List(vec![Json::text("<"), Json::word("1"), Json::text(">"), Json::word("0")])),
        7 => Json::of("cidr", Json::text("10.0.0.0/32")),
        8 => Json::of("exists", Json::text("true")),
        9 => Json::of("anything-but", Json::List(vec![Json::text("a"), Json::word("1")])),
        10 => Json::of("anything-but", Json::of("prefix", Json::text(""))),
        _ => Json::of("wildcard", Json::text("a**b")),
    };
    Json::List(vec![value])
}
