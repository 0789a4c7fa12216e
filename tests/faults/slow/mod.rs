//! Tests that take long.

mod failpoints;
