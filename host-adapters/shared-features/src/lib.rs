//! Only features: those that the SDKs of servers enable in dependencies that the host has without them, too.
//!
//! So a build without SDKs (`cargo demo`) and one of everything (`cargo verify`) share one copy of each dependency, and
//! the second builds only what the first left out. `tests/project/tidy.rs` compares the two.
