//! Tests that take long.

mod demo_under_faults;
