//! Commands that need real servers.

mod commands;
