//! What fails around a host, and the host itself: nothing is lost.

mod on_servers;
mod slow;
