//! Commands that need real servers.

mod commands;
mod fifo;
mod foreign_tables;
