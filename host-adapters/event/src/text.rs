//! What text a message may hold, and how text is cut to a length.

/// Whether the text of a message may contain this character ([SQS:
/// SendMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)).
pub fn is_queue_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The beginning of a text, at most this many bytes, cut between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(["", "é", "é", "éé"], [1, 2, 3, 9].map(|bytes| cut("éé", bytes)));
    }
}
