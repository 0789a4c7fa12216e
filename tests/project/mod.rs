//! The project itself: its documents, its invariants, its fuzz corpora.

mod contract;
mod fuzz;
mod interface;
mod readme;
mod settings;
mod sizes;
mod slow;
mod source_kinds;
mod step_functions;
mod tidy;
mod vocabulary;
mod wire;
