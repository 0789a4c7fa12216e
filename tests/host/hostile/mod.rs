//! Guests that do harm, in a host in a separate process, with a neighbour that must not be affected.

mod contained;
mod host;
mod memory;
mod overload;
mod reach;
mod wat;
mod wrong_world;
