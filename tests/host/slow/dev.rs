//! `host-adapters dev` on a copy of the project: an edit is served; an edit that does not compile is reported and
//! changes nothing.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tests::WORKER_TOKEN;
use toml_edit::DocumentMut;

const WORKER: &str = "save-entries";
const SOURCE: &str = "components/save-entries/src/lib.rs";
const EDITS: usize = 3;

/// The project with one worker, because the dependencies of the others take minutes to build.
fn project() -> PathBuf {
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-project");
    tests::project::copy(&project);
    let path = project.join("spin.toml");
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
    project: PathBuf,
    http: String,
}

impl Dev {
    fn start() -> Self {
        let project = project();
        let programs = tests::programs::native();
        let log = File::create(project.join("log")).unwrap();
        let mut command = Command::new(programs.join("host-adapters"));
        command.args(["dev", "--data", "data", "--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"]);
        // A target folder of its own: in the project's, Cargo would confuse what it builds of the copy with what it
        // builds of the project.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev-target");
        command.current_dir(&project).env("CARGO_TARGET_DIR", target);
        command.env("CARGO_NET_OFFLINE", "true").env("SPIN_VARIABLE_WORKER_TOKEN", WORKER_TOKEN);
        let jwks = project.join("jwks.json");
        std::fs::write(&jwks, r#"{"keys":[]}"#).unwrap();
        command.env("SPIN_VARIABLE_IDENTITY_JWKS", jwks);
        // With the lints of `cargo verify`, all dependencies of the worker would be built a second time.
        for name in ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "LOG_LEVEL", "CONFIG_ENV"] {
            command.env_remove(name);
        }
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
        std::fs::read_to_string(self.project.join("log")).unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.project.join(SOURCE);
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
    let mut dev = Dev::start();
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
