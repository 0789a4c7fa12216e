//! Texts that are compared without regard to case.

/// A text of a policy, each of its characters with the ways in which it may be written.
#[derive(Clone, Debug)]
pub struct Folded {
    letters: Vec<Vec<String>>,
}

impl Folded {
    /// A character is written as it is, in lower case or in upper case, each by itself as in the ruler: `ß` is also
    /// `SS`, but `SS` is not `ß`.
    pub fn of(text: &str) -> Self {
        let ways = |letter: char| {
            let mut ways = vec![letter.to_string()];
            for way in [letter.to_lowercase().to_string(), letter.to_uppercase().to_string()] {
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
            ways
        };
        Self { letters: text.chars().map(ways).collect() }
    }

    pub fn equals(&self, text: &str) -> bool {
        self.rest(text) == Some("")
    }

    pub fn begins(&self, text: &str) -> bool {
        self.rest(text).is_some()
    }

    pub fn ends(&self, text: &str) -> bool {
        let last = |rest: &str, ways: &Vec<String>| ways.iter().find_map(|way| rest.strip_suffix(way).map(str::len));
        let mut rest = text;
        self.letters.iter().rev().all(|ways| match last(rest, ways).and_then(|length| rest.get(..length)) {
            Some(before) => {
                rest = before;
                true
            }
            None => false,
        })
    }

    /// What follows in a text that begins so. No way to write a character begins with another (tested below), so the
    /// first that fits is the only one.
    fn rest<'a>(&self, text: &'a str) -> Option<&'a str> {
        let next = |rest: &'a str, ways: &Vec<String>| ways.iter().find_map(|way| rest.strip_prefix(way.as_str()));
        self.letters.iter().try_fold(text, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        for (policy, text, expected) in [
            ("Alarm", "aLARM", true),
            ("Alarm", "alarms", false),
            ("straße", "STRASSE", true),
            ("STRASSE", "straße", false),
            ("ÄΩ", "äω", true),
            ("Ⱥ", "ⱥ", true),
            ("\u{10400}", "\u{10428}", true),
            ("ǅ", "ǅ", true),
            ("ǅ", "ǆ", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Folded::of(policy).equals(text), expected, "{policy} {text}");
        }
        assert!(Folded::of("ec2").begins("EC2 state") && Folded::of("State").ends("EC2 STATE"));
        assert!(!Folded::of("state").begins("EC2 state") && !Folded::of("ec2").ends("EC2 state"));
    }

    /// Otherwise the first way that fits would not be the only one.
    #[test]
    fn no_way_to_write_a_character_begins_or_ends_with_another() {
        for letter in '\0'..=char::MAX {
            for ways in Folded::of(&letter.to_string()).letters {
                for (i, a) in ways.iter().enumerate() {
                    for (j, b) in ways.iter().enumerate() {
                        assert!(i == j || !a.starts_with(b) && !a.ends_with(b), "{letter}: {a} {b}");
                    }
                }
            }
        }
    }
}
