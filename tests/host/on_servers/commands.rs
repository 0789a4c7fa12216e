//! `provision` and `validate --probe` on real servers.

use crate::backends::on_servers::config::{self, SECRET};
use crate::backends::on_servers::servers::{endpoints, unique};
use std::path::Path;
use std::process::{Command, Output};
use tests::programs::native;

fn run(command: &str, config: &Path, options: &[&str]) -> Output {
    Command::new(native().join("host-adapters"))
        .args([command, "--runtime-config", config.to_str().unwrap()])
        .args(options)
        .env(SECRET.0, SECRET.1)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("the host is built with the workspace; run `cargo verify`")
}

/// The report of `--probe` on each section, and the exit code.
fn probe(config: &Path) -> (Vec<String>, i32) {
    let output = run("validate", config, &["--probe"]);
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().skip(1).map(str::to_owned).collect(), output.status.code().unwrap())
}

#[tokio::test]
async fn missing_tables_and_queues_are_reported_and_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = config::write(folder.path(), "runtime-config", endpoints().await, &unique());
    let (lines, code) = probe(&config);
    let [tables, queues, documents, objects, data_streams, cache] = lines.as_slice() else { panic!("{lines:?}") };
    let answers = ["documents", "cache"].map(|it| format!("{it}: answers"));
    assert_eq!(([documents, cache], code), (answers.each_ref(), 1));
    let missing =
        [("tables: ", tables), ("queues: ", queues), ("objects: ", objects), ("data_streams: ", data_streams)];
    for (section, line) in missing {
        assert!(
            line.starts_with(section) && line.ends_with("; `host-adapters provision` makes what is missing"),
            "{line}"
        );
    }
    for _ in 0..2 {
        let output = run("provision", &config, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made = String::from_utf8(output.stdout).unwrap();
        let starts = [
            "tables: all there, at http",
            "queues: all there, at http",
            "documents: all",
            "objects: all",
            "data_streams: all",
            "cache: all",
        ];
        assert!(made.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{made}");
        assert_eq!(made.lines().count(), starts.len(), "{made}");
        let all =
            ["tables", "queues", "documents", "objects", "data_streams", "cache"].map(|it| format!("{it}: answers"));
        assert_eq!(probe(&config), (all.to_vec(), 0));
    }
}
