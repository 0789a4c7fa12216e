//! Tests of starting and stopping a server that needs no installation: `sleep`, for which a thread of the test answers
//! while it runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::server::tests::sleeper;
use crate::state::State;
use crate::{Condition, Install, Server, Servers};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

/// Answers on the sleeper's port while its process runs, until the test is over.
fn answer(servers: &Servers, server: &Server, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let state = State::read(&servers.place(server.name)).unwrap();
        if let Some(state) = state.filter(|state| state.process.is_alive()) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, state.port)).unwrap();
            listener.set_nonblocking(true).unwrap();
            while state.process.is_alive() {
                if let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nonblocking(false).unwrap();
                    let mut request = [0; 6];
                    stream.read_exact(&mut request).unwrap();
                    assert_eq!(request, server.probe.request);
                    stream.write_all(server.probe.answer).unwrap();
                }
                std::thread::sleep(PAUSE);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Stops the server and the thread that answers for it, also if the test fails.
struct End<'a>(&'a Servers, &'a Server, &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.2.store(true, Ordering::Relaxed);
        self.0.stop(&[self.1]).unwrap();
    }
}

#[test]
fn a_server_is_started_once_and_restarted_with_its_data_and_port() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::at(home.path());
    let server = Server { config: Some("port @port@"), ..sleeper() };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = End(&servers, &server, &over);
        assert_eq!(servers.status(&server).unwrap().condition, Condition::Down);
        scope.spawn(|| answer(&servers, &server, &over));

        // Its default port is taken at first and free later: the server keeps the port that it got.
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, server.port));
        let first = servers.start(&[&server], false).unwrap().remove(0);
        drop(taken);
        let place = servers.place(server.name);
        let port = first.endpoint.as_ref().unwrap().strip_prefix("tcp://127.0.0.1:").unwrap().to_owned();
        assert_eq!(std::fs::read_to_string(&place.config).unwrap(), format!("port {port}"));
        assert_eq!(first.condition, Condition::Up);
        std::fs::write(place.data.join("item"), "kept").unwrap();

        let again = servers.start(&[&server], false).unwrap().remove(0);
        assert_eq!(again.pid, first.pid, "it ran already");

        servers.stop(&[&server]).unwrap();
        let stopped = servers.status(&server).unwrap();
        assert_eq!((stopped.condition, stopped.pid, stopped.endpoint), (Condition::Down, None, None));
        servers.stop(&[&server]).unwrap();

        let second = servers.start(&[&server], false).unwrap().remove(0);
        assert_ne!(second.pid, first.pid);
        assert_eq!(second.endpoint, first.endpoint);
        assert!(place.data.join("item").exists());

        let fresh = servers.start(&[&server], true).unwrap().remove(0);
        assert_ne!(fresh.pid, second.pid);
        assert_eq!(fresh.endpoint, first.endpoint);
        assert!(!place.data.join("item").exists());
    });
}

#[test]
fn a_server_whose_description_changes_is_restarted() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::at(home.path());
    let (before, after) =
        (Server { port: 17100, ..sleeper() }, Server { port: 17100, command: &["sleep", "601"], ..sleeper() });
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = End(&servers, &after, &over);
        scope.spawn(|| answer(&servers, &before, &over));
        let first = servers.start(&[&before], false).unwrap().remove(0);
        let second = servers.start(&[&after], false).unwrap().remove(0);
        assert_ne!(second.pid, first.pid);
    });
}

#[test]
fn a_server_that_does_not_start_shows_the_end_of_its_log_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let servers = Servers::at(home.path());
    let install = Install::Debian { program: "sh", package: "dash" };
    let command = &["sh", "-c", "echo port @port@ is no good; exit 3"];
    let server = Server { name: "broken", install, command, port: 17200, ..sleeper() };
    let error = servers.start(&[&server], false).unwrap_err().to_string();
    assert!(error.contains("broken ended while it was starting"), "{error}");
    assert!(error.contains(" is no good"), "{error}");
    assert!(error.contains("`cargo xtask servers start --fresh broken`"), "{error}");
    assert_eq!(servers.status(&server).unwrap().condition, Condition::Down);
}
