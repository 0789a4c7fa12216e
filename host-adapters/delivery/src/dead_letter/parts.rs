//! Dead letters in parts. A stream's record may be larger than a message even if it is compressed. Its dead letter is then
//! several messages, each with the attributes and the envelope of the whole and a piece of the compressed payload.
//!
//! The id that parts share is a hash of the record's identity and of what was divided. So parts that are sent again,
//! after an error or a crash, are repeats of the first ones, and complete them. A part is neither redriven nor dropped
//! without the others.

use super::{DeadLetter, Summary, payload};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Which part of a dead letter a message is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// The same for all parts of a dead letter.
    pub id: String,
    /// From 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {} of {}", self.part, self.parts)
    }
}

/// Groups messages by dead letter. Parts are in their order; one that was sent repeatedly is there repeatedly.
pub fn by_dead_letter<T: AsRef<Summary>>(messages: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let (mut groups, mut places) = (Vec::<Vec<T>>::new(), HashMap::new());
    for message in messages {
        let Summary { queue, part, .. } = message.as_ref();
        let next = groups.len();
        let place = part.as_ref().map_or(next, |part| *places.entry((queue.clone(), part.id.clone())).or_insert(next));
        match groups.get_mut(place) {
            Some(group) => group.push(message),
            None => groups.push(vec![message]),
        }
    }
    groups.iter_mut().for_each(|group| group.sort_by_key(number));
    groups
}

fn number<T: AsRef<Summary>>(message: &T) -> Option<u32> {
    message.as_ref().part.as_ref().map(|part| part.part)
}

/// Whether a group of [`by_dead_letter`] has all parts.
pub fn is_whole<T: AsRef<Summary>>(group: &[T]) -> bool {
    let part = group.first().and_then(|message| message.as_ref().part.as_ref());
    let numbers: BTreeSet<u32> = group.iter().filter_map(number).collect();
    part.is_none_or(|part| numbers.into_iter().eq(1..=part.parts))
}

impl DeadLetter {
    /// The dead letter of a group of [`by_dead_letter`]. If parts are missing, it is the first one that is there.
    pub fn joined(mut group: Vec<Self>) -> Option<Self> {
        let messages = group.iter().map(|part| part.summary.id.clone()).collect();
        let is_in_parts = group.first().is_some_and(|first| first.summary.part.is_some());
        let is_whole = is_in_parts && is_whole(&group);
        group.dedup_by_key(|part| number(part));
        let bodies = group.iter().map(|part| part.body.as_str());
        let body = if is_whole { payload::rejoined(bodies) } else { None };
        let first = group.into_iter().next()?;
        Some(match body {
            Some(body) => Self { summary: Summary { part: None, ..first.summary }, body, messages, ..first },
            None => first,
        })
    }

    /// Checks that this is not a part without the others.
    ///
    /// # Errors
    /// When it is one; the message says which.
    pub fn check_whole(&self) -> Result<(), String> {
        match &self.summary.part {
            None => Ok(()),
            Some(part) => Err(format!(
                "it is {part} of a dead letter, and not all of the others are there: parts are redriven and dropped only \
                 together"
            )),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(id: &str, part: Option<(&str, u32)>, text: &str) -> DeadLetter {
        let part = part.map(|(of, part)| Part { id: of.to_owned(), part, parts: 3 });
        let body = format!(r#"{{"version":"{id}","payloadEncoding":"base64","payload":"{text}"}}"#);
        let told = json!({
            "id": id, "queue": "q", "worker": "w", "source": "kinesis:s", "recordId": "17", "reason": "r",
            "digest": null, "attempts": 4, "firstMs": 9, "lastMs": 10, "part": part, "attributes": [], "body": body,
        });
        serde_json::from_value(told).unwrap()
    }

    fn joined(messages: &[DeadLetter]) -> Vec<DeadLetter> {
        by_dead_letter(messages.to_vec()).into_iter().filter_map(DeadLetter::joined).collect()
    }

    #[test]
    fn parts_are_joined_in_their_order_whatever_is_between_them_and_however_often_they_come() {
        let of = |of, part, id, text| message(id, Some((of, part)), text);
        let whole = [
            of("a", 3, "m1", "dA=="),
            message("m2", None, "eA=="),
            of("a", 1, "m3", "dG"),
            of("b", 1, "m4", "dG"),
            of("a", 1, "m5", "dG"),
            of("a", 2, "m6", "V4"),
        ];
        let found = joined(&whole);
        let text = |dead_letter: &DeadLetter| dead_letter.stream_event().map(|event| event.payload.len());
        let [first, second, third] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((first.summary.id.as_str(), text(first)), ("m3", Ok(4)));
        assert_eq!((first.messages.join(" ").as_str(), &first.summary.part), ("m3 m5 m6 m1", &None));
        assert!(first.body.contains(r#""version":"m3""#), "{}", first.body);
        assert_eq!((second.summary.id.as_str(), text(second)), ("m2", Ok(1)));
        assert!(text(third).unwrap_err().starts_with("it is part 1 of 3 of a dead letter"), "{third:?}");
        assert_eq!((third.summary.id.as_str(), third.messages.len()), ("m4", 0));
    }

    #[test]
    fn a_dead_letter_with_a_missing_part_stays_in_parts() {
        for missing in 1..=3 {
            let there = (1..=3).filter(|part| *part != missing);
            let parts: Vec<_> = there.map(|part| message(&format!("m{part}"), Some(("a", part)), "dG")).collect();
            let found = joined(&parts);
            let [first] = found.as_slice() else { panic!("{found:?}") };
            assert!(first.summary.part.is_some() && first.check_whole().is_err() && !is_whole(&parts), "{first:?}");
            assert!(first.message().is_err() && first.message_event().is_err(), "whatever its attributes say");
        }
    }
}
