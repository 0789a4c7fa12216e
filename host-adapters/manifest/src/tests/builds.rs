//! `build` and `profile`: how a component is made.

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
    let dev = Profile { source: Some(folder.join("dev.wasm")), commands: vec!["quick".to_owned()] };
    assert_eq!(component.profiles["dev"], dev);
    assert_eq!(component.profiles["other"], Profile::default());
}

#[test]
fn every_worker_of_the_project_is_watched_and_has_the_profile_dev() {
    let app = project();
    for component in app.components.values().filter(|component| app.is_called(component)) {
        let id = &component.id;
        let build = component.build.as_ref().unwrap();
        assert!(build.watch.iter().any(|it| it.starts_with(&format!("components/{id}/"))), "{id}: {:?}", build.watch);
        let dev = &component.profiles["dev"];
        let made: PathBuf =
            Path::new("target/wasm32-wasip2/guest-dev").join(id.replace('-', "_")).with_extension("wasm");
        assert!(dev.source.as_ref().is_some_and(|source| source.ends_with(&made)), "{id}: {dev:?}");
        assert!(dev.commands[0].contains("--profile guest-dev") && dev.commands[0].ends_with(id), "{id}: {dev:?}");
    }
}
