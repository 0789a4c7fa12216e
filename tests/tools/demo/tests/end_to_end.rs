//! The demo as a program, on the real host: its output, its input, its files, and how it ends. `cargo xtask build`
//! makes what it needs. Runs with faults and kills are in `tests/tools/slow/demo_under_faults.rs`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The project's root, where `spin.toml` is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().to_owned()
}

/// The host beside the demo, unless the environment names another.
fn host() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_demo")).with_file_name("host-adapters");
    std::env::var_os("HOST_ADAPTERS_BIN").map_or(beside, PathBuf::from)
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(options).arg("--json").arg("--host").arg(host()).current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs the demo; returns its exit code and the object on stdout, which must contain nothing else.
#[track_caller]
fn demo(options: &[&str]) -> (i32, Value) {
    told(command(options).output().unwrap())
}

#[track_caller]
fn told(output: Output) -> (i32, Value) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} on stdout; {stderr}"));
    (output.status.code().unwrap(), object)
}

/// Checks that every check succeeded: nothing is lost, and nothing unexpected exists.
#[track_caller]
fn assert_green((code, object): &(i32, Value)) {
    assert_eq!((*code, &object["failures"]), (0, &json!({})), "{object:#}");
    for none in ["lost", "unexpected", "stale", "dead_letters"] {
        assert_eq!(object[none], 0, "{none}: {object:#}");
    }
}

#[test]
fn a_run_succeeds_and_prints_the_whole_summary() {
    let told = demo(&["--registrations", "1200", "--seed", "11"]);
    assert_green(&told);
    let object = told.1;
    assert_eq!(object["registrations"], 1_200);
    assert_eq!((&object["disturbed"], &object["redriven"]), (&json!(240), &json!(0)), "no outage uses up attempts");
    let refused: u64 = object["ineligible"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(object["eligible"].as_u64().unwrap() + refused, 1_200);
    for (key, parts) in [("eligibility_ms", ["p50", "p95", "p99"].as_slice()), ("replication_lag_ms", &["p50", "p99"])]
    {
        assert!(parts.iter().all(|part| object[key][*part].as_f64().is_some_and(|ms| ms > 0.0)), "{key}: {object:#}");
    }
    for number in ["eligibility_per_s", "cache_hit_ratio", "wall_s", "instances_started", "replicated"] {
        assert!(object[number].as_f64().is_some_and(|value| value > 0.0), "{number}: {object:#}");
    }
    let phases: Vec<_> = object["phases"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(
        phases,
        [
            "preparation",
            "start of the host",
            "seeding",
            "registrations at their rate",
            "registrations at full speed",
            "replication",
            "disturbances",
            "scoring",
            "replication after the disturbances",
            "selection",
            "checks"
        ]
    );
    let pipeline = &object["data_pipeline"];
    let [due, records, repeats] = ["due", "records", "repeats"].map(|name| pipeline[name].as_u64().unwrap());
    assert!(due > object["replicated"].as_u64().unwrap() && records - repeats == due, "{pipeline:#}");
    assert!(pipeline["entry_to_log_ms"]["p99"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 300_000.0), "{pipeline:#}");
    let selection = &object["selection"];
    let markets = selection["markets"].as_array().unwrap();
    let statuses: Vec<_> = markets.iter().map(|market| market["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED"], "{selection:#}");
    for market in markets.iter().filter(|market| market["status"] == "FINISHED") {
        assert!(market["PROCESSED"].as_u64() >= market["winners"].as_u64() && market["winners"] != 0, "{market:#}");
        assert_eq!(market["FAILED"], 3, "records without a fan: {market:#}");
    }
    assert!(selection["changed"].as_u64().is_some_and(|changed| changed > 20), "{selection:#}");
    assert!(selection["memory_mb"]["before"].as_u64().is_some_and(|memory| memory > 10), "{selection:#}");
}

/// REQ-017.
#[test]
fn an_event_log_that_is_down_does_not_slow_replication() {
    let told = demo(&["--registrations", "1200", "--seed", "12", "--calm", "--event-log-down", "20"]);
    assert_green(&told);
    let ms = |of: &str, part: &str| told.1[of][part].as_f64().unwrap();
    assert!(ms("replication_lag_ms", "p99") < 30_000.0, "{:#}", told.1);
    let longest = told.1["data_pipeline"]["entry_to_log_ms"]["max"].as_f64();
    assert!(longest.is_some_and(|ms| ms > 10_000.0), "it was down: {:#}", told.1);
}

#[test]
fn scenario_1_tells_the_documents_numbers() {
    let output = command(&["--scenario", "1", "--registrations", "2000"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = told(output);
    assert_green(&told);
    assert!(text.contains("FINISHED, PROCESSED: 500, FAILED: 0, TOTAL: 2000"), "{text}");
    let market = &told.1["selection"]["markets"][0];
    assert_eq!((&market["winners"], &market["losers"]), (&json!(500), &json!(1_500)), "{market:#}");
}

#[test]
fn a_host_killed_from_outside_is_restarted_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut demo = command(&["--registrations", "3000", "--seed", "51", "--data-dir", data.to_str().unwrap()]);
    let demo = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It compiles the components first.
    let process_id = (0..6_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::read_to_string(data.join("host.pid")).ok()?.parse().ok()
    });
    // At some time during the three seconds in which the registrations arrive.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let host = rustix::process::Pid::from_raw(process_id.unwrap()).unwrap();
    rustix::process::kill_process(host, rustix::process::Signal::KILL).unwrap();
    let told = told(demo.wait_with_output().unwrap());
    assert_green(&told);
    assert_eq!(told.1["restarts"], 1);
}

#[test]
fn what_one_run_writes_another_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registrations.jsonl");
    let file = file.to_str().unwrap();
    let made = demo(&["--registrations", "300", "--seed", "61", "--output", file]);
    let read = demo(&["--input", file]);
    assert_green(&made);
    assert_green(&read);
    for same in ["registrations", "eligible", "ineligible", "replicated", "campaigns"] {
        assert_eq!(made.1[same], read.1[same], "{same}");
    }
}

#[test]
fn when_it_serves_on_it_ends_with_the_host_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut demo = command(&["--registrations", "100", "--keep", "--data-dir", data]);
    let demo = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = |id: u32| rustix::process::Pid::from_raw(id.try_into().unwrap()).unwrap();
    let process_id = || std::fs::read_to_string(folder.path().join("host.pid")).ok()?.parse().ok();
    let host: u32 = (0..600)
        .find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            process_id()
        })
        .unwrap();
    let demo_id = id(demo.id());
    // The host ends with the demo, whether the demo already serves on or is still at work.
    std::thread::sleep(std::time::Duration::from_secs(3));
    rustix::process::kill_process(demo_id, rustix::process::Signal::TERM).unwrap();
    demo.wait_with_output().unwrap();
    assert!(rustix::process::test_kill_process(id(host)).is_err(), "the host is still there");
}

