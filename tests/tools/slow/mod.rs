//! Takes long.

mod demo_under_faults;
