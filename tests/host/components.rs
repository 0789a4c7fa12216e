//! Components that are not ours: what they see of a request (case 26), and those of WASI 0.2 (case 27).

use super::cli;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use tests::{Child, programs};

const MANIFEST: &str = r#"spin_manifest_version = 2

[application]
name = "other-components"

[[trigger.http]]
route = "/static/..."
component = "echo"

[[trigger.http]]
route = "/users/:id/edit"
component = "echo"

[[trigger.http]]
route = "/exact"
component = "echo"

[[trigger.http]]
route = "/hello/..."
component = "hello"

[component.echo]
source = "echo.wasm"

[component.hello]
source = "hello.wasm"
"#;

/// A folder with the manifest and its components.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("spin.toml"), MANIFEST).unwrap();
    let hello = programs::project().join("tests/fixtures/cases/27-wasi02.wasm");
    for (name, from) in [("echo.wasm", programs::guest("echo")), ("hello.wasm", hello)] {
        std::fs::copy(from, file(name)).unwrap();
    }
    folder
}

async fn serve(folder: &Path) -> Child {
    let none = BTreeMap::new();
    Child::of(&folder.join("spin.toml"), &folder.join("data"), &none, &none, Stdio::inherit()).await
}

/// Sends a request with these lines after its first; returns the client's address and the whole response.
fn request(url: &str, target: &str, headers: &str) -> (SocketAddr, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    (stream.local_addr().unwrap(), response)
}

/// What the component saw under a name, each occurrence.
fn seen<'r>(response: &'r str, name: &str) -> Vec<&'r str> {
    let lines = response.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(seen, _)| *seen == name).map(|(_, value)| value).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_components_see_what_spin_shows_them() {
    let folder = folder();
    let host = serve(folder.path()).await;
    let forged = "Host: fans.example:81\r\nspin-path-info: /forged\r\nspin-full-url: http://forged.example/\r\n\
                  spin-client-addr: 10.0.0.1:1\r\nSpin-Path-Match-Id: forged\r\nspin-component-route: /forged\r\n\
                  spin-raw-component-route: /forged\r\nspin-matched-route: /forged\r\nspin-base-path: /forged\r\n\
                  x-own: kept\r\n";
    for (target, path_info, matched, route, id) in [
        ("/static", "", "/static/...", "/static", None),
        ("/static/", "/", "/static/...", "/static", None),
        ("/static/a/b.txt?c=d", "/a/b.txt", "/static/...", "/static", None),
        ("/static/a/", "/a/", "/static/...", "/static", None),
        ("/users/42/edit", "", "/users/:id/edit", "/users/:id/edit", Some("42")),
        ("/exact?x", "", "/exact", "/exact", None),
    ] {
        let (client, response) = request(&host.http, target, forged);
        assert!(response.starts_with("HTTP/1.1 200 "), "{target}: {response}");
        let full_url = format!("http://fans.example:81{target}");
        let client = client.to_string();
        for (name, value) in [
            ("spin-path-info", path_info),
            ("spin-full-url", &full_url),
            ("spin-matched-route", matched),
            ("spin-component-route", route),
            ("spin-raw-component-route", matched),
            ("spin-base-path", "/"),
            ("spin-client-addr", &client),
            ("raw path", &format!("Some({target:?})")),
            ("raw authority", "Some(\"fans.example:81\")"),
            ("raw scheme", "Some(Scheme::Http)"),
            ("uri", &full_url),
            ("x-own", "kept"),
        ] {
            assert_eq!(seen(&response, name), [value], "{target}: {name} in {response}");
        }
        assert_eq!(seen(&response, "spin-path-match-id"), Vec::from_iter(id), "{target}: {response}");
        assert!(!response.contains("forged") && seen(&response, "connection").len() == 1, "{response}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_a_request_without_one_authority_is_refused() {
    let folder = folder();
    let host = serve(folder.path()).await;
    for headers in ["", "Host: a b\r\n", "Host: a.example\r\nHost: b.example\r\n"] {
        let (_, response) = request(&host.http, "/exact", headers);
        assert!(response.starts_with("HTTP/1.1 400 "), "{headers}: {response}");
    }
    let (_, response) = request(&host.http, "http://a.example/exact", "Host: b.example\r\n");
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    let (_, response) = request(&host.http, "http://a.example/exact", "Host: a.example\r\n");
    assert_eq!(seen(&response, "spin-full-url"), ["http://a.example/exact"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_27_a_component_of_wasi_0_2_is_served() {
    let folder = folder();
    let valid = cli::run(&["validate", "--manifest", folder.path().join("spin.toml").to_str().unwrap()]);
    assert_eq!((valid.code, valid.stderr.as_str()), (0, ""));
    let host = serve(folder.path()).await;
    let client = tests::client();
    let calls = (0..20).map(|_| {
        let request = client.get(format!("{}/hello/there", host.http));
        tokio::spawn(async move { request.send().await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        let response = call.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.text().await.unwrap().to_lowercase().contains("hello"));
    }
}

#[test]
fn case_27_validate_opens_every_component() {
    let folder = folder();
    let manifest = folder.path().join("spin.toml");
    let validate = || cli::run(&["validate", "--manifest", manifest.to_str().unwrap()]);
    let needs = r#"(component (import "other:host/thing@1.0.0" (instance (export "f" (func)))))"#;
    std::fs::write(folder.path().join("hello.wasm"), needs).unwrap();
    std::fs::write(folder.path().join("echo.wasm"), "not a component").unwrap();
    let refused = validate();
    assert_eq!(
        (refused.code, refused.stderr.lines().filter(|line| line.contains("wasm")).count()),
        (2, 1),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("hello: does not link") && refused.stderr.contains("other:host/thing@1.0.0"));
    assert!(refused.stderr.contains("echo: ") && refused.stderr.contains("does not compile"), "{refused:?}");

    let missing = self::folder();
    std::fs::remove_file(missing.path().join("hello.wasm")).unwrap();
    let outcome = cli::run(&["validate", "--manifest", missing.path().join("spin.toml").to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("hello: ") && outcome.stdout.contains("is not there"), "{outcome:?}");
}
