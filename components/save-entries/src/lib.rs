//! save-entries
