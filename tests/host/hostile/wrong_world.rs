//! Files that are not workers, or only claim to be. They are refused before any call, and the previous version serves
//! on.

use super::wat;
use crate::host::sandbox::probe::{self, PROBE, Probe, tight};
use host_adapters_runtime::component::Source;
use host_adapters_runtime::{ComponentSpec, Limits};

/// Modules for [`wat::growing`]: one with a table that grows by 800 KB, one with a memory that grows by 6 MB.
const TABLE: &str = "(table $t 1 funcref) (func (export \"grow\") (result i32)
    (table.grow $t (ref.null func) (i32.const 99999)))";
const MEMORY: &str = "(memory $m 1) (func (export \"grow\") (result i32) (memory.grow $m (i32.const 100)))";

fn spec(text: &str, limits: Limits) -> ComponentSpec {
    ComponentSpec { source: Source::Sent(text.to_owned().into()), ..probe::spec("".as_ref(), limits) }
}

/// The error for a file that may not serve.
async fn refused(text: &str) -> String {
    let probe = Probe::start(tight()).await;
    let (runtime, candidate) = (probe.runtime.clone(), spec(text, tight()));
    let loaded = tokio::task::spawn_blocking(move || runtime.load(&candidate)).await.unwrap();
    assert!(probe.serves().await);
    loaded.unwrap_err().to_string()
}

fn exporting(handle: &str) -> String {
    format!(
        r#"(component
            (core module $m (func (export "f") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            {handle}
            (instance $w (export "handle" (func $f)))
            (export "registration:workers/batch-worker@1.0.0" (instance $w)))"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_a_worker_is_refused() {
    let empty = r#"(component (instance $w) (export "registration:workers/batch-worker@1.0.0" (instance $w)))"#;
    let other = exporting(r#"(func $f (param "batch" u32) (result u32) (canon lift (core func $i "f")))"#);
    let many = |what: &str, count: usize| wat::worker(&format!("({what})").repeat(count), "", "", "");
    let others = [
        ("(module)".to_owned(), "does not compile"),
        (empty.to_owned(), "exports neither"),
        (other, "cannot be instantiated"),
        (wat::growing(MEMORY, 5), "6 Wasm linear memories"),
        (wat::growing(TABLE, 33), "33 tables"),
        (many("global i64 (i64.const 0)", 600_000), "instance"),
        (many("table 200000 funcref", 1), "exceeds the limit of 100000"),
        (wat::crowd(100), "core module instances"),
        (wat::worker("(func $s unreachable) (start $s)", "", "", ""), "cannot be instantiated: wasm trap"),
        (wat::worker("(func $s (loop (br 0))) (start $s)", "", "", ""), "computed for too long"),
    ];
    let others = async {
        for (text, expected) in others {
            is_refused(&text, expected).await;
        }
    };
    // It is refused after the ten seconds that a guest may take to start; the others are meanwhile.
    let late = wat::waits_at_start();
    tokio::join!(is_refused(&late, "does not start within"), others);
}

async fn is_refused(text: &str, expected: &str) {
    let error = refused(text).await;
    assert!(error.starts_with("probe: ") && error.contains(expected), "{expected}: {error}");
}

/// Calls a worker in text format under tight limits; returns what its caller gets.
async fn run(text: &str) -> Result<usize, String> {
    let probe = Probe::start(tight()).await;
    let limits = Limits { max_memory_mb: 16, max_cpu_ms: 10_000, max_instance_reuse_count: 1, ..tight() };
    probe.runtime.load(&spec(text, limits)).unwrap();
    let answer = probe.runtime.batch(PROBE, vec![]).await.result;
    // The next instance does the same: the first has ended and released everything.
    assert_eq!(probe.runtime.batch(PROBE, vec![]).await.result.is_ok(), answer.is_ok());
    answer.map(|dispositions| dispositions.len()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_tables_and_memories_count_together() {
    assert_eq!(run(&wat::worker("", "", "", "")).await, Ok(0), "the worker in text format works");
    // Twenty-nine tables, three memories: each of them is within its own limit.
    for (growing, instances) in [(TABLE, 29), (MEMORY, 3)] {
        assert_eq!(run(&wat::growing(growing, 1)).await, Ok(0));
        let error = run(&wat::growing(growing, instances)).await.unwrap_err();
        assert!(error.contains("out of memory"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recursion_ends_in_a_trap() {
    let error = run(&wat::worker("(func $r (call $r) (call $r))", "(call $r)", "", "")).await.unwrap_err();
    assert!(error.contains("stack exhausted"), "{error}");
}
