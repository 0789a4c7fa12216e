//! The tests that take long: the demo itself, whole, against the real host; every failpoint; a thousand swaps under
//! load; `dev` with a compiler. One after the other, since each wants the machine for itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod faults {
    mod failpoints;
}
mod host {
    mod dev;
    mod swap_under_load;
}
mod tools {
    mod demo_under_faults;
}
