//! Helpers for text.

/// Trims in place; allocates only if there is something to trim.
pub(crate) fn trimmed(text: String) -> String {
    let trimmed = text.trim();
    if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
}
