//! Tests that take long.

mod dev;
mod swap_under_load;
