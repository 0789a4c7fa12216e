//! Takes long.

mod failpoints;
