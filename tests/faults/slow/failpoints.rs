//! The host aborts at every durable step of the whole pipeline, and of a selection, one step in each run, and is restarted
//! on its data. Each time the demo's checks must succeed, and a selection must give the same codes to the same fans.
//!
//! The steps are those of `host_adapters_failpoint`. `FAILPOINT=delete:3` runs that one alone. A run takes most of a minute,
//! since reports to Slack wait until the counts stand still; so `CRASH_AT` says at which steps of each kind the host
//! crashes: at the first one unless it is set, at some (`some`) or at every one (`every`). The first ones of a selection are
//! those of the start of its tasks, so it also crashes at a few side effects of its workers in any case.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use tempfile::TempDir;
use tests::programs::{alone, make_data, native, project};

/// The whole pipeline: thirty registrations (new, repeated and changed entries, transfers, one invitation and two
/// refusals), so slow that all stages work at the same time, a message that is rejected, and scores that fail, so that
/// retry-score has work. Outages would make each run longer by half a minute, and add steps without end.
const PIPELINE: Case = Case {
    options: &[
        "--input",
        "tests/fixtures/registrations/thirty.jsonl",
        "--rate",
        "150",
        "--failed-scores",
        "0.3",
        "--poison",
        "--calm",
    ],
    abort: "--abort-at-step",
    steps: &STEPS,
    fixed: &[],
    test: "nothing_is_lost_at_any_step",
};
/// The selection of 50 winners among 200 fans, some of whom change their entries meanwhile, by two tasks of one market at
/// once, and then of 25 more by a third task.
const SELECTION: Case = Case {
    options: &["--scenario", "1", "--registrations", "200", "--three-tasks"],
    abort: "--abort-in-selection",
    steps: &STEPS_OF_A_SELECTION,
    fixed: &STEPS_OF_ITS_WORKERS,
    test: "the_same_fans_win",
};
/// With `CRASH_AT=some` the host crashes at so many first steps of each kind, and then at one of `SAMPLED`: later ones are
/// the same steps with other fans.
const FIRST: u32 = 4;
const SAMPLED: u32 = 40;
/// Runs at the same time: a run mostly waits.
const SIDE_BY_SIDE: usize = 14;
/// Stops after this many failures.
const ENOUGH: usize = 5;
/// Rejects the one message that cannot be handled, which must become a dead letter.
const REJECTS: &str = "upsert-users";
/// Every kind of step.
const STEPS: [&str; 10] = [
    "before-checkpoint",
    "before-commit",
    "before-delete",
    "checkpoint",
    "commit",
    "dead-letter",
    "delete",
    "receive",
    "response",
    "side-effect",
];

/// The same, without those of records that are given up.
const STEPS_OF_A_SELECTION: [&str; 9] = [
    "before-checkpoint",
    "before-commit",
    "before-delete",
    "checkpoint",
    "commit",
    "delete",
    "receive",
    "response",
    "side-effect",
];

/// Side effects of a task: it takes its market (1), extends that (2), reports that it has begun (3), reserves codes (4),
/// stores the pages of the plan (5), commits it (6), queues all messages (7), and records that (8). If the other task is
/// refused the market meanwhile, that is one more before. Then the first codes are assigned, and verdicts written.
const STEPS_OF_ITS_WORKERS: [(&str, u32); 5] = [
    ("side-effect@enqueue-market-selections", 6),
    ("side-effect@enqueue-market-selections", 7),
    ("side-effect@enqueue-market-selections", 8),
    ("side-effect@save-selections", 1),
    ("side-effect@save-selections", 3),
];

#[test]
fn nothing_is_lost_at_any_step_at_which_the_host_crashes() {
    crash_at_each_step_of(&PIPELINE);
}

#[test]
fn the_same_fans_win_with_the_same_codes_at_any_step_at_which_the_host_crashes() {
    crash_at_each_step_of(&SELECTION);
}

fn crash_at_each_step_of(case: &'static Case) {
    let _alone = alone();
    let stage = Stage::new(case);
    if let Ok(point) = std::env::var("FAILPOINT") {
        let reached = stage.crash(&point).unwrap_or_else(|failure| panic!("{failure}"));
        return eprintln!("failpoint {point}: {}", if reached { "survived" } else { "not reached" });
    }
    let (survived, failures) = stage.crash_at_every_step();
    assert!(failures.is_empty(), "{} failpoints failed:\n{}", failures.len(), failures.join("\n"));
    eprintln!("survived a crash at {} steps: {survived:?}", survived.values().sum::<usize>());
    let expected = case.steps.iter().copied().chain(case.fixed.iter().map(|(step, _)| *step));
    assert_eq!(survived.keys().copied().collect::<BTreeSet<_>>(), expected.collect());
}

/// At which step the host crashes after the one with this number, as `CRASH_AT` says.
fn step_after() -> fn(u32) -> Option<u32> {
    match std::env::var("CRASH_AT").as_deref() {
        Err(_) => |_| None,
        Ok("some") => |number| Some(number + if number < FIRST { 1 } else { SAMPLED }),
        Ok("every") => |number| Some(number + 1),
        Ok(other) => panic!("CRASH_AT is {other:?}, not `some` or `every`"),
    }
}

/// What the host does when it crashes.
struct Case {
    /// The demo's options.
    options: &'static [&'static str],
    /// The option that sets the failpoint.
    abort: &'static str,
    /// The kinds of steps that are reached.
    steps: &'static [&'static str],
    /// Steps at which it crashes in any case, each with its number.
    fixed: &'static [(&'static str, u32)],
    /// The beginning of the test's name.
    test: &'static str,
}

