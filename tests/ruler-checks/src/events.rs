//! Random events: objects, lists of them, lists in lists, empty ones. Most have what a pattern asks for, or nearly so.

use crate::json::Json;
use crate::words::{self, chance};
use rand::RngExt;
use rand::rngs::StdRng;

const DEPTH: u32 = 4;

pub fn event(random: &mut StdRng, pattern: &Json) -> Json {
    if chance(random, 20) { object(random, DEPTH) } else { like(random, pattern) }
}

/// An object with the fields of a pattern, and others.
fn like(random: &mut StdRng, pattern: &Json) -> Json {
    let mut members = Vec::new();
    add_like(random, pattern, &mut members);
    if chance(random, 30) {
        members.push((words::name(random), value(random, 1)));
    }
    Json::Object(members)
}

fn add_like(random: &mut StdRng, pattern: &Json, members: &mut Vec<(String, Json)>) {
    let Json::Object(fields) = pattern else { return };
    for (name, of_field) in fields {
        match of_field {
            Json::List(objects) if name == "$or" => objects.iter().for_each(|object| add_like(random, object, members)),
            _ if chance(random, 10) => {}
            Json::List(values) => members.push((name.clone(), one_of(random, values))),
            _ => members.push((name.clone(), nested(random, of_field))),
        }
    }
}

/// An object, or a list of them of which only some are as the pattern has it, or fields of which are in different ones.
fn nested(random: &mut StdRng, pattern: &Json) -> Json {
    if chance(random, 50) {
        return like(random, pattern);
    }
    let count = random.random_range(1..4);
    Json::List((0..count).map(|_| if chance(random, 70) { like(random, pattern) } else { value(random, 2) }).collect())
}

fn one_of(random: &mut StdRng, values: &[Json]) -> Json {
    let value = match values.get(random.random_range(0..=values.len())) {
        Some(value) => near(random, value),
        None => scalar(random),
    };
    match random.random_range(0..10) {
        0 => Json::List(vec![scalar(random), value]),
        1 => Json::List(vec![Json::List(vec![value]), object(random, 1)]),
        _ => value,
    }
}

/// A value like one that a pattern has: the same, or longer, or in another case.
fn near(random: &mut StdRng, value: &Json) -> Json {
    let leaves = value.leaves();
    let is_number = |leaf: &&&Json| leaf.number().is_some();
    let Some(leaf) = leaves.iter().find(is_number).or(leaves.first()) else { return scalar(random) };
    match (leaf, random.random_range(0..5)) {
        (Json::Text(text), 0) => Json::text(format!("{text}{}", words::text(random))),
        (Json::Text(text), 1) => Json::text(format!("{}{text}", words::text(random))),
        (Json::Text(text), 2) => Json::text(text.to_uppercase()),
        (Json::Text(text), 3) => Json::text(text.replace('*', words::one(random, &words::TEXTS))),
        _ => (*leaf).clone(),
    }
}

fn object(random: &mut StdRng, depth: u32) -> Json {
    let count = random.random_range(if depth == DEPTH { 1..6 } else { 0..5 });
    let mut members: Vec<(String, Json)> = Vec::new();
    for _ in 0..count {
        let name = words::name(random);
        // A name that is there already is rare.
        if !members.iter().any(|(other, _)| *other == name) || chance(random, 2) {
            members.push((name, value(random, depth - 1)));
        }
    }
    Json::Object(members)
}

fn value(random: &mut StdRng, depth: u32) -> Json {
    match random.random_range(0..10) {
        _ if depth == 0 => scalar(random),
        0..2 => object(random, depth),
        2..4 => {
            let count = random.random_range(0..4);
            Json::List((0..count).map(|_| object(random, depth)).collect())
        }
        4 => {
            let count = random.random_range(0..4);
            Json::List((0..count).map(|_| value(random, depth - 1)).collect())
        }
        5 => {
            let count = random.random_range(0..4);
            Json::List((0..count).map(|_| scalar(random)).collect())
        }
        _ => scalar(random),
    }
}

pub fn scalar(random: &mut StdRng) -> Json {
    match random.random_range(0..10) {
        0..5 => Json::text(words::text(random)),
        5..8 => Json::word(words::number(random)),
        _ => Json::word(words::one(random, &["true", "false", "null"])),
    }
}
