//! Tests of `build` and `profile`: how a component is made.

use super::app;
use super::project::project;
use crate::Profile;
use std::path::{Path, PathBuf};

#[test]
fn a_profile_has_its_own_source_and_commands() {
    let app = app("[component.a]\nsource = \"a.wasm\"\n[component.a.build]\ncommand = [\"one\", \"two\"]\n\
         workdir = \"w\"\nwatch = [\"src/**/*.rs\", \"Cargo.toml\"]\n\
         [component.a.profile.dev]\nsource = \"dev.wasm\"\nbuild.command = \"quick\"\n\
         [component.a.profile.other]\nenvironment = { A = \"b\" }\n");
    let component = &app.components["a"];
    let build = component.build.as_ref().unwrap();
    assert_eq!((build.commands.join(" "), build.watch.join(" ")), ("one two".into(), "src/**/*.rs Cargo.toml".into()));
    let folder = app.path.parent().unwrap();
    let dev =
        Profile { source: Some(folder.join("dev.wasm")), commands: vec!["quick".to_owned()], ..Profile::default() };
    assert_eq!(component.profiles["dev"], dev);
    let environment = [("A".to_owned(), "b".to_owned())].into();
    assert_eq!(component.profiles["other"], Profile { environment, ..Profile::default() });
}

#[test]
fn parts_of_a_build_that_the_manifest_leaves_out_follow_from_the_id() {
    let app = project();
    for component in app.components.values().filter(|component| app.is_called(component)) {
        let id = &component.id;
        let build = component.build.as_ref().unwrap();
        assert!(build.commands[0].contains("--profile guest ") && build.commands[0].ends_with(id), "{id}: {build:?}");
        let made = Path::new("target/wasm32-wasip2/guest").join(id.replace('-', "_")).with_extension("wasm");
        assert_eq!(component.artifact.as_ref(), Some(&made), "{id}");
        let dev = &component.profiles["dev"];
        let made: PathBuf =
            Path::new("target/wasm32-wasip2/guest-dev").join(id.replace('-', "_")).with_extension("wasm");
        assert!(dev.source.as_ref().is_some_and(|source| source.ends_with(&made)), "{id}: {dev:?}");
        assert!(dev.commands[0].contains("--profile guest-dev") && dev.commands[0].ends_with(id), "{id}: {dev:?}");
    }
}

#[test]
fn parts_of_a_build_in_the_manifest_have_precedence() {
    let app = app("[component.a-b]\nsource = \"target/components/a-b.wasm\"\n\
         [component.a-b.profile.dev]\nbuild.command = \"quick\"\n\
         [component.a-b.tool.host-adapters]\nartifact = \"other.wasm\"\n\
         [component.made]\nsource = \"target/components/made.wasm\"\nbuild.command = \"make\"\n\
         [component.bought]\nsource = \"bought.wasm\"\n");
    let folder = app.path.parent().unwrap();
    let of = |id: &str| &app.components[id];
    assert_eq!(of("a-b").profiles["dev"], Profile { commands: vec!["quick".to_owned()], ..Profile::default() });
    assert_eq!(of("a-b").artifact, Some(folder.join("other.wasm")));
    assert_eq!((&of("made").build.as_ref().unwrap().commands, &of("made").artifact), (&vec!["make".to_owned()], &None));
    assert!(of("made").profiles.is_empty());
    assert_eq!((&of("bought").build, &of("bought").artifact), (&None, &None));
}
