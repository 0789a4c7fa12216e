//! Normalises text. Copied text contains invisible characters, and blanks, dashes and widths that a keyboard does not
//! produce.

use host_adapters_event::is_queue_char;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::{BinaryProperty, Dash, DefaultIgnorableCodePoint, EmojiComponent, VariationSelector};

/// Trims blanks and invisible characters in place; allocates only if there is something to trim. Those at the end that
/// belong to the character before them stay: without its variation selector a ❤️ is another.
pub fn trimmed(text: String) -> String {
    let is_part = |c| has::<VariationSelector>(c) || has::<EmojiComponent>(c);
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let trimmed = start.trim_end_matches(|c: char| c.is_whitespace() || is_invisible(c) && !is_part(c));
    if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
}

/// Whether a queue accepts the text as a message, or as an attribute of one. For a text within a message's JSON see
/// [`fits_message`].
pub fn fits_queue(text: &str) -> bool {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
    text.bytes().all(is_plain) || text.chars().all(is_queue_char)
}

/// Whether a message of a queue can hold the text in its JSON. JSON escapes all control characters, but not U+FFFE and
/// U+FFFF, which queues refuse, too.
pub fn fits_message(text: &str) -> bool {
    // Most texts are ASCII, which is seen much faster.
    text.is_ascii() || !text.contains(['\u{fffe}', '\u{ffff}'])
}

/// The visible characters, with a space for each blank and a hyphen for each dash, trimmed.
pub(crate) fn visible(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c)).map(|c| match c {
        c if c.is_whitespace() => ' ',
        c if has::<Dash>(c) => '-',
        c => c,
    });
    visible.collect::<String>().trim().to_owned()
}

/// [`visible`], with other forms of a character folded into it (NFKC): full-width letters and digits, ligatures.
pub(crate) fn folded(text: &str) -> String {
    let text = visible(text);
    if text.is_ascii() {
        return text;
    }
    let folded = ComposingNormalizerBorrowed::new_nfkc().normalize_iter(text.chars()).collect::<String>();
    // Some forms are a blank with a mark on it.
    folded.trim().to_owned()
}

/// Direction marks, joiners, variation selectors, soft hyphens, byte order marks and the like.
fn is_invisible(c: char) -> bool {
    has::<DefaultIgnorableCodePoint>(c)
}

/// Whether a character has a property; of ASCII, only those that the callers look for themselves.
fn has<P: BinaryProperty>(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<P>().contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_queue_takes_all_text_but_control_characters_and_noncharacters() {
        for text in ["", "fan-1 ~", "Zoé\t\r\n", "\u{fffd}", "\u{10000}\u{10ffff}"] {
            assert!(fits_queue(text), "{text:?}");
        }
        for text in ["\u{fffe}", "u\u{ffff}", "a\u{0}", "\u{1b}"] {
            assert!(!fits_queue(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn json_of_what_fits_a_message_fits_a_queue(text in "([\u{0}-\u{20}\u{7f}\u{fffd}-\u{ffff}]|\\PC){0,8}") {
            prop_assert_eq!(fits_message(&text), fits_queue(&serde_json::to_string(&text).unwrap_or_default()));
        }
    }

    #[test]
    fn a_message_holds_control_characters_in_its_json() {
        for text in ["", "Zoé", "a\u{0}b", "\u{1b}", "\u{7f}\u{fffd}"] {
            assert!(fits_message(text), "{text:?}");
        }
        for text in ["\u{fffe}", "u\u{ffff}"] {
            assert!(!fits_message(text), "{text:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_trimmed() {
        for (text, expected) in [
            (" Zoé ", "Zoé"),
            ("\u{feff}\u{202a}Zoé\u{202c}\r\n", "Zoé"),
            ("\u{200b} \u{2060}", ""),
            ("\u{200d}\u{fe0f}", ""),
            // Persian, with a joiner that matters; a heart, and the flag of England, whose ends are invisible.
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("❤\u{fe0f} ", "❤\u{fe0f}"),
            (
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            ),
        ] {
            assert_eq!(trimmed(text.to_owned()), expected, "{text:?}");
        }
    }

    #[test]
    fn blanks_dashes_and_forms_are_folded() {
        assert_eq!(visible("\u{200e}1\u{202f}2\u{a0}3\u{2212}4\u{2011}5\u{ad}6\t7 \n"), "1 2 3-4-56 7");
        assert_eq!(folded("\u{ff11}\u{ff12}\u{ff0d}\u{ff21}\u{3000}\u{fb01}\u{fe0e}"), "12-A fi");
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing(text in "\\PC{0,8}|[\u{80}-\u{ff}\u{2000}-\u{20ff}\u{fe00}-\u{ffef}]{0,8}") {
            prop_assert_eq!(trimmed(trimmed(text.clone())), trimmed(text.clone()));
            prop_assert_eq!(visible(&visible(&text)), visible(&text));
            prop_assert_eq!(folded(&folded(&text)), folded(&text));
        }
    }
}
