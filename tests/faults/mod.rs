//! Faults of servers and connections, and of the host itself: nothing may be lost.

mod on_servers;
mod slow;
