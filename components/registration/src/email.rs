//! E-mail addresses: trimmed, lower-cased, in the form of RFC 5321, with a domain of at least two labels.

use crate::text;
use email_address::{EmailAddress, Options};

/// Accepts only a bare address at a named domain: no display text (`Jane <jane@…>`), no `[127.0.0.1]`.
const OPTIONS: Options = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };

/// The canonical form of an address; `None` if it is not an address.
pub fn normalise(address: &str) -> Option<String> {
    // The lower case of some folded letters can be folded once more.
    let address = text::folded(&text::folded(address).to_lowercase());
    EmailAddress::parse_with_options(&address, OPTIONS).is_ok().then_some(address)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_trimmed_and_lower_cased() {
        assert_eq!(normalise(" Fan@Example.COM\n").as_deref(), Some("fan@example.com"));
        assert_eq!(normalise("a.b+c@mail.example.co.uk").as_deref(), Some("a.b+c@mail.example.co.uk"));
    }

    #[test]
    fn what_nobody_sees_and_other_widths_are_not_part_of_an_address() {
        for text in [
            "\u{202a}fan@example.com\u{202c}",
            "fan\u{200b}@exam\u{ad}ple.com",
            "ｆａｎ＠ｅｘａｍｐｌｅ．ｃｏｍ\u{feff}",
        ] {
            assert_eq!(normalise(text).as_deref(), Some("fan@example.com"), "{text:?}");
        }
        assert_eq!(normalise("\u{fb01}lip@example.com").as_deref(), Some("filip@example.com"));
        assert_eq!(normalise("fan\u{a0}x@example.com"), None);
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        for text in ["", "fan", "@example.com", "fan@", "fan@localhost", "a b@example.com", "Fan <fan@example.com>"] {
            assert_eq!(normalise(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,12}@?\\PC{0,12}(\\.\\PC{1,4})?") {
            if let Some(once) = normalise(&text) {
                prop_assert_eq!(normalise(&once), Some(once));
            }
        }

        #[test]
        fn plain_addresses_are_accepted(text in "[A-Za-z0-9]{1,16}@[A-Za-z0-9]{1,16}\\.[A-Za-z]{2,8}") {
            prop_assert_eq!(normalise(&text), Some(text.to_lowercase()));
        }
    }
}
