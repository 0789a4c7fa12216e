//! Texts with `*`, which matches any characters or none.

/// A text of a policy.
#[derive(Clone, Debug)]
pub struct Wildcard {
    /// What stands before, between and after the wildcards.
    parts: Vec<String>,
}

impl Wildcard {
    /// Reads `\*` as an asterisk and `\\` as a backslash.
    ///
    /// # Errors
    /// The fault of the text, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut part) = (Vec::new(), String::new());
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '*' if chars.peek() == Some(&'*') => {
                    return Err(format!("`{text}` has two wildcards in a row; one stands for any characters"));
                }
                '*' => parts.push(std::mem::take(&mut part)),
                '\\' => match chars.next_if(|next| matches!(next, '*' | '\\')) {
                    Some(escaped) => part.push(escaped),
                    None => return Err(format!("`{text}` has a backslash before neither `*` nor `\\`")),
                },
                _ => part.push(char),
            }
        }
        parts.push(part);
        Ok(Self { parts })
    }

    /// How many wildcards it has.
    pub fn count(&self) -> usize {
        self.parts.len().saturating_sub(1)
    }

    /// Takes time in proportion to the text's length times the policy's, whatever they are: each part is taken where it
    /// is found first, and never looked for again.
    pub fn matches(&self, text: &str) -> bool {
        match self.parts.as_slice() {
            [] => false,
            [whole] => text == whole,
            [first, between @ .., last] => {
                let rest = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
                let behind = |rest: &'_ str, part: &String| rest.find(part.as_str()).map(|at| at + part.len());
                rest.is_some_and(|mut rest| {
                    between.iter().all(|part| match behind(rest, part).and_then(|end| rest.get(end..)) {
                        Some(after) => {
                            rest = after;
                            true
                        }
                        None => false,
                    })
                })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by trying everything.
    fn by_trying(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skipped| by_trying(rest, &text[skipped..])),
            [first, rest @ ..] => text.first() == Some(first) && by_trying(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn finds_what_trying_everything_finds(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assume!(!pattern.contains("**"));
            let (chars, text_chars) = (pattern.chars().collect::<Vec<_>>(), text.chars().collect::<Vec<_>>());
            prop_assert_eq!(Wildcard::parse(&pattern).unwrap().matches(&text), by_trying(&chars, &text_chars));
        }
    }

    #[test]
    fn escapes_are_read() {
        assert!(Wildcard::parse(r"a\*b\\*").unwrap().matches(r"a*b\c"));
        assert!(!Wildcard::parse(r"a\*b").unwrap().matches("axb"));
        for text in ["a**", r"\a", r"a\"] {
            assert!(Wildcard::parse(text).is_err(), "{text}");
        }
        assert!(Wildcard::parse(r"\**").is_ok(), "an asterisk, then a wildcard");
    }

    #[test]
    fn many_wildcards_in_a_long_text_take_no_time() {
        let pattern = Wildcard::parse(&"*a".repeat(1000)).unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(100_000))));
    }
}