/// A newcomer copies the calls: a fan registers, and the operator looks at the queues.
#[test]
fn when_it_serves_on_it_says_how_to_call_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut demo = command(&["--registrations", "100", "--keep", "--data-dir", data]);
    let mut demo = demo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    while said.last().is_none_or(|line: &String| !line.contains(" queues --gateway http://")) {
        said.push(lines.next().unwrap());
    }
    for part in [data, "fake of the service entry: http://127.0.0.1:", "worker_token: "] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
    let curl = said.iter().find_map(|line| line.strip_prefix("curl ")).unwrap();
    let between = |from: &str, to: &str| curl.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let (token, event) = (between("Bearer ", "'"), std::fs::read_to_string(between("--data @", " ")).unwrap());
    let address = between(" http://", "/workers/check-eligibility");
    let mut stream = TcpStream::connect(&address).unwrap();
    let request = format!(
        "POST /workers/check-eligibility HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 ") && response.contains(r#""isEligible":true"#), "{response}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&demo), rustix::process::Signal::TERM).unwrap();
    demo.wait().unwrap();
}

#[test]
fn case_13_a_second_sigint_ends_it_and_its_host_at_once() {
    use rustix::process::{Pid, Signal, kill_process, test_kill_process};
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut demo = command(&["--registrations", "100", "--keep", "--data-dir", data]);
    let mut demo = demo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    let serving = said.find(|line| line.contains("serving on: components ")).unwrap();
    let address = serving.split("components http://").nth(1).unwrap().split(',').next().unwrap();
    // Half a request holds up the drain of the host.
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"POST /workers/check-eligibility HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{").unwrap();
    let host = std::fs::read_to_string(folder.path().join("host.pid")).unwrap().parse().unwrap();
    let (host, id) = (Pid::from_raw(host).unwrap(), Pid::from_child(&demo));
    std::thread::sleep(std::time::Duration::from_millis(300));

    kill_process(id, Signal::INT).unwrap();
    assert!(said.any(|line| line.contains("a second SIGINT ends everything at once")));
    let began = std::time::Instant::now();
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?} after the second", began.elapsed());
    assert!(test_kill_process(host).is_err(), "the host is still there");
}
