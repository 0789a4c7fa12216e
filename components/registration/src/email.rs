//! E-mail addresses: trimmed, lower-cased, in the form of RFC 5321, with a domain of at least two labels.

use email_address::{EmailAddress, Options};

/// Accepts only a bare address at a named domain: no display text (`Jane <jane@…>`), no `[127.0.0.1]`.
const OPTIONS: Options = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };

/// The canonical form of an address; `None` if it is not an address.
pub fn normalise(address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
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
