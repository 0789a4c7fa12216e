//! Chooses a server's port.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// How many ports from a server's default on are tried: this many sets of servers may run on one machine.
const TRIED: u16 = 50;
/// How long to wait for a port that was just released.
const PATIENCE: Duration = Duration::from_secs(5);

/// The port that the server had before, so that its endpoint stays; else its default port; else the next free one.
pub fn choose(name: &str, before: Option<u16>, own: u16) -> Result<u16> {
    if let Some(port) = before {
        if free_within(port, PATIENCE) {
            return Ok(port);
        }
        eprintln!("{name}: its previous port {port} is taken by another process");
    }
    let mut candidates = own..own.saturating_add(TRIED);
    let free = candidates.find(|port| is_free(*port));
    free.with_context(|| {
        format!("all ports from {own} to {} are taken: end the processes that use them", own.saturating_add(TRIED))
    })
}

fn free_within(port: u16, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while !is_free(port) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_skipped_and_the_previous_one_is_kept() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let next = choose("redis", None, port).unwrap();
        assert!(next > port);
        assert_eq!(choose("redis", Some(next), port).unwrap(), next);
    }

    #[test]
    fn default_ports_do_not_overlap_and_are_below_those_of_outgoing_connections() {
        for server in crate::ALL {
            assert!(server.port + TRIED < 32768, "{}", server.name);
            let near = crate::ALL.iter().filter(|other| server.port.abs_diff(other.port) < TRIED);
            assert_eq!(near.count(), 1, "the ports of {} run into those of another", server.name);
        }
    }
}
