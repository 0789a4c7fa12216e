//! Programs of our own around a library from Maven Central, which tests run, installed once.

use crate::home::Servers;
use crate::install::{empty, from_maven};
use crate::require;
use crate::server::Launcher;
use anyhow::Result;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

/// A program of our own.
#[derive(Debug)]
pub struct JavaTool {
    /// The name of its folder.
    pub name: &'static str,
    /// The library, `group:artifact:version`.
    pub artifact: &'static str,
    /// Its main class.
    pub launcher: Launcher,
}

/// Compares patterns and events as EventBridge, SNS and Lambda do.
pub const EVENT_RULER: JavaTool = JavaTool {
    name: "event-ruler",
    artifact: "software.amazon.event.ruler:event-ruler:2.1.0",
    launcher: Launcher { class: "EventRuler", source: include_str!("../files/EventRuler.java") },
};

impl Servers {
    /// The command that runs a tool, which is installed if it is not there.
    ///
    /// # Errors
    /// When Java or Maven is missing, or the download fails; says what to do.
    pub fn java_tool(&self, tool: &JavaTool) -> Result<Command> {
        let _lock = self.lock()?;
        let program = self.place(tool.name).program;
        let (noted, recipe) = (program.join("recipe"), recipe(tool));
        if std::fs::read_to_string(&noted).ok().as_ref() != Some(&recipe) {
            require::java(tool.name)?;
            empty(&program)?;
            from_maven(tool.name, self, &program, &[tool.artifact], Some(&tool.launcher))?;
            std::fs::write(noted, recipe)?;
        }
        let mut command = Command::new("java");
        let classes = format!("{0}/classes:{0}/jars/*", program.display());
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-cp", &classes, tool.launcher.class]);
        Ok(command)
    }
}

/// Changes with everything in the description.
fn recipe(tool: &JavaTool) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{tool:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
