//! The whole host on Step Functions, in a separate process that is killed.

use crate::backends::on_servers::step_functions::machine::{Machine, WORKER, endpoint};
use serde_json::json;
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempDir;
use tests::wait::eventually;
use tests::{Child, programs};
use tokio::process::Command;

/// The environment variable that the configuration names for AWS's secret.
pub const SECRET: (&str, &str) = ("SECRET", "LocalStack does not check it");

/// The runtime configuration of a host whose tasks are the state machine's.
pub async fn runtime_config(machine: &Machine) -> String {
    let (endpoint, prefix) = (endpoint().await, &machine.prefix);
    format!(
        "[tasks]\ntype = \"step-functions\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\nprefix = \"{prefix}\"\n\
         worker_name = \"a-host\"\n\
         credentials = {{ access_key_id = \"test\", secret_access_key = {{ env = \"{}\" }} }}\n",
        SECRET.0
    )
}

/// The folder of a host with the worker `errand`.
struct Folder(TempDir);

impl Folder {
    async fn new(machine: &Machine) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        // With one slot no poll is in progress while it is taken: LocalStack would hand the next attempt over to one
        // that was cut.
        let manifest =
            include_str!("../../../host/tasks/spin.toml").replace("max_concurrency = 6", "max_concurrency = 1");
        std::fs::write(folder.file("spin.toml"), manifest).unwrap();
        std::os::unix::fs::symlink(programs::guest(WORKER), folder.file("errand.wasm")).unwrap();
        let compiled = programs::scratch().join("compiled-errand");
        std::fs::create_dir_all(&compiled).unwrap();
        std::fs::create_dir(folder.file("data")).unwrap();
        std::os::unix::fs::symlink(compiled, folder.file("data/compiled")).unwrap();
        std::fs::write(folder.file("runtime-config.toml"), runtime_config(machine).await).unwrap();
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.file("stderr")).unwrap()
    }

    async fn up(&self) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" --runtime-config \"$CONFIG\""]).arg(programs::host_adapters());
        command.env("CONFIG", self.file("runtime-config.toml")).env(SECRET.0, SECRET.1).env("LOG_LEVEL", "INFO");
        let log = File::options().create(true).append(true).open(self.file("stderr")).unwrap();
        Child::run(&mut command, &self.file("spin.toml"), &self.file("data"), log.into()).await
    }

    /// The output of a command of the host, and whether it succeeded.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(programs::host_adapters());
        command.args(arguments).arg("--manifest").arg(self.file("spin.toml")).env(SECRET.0, SECRET.1);
        command.arg("--runtime-config").arg(self.file("runtime-config.toml"));
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_4__a_killed_host_makes_the_next_attempt_when_it_is_up_again() {
    let machine = Machine::start().await;
    let folder = Folder::new(&machine).await;
    let first = folder.up().await;
    let order = json!({"marketId": "a", "do": "wait", "times": 1, "ms": 50_000});
    let execution = machine.select(json!([order, {"marketId": "b", "do": "give", "message": "never"}])).await;
    let task_id = format!("{execution}/0");
    eventually("the worker is called", async || folder.log().contains(&task_id).then_some(())).await;
    drop(first);
    let _second = folder.up().await;
    let outcomes = machine.outcomes(&execution).await;
    assert_eq!(outcomes[0]["output"]["taskId"], task_id, "{outcomes:?}");
    assert_eq!(
        (&outcomes[0]["output"]["attempt"], &outcomes[0]["output"]["correlationId"]),
        (&json!(2), &json!(task_id))
    );
    assert_eq!(outcomes[1]["error"], json!({"Error": "Registration.Failed", "Cause": "WorkerRefused: never"}));
    assert_eq!(machine.errors(&execution).await.iter().filter(|error| *error == "States.Timeout").count(), 1);
    assert!(machine.hosts(&execution).await.iter().all(|host| host == "a-host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_activities_and_names_those_that_are_missing() {
    let machine = Machine::start().await;
    let folder = Folder::new(&machine).await;
    let other = std::fs::read_to_string(folder.file("runtime-config.toml")).unwrap();
    let missing = format!("{}x-", machine.prefix);
    let other = other.replace(&machine.prefix, &missing);
    std::fs::write(folder.file("runtime-config.toml"), other).unwrap();
    let (is_good, said) = folder.run(&["validate", "--probe"]).await;
    assert!(!is_good && said.contains(&format!("there is no activity {missing}{WORKER}")), "{said}");
    for arguments in [["provision"].as_slice(), &["provision"], &["validate", "--probe"]] {
        let (is_good, said) = folder.run(arguments).await;
        assert!(is_good, "{arguments:?}: {said}");
    }
}
