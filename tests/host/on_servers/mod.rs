//! Commands that ask real servers.

mod commands;