/// Shared by all runs.
struct Stage {
    case: &'static Case,
    folder: TempDir,
    /// Says who won which code in the run without a crash.
    codes: Value,
}

impl Stage {
    /// Writes the manifest, and runs once without a crash.
    fn new(case: &'static Case) -> Self {
        let mut stage = Self { case, folder: tempfile::tempdir().unwrap(), codes: Value::Null };
        std::fs::write(stage.manifest(), impatient_manifest()).unwrap();
        let whole = stage.path("whole");
        make_data(&whole.join("host"));
        let output = stage.demo(&whole, None);
        assert!(output.status.success(), "not even without a crash: {}", String::from_utf8_lossy(&output.stderr));
        stage.codes = codes(&summary(&output));
        stage
    }

    /// Crashes at the fixed steps, and at the steps of each kind, from the first on, until a run ends without reaching its
    /// step. Returns how often each kind of step was survived, and the failures.
    fn crash_at_every_step(&self) -> (BTreeMap<&'static str, usize>, Vec<String>) {
        // The kinds alternate. A kind is done at the first run that does not reach its step.
        let first = self.case.steps.iter().map(|step| (*step, 1));
        let turns: Mutex<VecDeque<_>> = Mutex::new(self.case.fixed.iter().copied().chain(first).collect());
        let after = step_after();
        let is_fixed = |turn: &(&'static str, u32)| self.case.fixed.contains(turn);
        let next = || {
            let mut turns = turns.lock().unwrap();
            let (step, number) = turns.pop_front()?;
            if !is_fixed(&(step, number)) {
                turns.extend(after(number).map(|number| (step, number)));
            }
            Some((step, number))
        };
        let (survived, failures) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
        let work = || {
            while failures.lock().unwrap().len() < ENOUGH
                && let Some((step, number)) = next()
            {
                match self.crash(&format!("{step}:{number}")) {
                    Ok(true) => *survived.lock().unwrap().entry(step).or_insert(0) += 1,
                    Ok(false) if is_fixed(&(step, number)) => {
                        failures.lock().unwrap().push(format!("failpoint {step}:{number} is not reached"));
                    }
                    Ok(false) => turns.lock().unwrap().retain(|(other, _): &(&str, u32)| *other != step),
                    Err(failure) => failures.lock().unwrap().push(failure),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(work);
            }
        });
        (survived.into_inner().unwrap(), failures.into_inner().unwrap())
    }

    /// Runs once; returns whether the host reached the step, and so aborted at it.
    fn crash(&self, point: &str) -> Result<bool, String> {
        let folder = TempDir::with_prefix("failpoint-").unwrap();
        make_data(&folder.path().join("host"));
        let output = self.demo(folder.path(), Some(point));
        let log = std::fs::read_to_string(folder.path().join("host.log")).unwrap_or_default();
        let aborted = log.lines().any(|line| aborts_at(line, point));
        let summary = summary(&output);
        let is_right = output.status.success() && codes(&summary) == self.codes;
        match summary["restarts"].as_u64().filter(|_| is_right) {
            // The step was not reached, or only when the host was told to end after the checks.
            Some(0) => return Ok(false),
            Some(1) if aborted => return Ok(true),
            _ => {}
        }
        let (reached, kept) = (if aborted { "reached" } else { "not reached" }, folder.keep());
        Err(format!(
            "failpoint {point} ({reached}): {} with {} restarts and the codes {}, not {}; its data and log are in {}; \
             again, alone:\n    FAILPOINT={point} cargo test --release --workspace --test all {}\n{}",
            output.status,
            summary["restarts"],
            codes(&summary),
            self.codes,
            kept.display(),
            self.case.test,
            String::from_utf8_lossy(&output.stderr),
        ))
    }

    fn demo(&self, data: &Path, abort_at_step: Option<&str>) -> Output {
        let mut demo = Command::new(native().join("demo"));
        demo.args(self.case.options).arg("--json");
        demo.args(abort_at_step.iter().flat_map(|step| [self.case.abort, step]));
        demo.arg("--manifest").arg(self.manifest()).arg("--data-dir").arg(data);
        demo.env("HOST_ADAPTERS_BIN", native().join("host-adapters")).current_dir(project());
        demo.output().expect("the demo is built with the workspace; run `cargo verify`")
    }

    fn manifest(&self) -> PathBuf {
        self.path("spin.toml")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What says who won which code.
fn codes(summary: &Value) -> Value {
    summary["selection"]["codes_digest"].clone()
}

/// Whether a line of the host's log reports that it aborts there.
fn aborts_at(line: &str, point: &str) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
    let data = &line["data"];
    data["step"].as_str().is_some_and(|step| format!("{step}:{}", data["number"]) == point)
}

/// spin.toml without batch windows and with a visibility timeout of a second, so that messages in flight at a crash
/// come again soon.
fn impatient_manifest() -> String {
    tests::manifest::changed(|manifest| {
        // A machine that stalls for a second uses up a receive without a crash.
        tests::manifest::set_queues(manifest, 1, 1000);
        batches_at_once(manifest);
    })
}

fn batches_at_once(manifest: &mut toml_edit::DocumentMut) {
    for (id, component) in manifest["component"].as_table_like_mut().unwrap().iter_mut() {
        let ours = component.get_mut("tool").and_then(|tool| tool.get_mut("host-adapters"));
        let sources = ours.and_then(|ours| ours.get_mut("source")?.as_array_of_tables_mut());
        for source in sources.into_iter().flat_map(toml_edit::ArrayOfTables::iter_mut) {
            if source.remove("batch_window_secs").is_some() {
                source["batch_size"] = toml_edit::value(10);
            }
            if id == REJECTS {
                source["on_reject"] = toml_edit::value("dead-letter");
            }
        }
    }
}
