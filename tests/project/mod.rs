//! The project itself: its documents, its invariants, its fuzz corpora.

mod contract;
mod fuzz;
mod readme;
mod settings;
mod slow;
mod tidy;
mod wire;
