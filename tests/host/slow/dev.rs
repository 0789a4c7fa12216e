//! `host-adapters dev` on a copy of the project: an edit is served; an edit that does not compile is reported and
//! changes nothing. Case 13: a second SIGINT ends it at once.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use tests::WORKER_TOKEN;
use tests::project::ProjectCopy;
use toml_edit::DocumentMut;

const WORKER: &str = "save-entries";
const SOURCE: &str = "components/save-entries/src/lib.rs";
const EDITS: usize = 3;

/// The project with one worker, because the dependencies of the others take minutes to build.
fn project() -> ProjectCopy {
    let project = ProjectCopy::new("dev");
    let path = project.folder().join("spin.toml");
    let mut manifest: DocumentMut = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    manifest["component"].as_table_mut().unwrap().retain(|id, _| id == WORKER);
    manifest["component"][WORKER].as_table_mut().unwrap().remove("dependencies");
    let triggers = manifest["trigger"]["http"].as_array_of_tables_mut().unwrap();
    triggers.retain(|trigger| trigger["component"].as_str() == Some(WORKER));
    // The clients' grants name queues of the other workers.
    manifest["application"]["tool"]["host-adapters"].as_table_mut().unwrap().remove("clients");
    std::fs::write(path, manifest.to_string()).unwrap();
    project
}

/// The running command. It is killed if the test ends early.
struct Dev {
    child: Child,
    stdout: BufReader<ChildStdout>,
    project: ProjectCopy,
    http: String,
}

impl Dev {
    fn start(options: &[&str]) -> Self {
        let project = project();
        let programs = tests::programs::native();
        let log = File::create(project.folder().join("log")).unwrap();
        let mut command = project.command(programs.join("host-adapters"));
        command.args(["dev", "--data", "data", "--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"]);
        command.args(options).env("SPIN_VARIABLE_WORKER_TOKEN", WORKER_TOKEN);
        let jwks = project.folder().join("jwks.json");
        std::fs::write(&jwks, r#"{"keys":[]}"#).unwrap();
        command.env("SPIN_VARIABLE_IDENTITY_JWKS", jwks);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut dev = Self { child, stdout, project, http: String::new() };
        let listening: Value = serde_json::from_str(&dev.line("{")).unwrap();
        dev.http = format!("http://{}", listening["http"].as_str().unwrap());
        dev
    }

    /// The next line that begins with this.
    fn line(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it ended: {}", self.log());
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.project.folder().join("log")).unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.project.folder().join(SOURCE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{SOURCE} has no {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Makes the worker handle a record that it rejects; returns the digest of the version that served.
    fn call(&self) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let request = tests::client().post(format!("{}/workers/{WORKER}", self.http)).bearer_auth(WORKER_TOKEN);
            let event = json!({ "Records": [{ "messageId": "m", "body": "{}" }] });
            let response = request.json(&event).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.headers()["x-component-digest"].to_str().unwrap().to_owned()
        })
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_edit_is_served_and_a_compile_error_changes_nothing() {
    let _alone = tests::programs::alone();
    let mut dev = Dev::start(&[]);
    let mut digests = vec![dev.call()];
    let mut said = "Entries replicated".to_owned();
    for edit in 0..EDITS {
        let next = format!("Entries replicated, edit {edit}");
        dev.edit(&format!("{said:?}"), &format!("{next:?}"));
        said = next;
        let line = dev.line("save-entries: built in");
        // The time is printed and not checked, because it depends on the machine.
        eprint!("{line}");
        let digest = dev.call();
        assert!(line.contains(&digest[..12]) && !digests.contains(&digest), "{line}: {digest}, after {digests:?}");
        let log = dev.log();
        let own = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut own = own.filter(|line| line["message"] == said.as_str() && line["digest"] == digest.as_str());
        assert!(own.next().is_some(), "no line of the new code: {log}");
        digests.push(digest);
    }

    dev.edit("worker_kit::batch_worker!(SaveEntries);", "worker_kit::batch_worker!(NoSuchWorker);");
    let line = dev.line("save-entries: does not build");
    assert!(
        line.contains("cargo build --profile guest-dev") && line.contains("the previous version serves on"),
        "{line}"
    );
    assert!(dev.log().contains("NoSuchWorker"), "cargo's own words: {}", dev.log());
    assert_eq!(Some(&dev.call()), digests.last());
    dev.edit("worker_kit::batch_worker!(NoSuchWorker);", "worker_kit::batch_worker!(SaveEntries);");
    let line = dev.line("save-entries: built in");
    assert!(line.contains("serves already"), "the same code again: {line}");

    kill_process(Pid::from_child(&dev.child), Signal::TERM).unwrap();
    assert!(dev.child.wait().unwrap().success(), "{}", dev.log());
}

#[test]
fn case_13_a_second_sigint_ends_dev_at_once() {
    let _alone = tests::programs::alone();
    let mut dev = Dev::start(&["--drain-secs", "60", "--body-timeout-secs", "600"]);
    // A request that does not end holds up the drain.
    let mut open = TcpStream::connect(dev.http.strip_prefix("http://").unwrap()).unwrap();
    let head = format!("POST /workers/{WORKER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{");
    open.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));

    let interrupt = |dev: &Dev| kill_process(Pid::from_child(&dev.child), Signal::INT).unwrap();
    let began = Instant::now();
    interrupt(&dev);
    while !dev.log().contains("a second SIGINT ends it at once") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", dev.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(dev.child.try_wait().unwrap().is_none(), "it drains: {}", dev.log());
    let second = Instant::now();
    interrupt(&dev);
    assert_eq!(dev.child.wait().unwrap().code(), Some(130), "{}", dev.log());
    // The drain would take a minute.
    assert!(second.elapsed() < Duration::from_secs(20), "{:?} after the second: {}", second.elapsed(), dev.log());
}
