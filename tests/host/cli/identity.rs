//! A file serves only as the component whose id it has.

use super::up::refused;
use super::{Outcome, run};
use host_adapters_runtime::identity;
use std::path::Path;
use tests::components::component;
use tests::{manifest, programs};
use toml_edit::value;

/// A file that says nothing of which component it is.
const FOREIGN: &[u8] = b"\0asm\x0d\0\x01\0";

/// Runs `build` of save-entries, whose artifact is this file; also returns what was made.
fn build(folder: &Path, artifact: &[u8]) -> (Outcome, Option<Vec<u8>>) {
    std::fs::write(folder.join("artifact.wasm"), artifact).unwrap();
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[component.save-entries]\n\
                    source = \"made.wasm\"\ntool.host-adapters.artifact = \"artifact.wasm\"\n";
    let path = folder.join("spin.toml");
    std::fs::write(&path, manifest).unwrap();
    let outcome = run(&["build", "--manifest", path.to_str().unwrap()]);
    (outcome, std::fs::read(folder.join("made.wasm")).ok())
}

#[test]
fn point_17_every_component_of_the_project_has_its_id() {
    let app = tests::workers::app();
    for id in app.components.keys() {
        let ids = identity::ids(&component(id));
        assert!(ids.len() == 1 && ids.contains(id), "{id}: {ids:?}");
    }
}

/// Cargo's own artifact has it too, without `host-adapters build`.
#[test]
fn point_17_the_kits_macro_writes_the_id() {
    let ids = identity::ids(&std::fs::read(programs::guest("probe")).unwrap());
    assert!(ids.len() == 1 && ids.contains("probe"), "{ids:?}");
}

#[test]
fn point_17_build_refuses_anothers_file_and_gives_a_file_without_an_id_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (refused, made) = build(folder.path(), &component("retry-score"));
    assert_eq!((refused.code, made), (2, None), "{refused:?}");
    assert!(refused.stderr.contains("artifact.wasm is the component retry-score, not save-entries"), "{refused:?}");
    let (built, made) = build(folder.path(), FOREIGN);
    assert_eq!(built.code, 0, "{built:?}");
    assert!(identity::ids(&made.unwrap()).contains("save-entries"));
}

/// An artifact that comes back with its old time is another one all the same.
#[test]
fn case_25_build_takes_an_artifact_of_the_same_length_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = folder.path().join("artifact.wasm");
    let section = |byte: u8| [FOREIGN, &[0, 3, 1, b'n', byte]].concat();
    let (_, first) = build(folder.path(), &section(1));
    let time = artifact.metadata().unwrap().modified().unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, section(2)).unwrap();
    std::fs::File::options().append(true).open(&other).unwrap().set_modified(time).unwrap();
    std::fs::rename(&other, &artifact).unwrap();
    let manifest = folder.path().join("spin.toml");
    assert_eq!(run(&["build", "--manifest", manifest.to_str().unwrap()]).code, 0);
    let second = std::fs::read(folder.path().join("made.wasm")).unwrap();
    assert!(first.unwrap() != second && identity::ids(&second).contains("save-entries"));
}

#[test]
fn point_17_invoke_refuses_another_workers_component() {
    let other = programs::component("retry-score").display().to_string();
    let event = "@components/save-entries/fixtures/sqs.json";
    let outcome = run(&["invoke", "save-entries", event, "--component", &other]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
    let said = "retry-score.wasm is the component retry-score, not save-entries; name the file of save-entries";
    assert!(outcome.stderr.contains(said), "{outcome:?}");
}

#[test]
fn point_17_up_refuses_another_workers_component() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    let other = programs::component("retry-score").display().to_string();
    let text = manifest::changed(|manifest| manifest["component"]["save-entries"]["source"] = value(other.as_str()));
    std::fs::write(&path, text).unwrap();
    let (code, log) = refused(|command, _| {
        command.arg("--manifest").arg(&path);
    });
    let said =
        format!("save-entries: {other} is the component retry-score, not save-entries; name the file of save-entries");
    assert!(code == 2 && log.contains(&said), "{code}: {log}");
}
