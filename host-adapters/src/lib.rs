//! The parts of the `host-adapters` program that other programs of this repository use too.

pub mod manifest;
