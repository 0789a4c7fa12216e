//! enqueue-entries
