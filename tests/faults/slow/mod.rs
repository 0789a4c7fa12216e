//! Tests that take long.

mod failpoints;
mod scored_file;
