//! What text a message may hold, and how text is cut to a length.

/// Whether the text of a message may contain this character ([SQS:
/// SendMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)).
pub fn is_queue_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Whether the text can follow a call, as the value of a header of HTTP and of a message's attribute. A correlation id and
/// a trace come from outside; if they do not fit, the call or message goes without them.
pub fn can_follow(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| is_queue_char(c) && !c.is_ascii_control())
}

/// The beginning of a text, at most this many bytes, cut between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{can_follow, cut};

    #[test]
    fn what_neither_headers_nor_attributes_hold_follows_no_call() {
        assert!(["c-1", "00-4bf9-00f0-01", "Zoé 🎟"].into_iter().all(can_follow));
        for text in ["", "two\nlines", "a\tb", "\u{0}", "\u{7f}", "c\u{fffe}"] {
            assert!(!can_follow(text), "{text:?}");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(["", "é", "é", "éé"], [1, 2, 3, 9].map(|bytes| cut("éé", bytes)));
    }
}
