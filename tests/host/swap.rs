//! Replacing workers of a running host: what is verified and refused, with which reasons, which clients may do it, and
//! that responses name the version that served.

use host_adapters_runtime::identity::marked;
use serde_json::{Value, json};
use std::path::Path;
use tests::components::{component, stamped, stamped_inside};
use tests::{OPERATOR_TOKEN, TESTER_TOKEN, TestHost, WORKER_TOKEN, programs, wait};

/// A component without anything in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

async fn version(host: &TestHost, worker: &str) -> Value {
    let versions = host.serving(OPERATOR_TOKEN).await.unwrap();
    versions.into_iter().find(|version| version["worker"] == worker).unwrap()
}

/// The digest in a response over HTTP.
async fn served_by(host: &TestHost) -> String {
    let request = host.http().post(host.url("/workers/save-entries")).bearer_auth(WORKER_TOKEN);
    let response = request.json(&json!({ "Records": [] })).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["x-component-digest"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_file_serves_at_once_and_answers_name_it() {
    let host = TestHost::start().await;
    let before = version(&host, "save-entries").await;
    assert_eq!(served_by(&host).await, before["digest"]);
    assert!(before["source"].as_str().unwrap().ends_with("target/components/save-entries.wasm"), "{before}");

    let other = stamped(&component("save-entries"), "other");
    let swapped = host.swap(OPERATOR_TOKEN, "saveEntries", other.clone()).await.unwrap();
    assert_eq!((&swapped["worker"], &swapped["changed"]), (&json!("save-entries"), &json!(true)));
    assert_eq!((&swapped["replaced"], &swapped["cached"]), (&before["digest"], &json!(true)), "the code is the same");
    assert!(swapped["ms"].as_f64().unwrap() > 0.0);
    let after = version(&host, "save-entries").await;
    assert_eq!((&after["digest"], &after["source"]), (&swapped["digest"], &json!("the file sent")));
    assert!(after["since"].as_str() > before["since"].as_str());
    assert_eq!(served_by(&host).await, after["digest"]);

    let again = host.swap(OPERATOR_TOKEN, "save-entries", other).await.unwrap();
    assert_eq!((&again["changed"], &again["digest"]), (&json!(false), &after["digest"]));
    assert_eq!(version(&host, "save-entries").await["since"], after["since"], "the same file is not a swap");

    let inside = stamped_inside(&component("save-entries"), &uuid());
    let swapped = host.swap(OPERATOR_TOKEN, "save-entries", inside).await.unwrap();
    assert_eq!(swapped["cached"], false, "the code is another");
    assert_eq!(served_by(&host).await, swapped["digest"]);
}

/// An id that no earlier run has used.
fn uuid() -> String {
    let folder = tempfile::tempdir().unwrap();
    folder.path().file_name().unwrap().to_string_lossy().into_owned()
}

#[tokio::test]
async fn a_file_that_cannot_serve_is_refused_with_the_reason() {
    let host = TestHost::start().await;
    let before = served_by(&host).await;
    let whole = component("save-entries");
    let half = whole[..whole.len() / 2].to_vec();
    for (worker, wasm, kind, reasons) in [
        ("save-entries", b"no component".to_vec(), "Invalid", vec!["save-entries: the file sent does not compile"]),
        ("save-entries", half, "Invalid", vec!["does not compile"]),
        (
            "saveMarkets",
            whole.clone(),
            "NotFound",
            vec!["there is no worker `saveMarkets`", "retry-score", "save-entries"],
        ),
        (
            "check-eligibility",
            marked(whole.clone(), "check-eligibility"),
            "Invalid",
            vec![
                "check-eligibility: imports registration:platform/queue@1.0.0",
                r#"queues = { "<queue>" = "send" } under [component.check-eligibility.tool.host-adapters.grants]"#,
            ],
        ),
        (
            "save-entries",
            marked(component("check-eligibility"), "save-entries"),
            "Invalid",
            vec![
                "does not export registration:workers/batch-worker@1.0.0, which [[component.save-entries.tool.host-adapters.source]] needs",
                "imports registration:platform/documents@1.0.0",
                "identity = true",
                "imports spin:redis/redis@3.0.0",
                r#"allowed_outbound_hosts = ["redis://<host>"] in [component.save-entries]"#,
            ],
        ),
        (
            "upsert-users",
            marked(whole.clone(), "upsert-users"),
            "Invalid",
            vec!["registration:platform/table", "registration:platform/queue"],
        ),
        (
            "save-entries",
            EMPTY.to_vec(),
            "Invalid",
            vec!["does not say which component it is", "host-adapters build save-entries"],
        ),
    ] {
        let refusal = host.swap(OPERATOR_TOKEN, worker, wasm).await.unwrap_err();
        assert_refusal(&refusal, kind, &reasons);
    }
    assert_eq!(served_by(&host).await, before, "the previous version serves on");
}

#[tokio::test]
async fn point_17_swap_refuses_the_file_of_another_component_and_the_one_before_serves_on() {
    let host = TestHost::start().await;
    let before = served_by(&host).await;
    for other in ["retry-score", "upsert-users"] {
        let refusal = host.swap(OPERATOR_TOKEN, "save-entries", component(other)).await.unwrap_err();
        let reason = format!("save-entries: the file sent is the component {other}, not save-entries");
        assert_refusal(&refusal, "Invalid", &[reason.as_str()]);
    }
    assert_eq!(served_by(&host).await, before);
}

/// enqueue-entries may call its gateway. Without any allowed host it has not even the grant of a client.
#[tokio::test]
async fn a_file_that_reaches_farther_than_its_worker_is_refused() {
    let close = |app: &mut host_adapters::manifest::App| {
        app.components.get_mut("enqueue-entries").unwrap().allowed_outbound_hosts = Default::default();
    };
    let host = TestHost::with(close).await;
    for (wasm, reasons) in [
        (
            marked(component("retry-score"), "enqueue-entries"),
            vec![
                "imports registration:platform/service@1.0.0",
                r#"services = ["<service>"] under [component.enqueue-entries.tool.host-adapters.grants]"#,
            ],
        ),
        (
            std::fs::read(programs::guest_as("probe", "enqueue-entries")).unwrap(),
            vec!["imports wasi:http/client@0.3.0"],
        ),
    ] {
        let refusal = host.swap(OPERATOR_TOKEN, "enqueue-entries", wasm).await.unwrap_err();
        assert_refusal(&refusal, "Invalid", &reasons);
    }
}

fn assert_refusal(refusal: &Value, kind: &str, reasons: &[&str]) {
    let message = refusal["message"].as_str().unwrap();
    assert_eq!(refusal["kind"], kind, "{message}");
    for reason in reasons {
        assert!(message.contains(reason), "{reason:?} is not in {message:?}");
    }
}

#[tokio::test]
async fn only_granted_clients_see_and_swap() {
    let host = TestHost::start().await;
    let wasm = component("save-entries");
    let refusal = host.swap(TESTER_TOKEN, "save-entries", wasm.clone()).await.unwrap_err();
    assert_eq!(refusal["kind"], "Denied");
    assert!(refusal["message"].as_str().unwrap().contains(r#"components = "swap""#), "{refusal}");
    let refusal = host.serving(TESTER_TOKEN).await.unwrap_err();
    assert_eq!(refusal["kind"], "Denied");
    assert!(refusal["message"].as_str().unwrap().contains(r#"components = "read""#), "{refusal}");
    let request = host.http().post(host.gateway_url("/operator/swap/save-entries")).body(wasm);
    assert_eq!(host.send(request.bearer_auth("guess")).await.status, 401);
}

#[tokio::test]
async fn the_first_load_is_checked_like_a_swap() {
    let refused = std::panic::AssertUnwindSafe(TestHost::with(|app| {
        app.components.get_mut("save-entries").unwrap().grants.tables.clear();
    }));
    // TestHost unwraps the error of the start.
    let refused = tokio::spawn(async move { drop(refused.0.await) }).await.unwrap_err().into_panic();
    let said = refused.downcast_ref::<String>().unwrap();
    assert!(said.contains("save-entries: imports registration:platform/table@1.0.0"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_is_swapped_and_a_bad_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("save-entries.wasm");
    let whole = component("save-entries");
    std::fs::write(&file, &whole).unwrap();
    let source = file.clone();
    let host = TestHost::with(move |app| app.components.get_mut("save-entries").unwrap().source = source).await;
    let watching = tokio::spawn(host_adapters::components::watch::components(host.running().components.clone()));
    let first = served_by(&host).await;

    write_by_renaming(&file, &stamped(&whole, "watched"));
    let second = changed(&host, &first).await;
    // First half of the file, then all of it: the half is refused, the whole file serves.
    let third = stamped(&whole, "watched again");
    std::fs::write(&file, &third[..100_000]).unwrap();
    refusal_of(&file).await;
    assert_eq!(served_by(&host).await, second);
    std::fs::write(&file, &third).unwrap();
    let third = changed(&host, &second).await;
    // The same bytes again, and a file that is gone: nothing happens.
    let since = version(&host, "save-entries").await["since"].clone();
    std::fs::write(&file, stamped(&whole, "watched again")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    std::fs::remove_file(&file).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let now = version(&host, "save-entries").await;
    assert_eq!((&now["digest"], &now["since"]), (&json!(third), &since));
    watching.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn point_17_a_file_that_becomes_another_components_is_refused_and_the_one_before_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("save-entries.wasm");
    std::fs::write(&file, component("save-entries")).unwrap();
    let source = file.clone();
    let host = TestHost::with(move |app| app.components.get_mut("save-entries").unwrap().source = source).await;
    let watching = tokio::spawn(host_adapters::components::watch::components(host.running().components.clone()));
    let before = served_by(&host).await;
    write_by_renaming(&file, &component("retry-score"));
    let reason = refusal_of(&file).await;
    assert!(reason.contains("is the component retry-score, not save-entries"), "{reason}");
    assert_eq!(served_by(&host).await, before);
    watching.abort();
}

/// As `cp -p` and `mv` do it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_25_a_file_of_the_same_length_and_time_is_swapped_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("save-entries.wasm");
    let whole = component("save-entries");
    std::fs::write(&file, &whole).unwrap();
    let source = file.clone();
    let host = TestHost::with(move |app| app.components.get_mut("save-entries").unwrap().source = source).await;
    let watching = tokio::spawn(host_adapters::components::watch::components(host.running().components.clone()));
    let first = served_by(&host).await;
    // At its first look the watcher takes every file for a changed one. Once this one serves, it knows the file.
    write_by_renaming(&file, &stamped(&whole, "one"));
    let second = changed(&host, &first).await;

    let before = file.metadata().unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, stamped(&whole, "two")).unwrap();
    let opened = std::fs::File::options().append(true).open(&other).unwrap();
    opened.set_modified(before.modified().unwrap()).unwrap();
    std::fs::rename(&other, &file).unwrap();
    let after = file.metadata().unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
    changed(&host, &second).await;
    watching.abort();
}

/// A version that an operator sent serves until the file changes, and a file may serve as several workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_an_operator_sent_stays_until_the_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.wasm");
    // It says that it is both.
    let whole = marked(marked(component("save-entries"), "retry-score"), "save-entries");
    std::fs::write(&file, &whole).unwrap();
    let source = file.clone();
    let host = TestHost::with(move |app| {
        let mut twin = app.components["save-entries"].clone();
        twin.source = source.clone();
        app.components.get_mut("save-entries").unwrap().source = source;
        let retry_score = app.components.get_mut("retry-score").unwrap();
        (retry_score.source, retry_score.grants) = (twin.source, twin.grants);
        retry_score.allowed_outbound_hosts = twin.allowed_outbound_hosts;
    })
    .await;
    // Like a swap right after `up` begins to listen: the files have not been polled yet.
    let sent = host.swap(OPERATOR_TOKEN, "save-entries", stamped(&whole, "sent")).await.unwrap();
    let watching = tokio::spawn(host_adapters::components::watch::components(host.running().components.clone()));
    let unchanged = async |what: &str| {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(served_by(&host).await, sent["digest"], "{what}");
    };
    unchanged("the first look").await;
    let elsewhere = file.with_extension("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    unchanged("the file is gone").await;
    std::fs::rename(&elsewhere, &file).unwrap();
    unchanged("the file is back").await;

    write_by_renaming(&file, &stamped(&whole, "built"));
    let built = changed(&host, sent["digest"].as_str().unwrap()).await;
    for worker in ["save-entries", "retry-score"] {
        wait::eventually(worker, async || (version(&host, worker).await["digest"] == *built).then_some(())).await;
    }
    watching.abort();
}

/// Why the watcher refused a file, as the log says.
async fn refusal_of(file: &Path) -> String {
    let file_name = file.display().to_string();
    let refused = || tests::log::lines("message", "component refused, the previous version serves on");
    let reasons = || refused().into_iter().filter_map(|line| line["error"].as_str().map(str::to_owned));
    wait::eventually("a refusal", async || reasons().find(|reason| reason.contains(&file_name))).await
}

fn write_by_renaming(file: &Path, wasm: &[u8]) {
    let partial = file.with_extension("partial");
    std::fs::write(&partial, wasm).unwrap();
    std::fs::rename(partial, file).unwrap();
}

async fn changed(host: &TestHost, before: &str) -> String {
    wait::eventually("another version", async || Some(served_by(host).await).filter(|now| now != before)).await
}
