//! retry-score
