//! Guests that do harm, in a host of its own process beside a neighbour that serves: what each may cost.

mod contained;
mod host;
mod memory;
mod overload;
mod reach;
mod wat;
mod wrong_world;
