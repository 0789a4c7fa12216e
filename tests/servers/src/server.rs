//! What is known of a server: how it is installed, started and asked whether it is there.

use crate::Probe;
use serde::Serialize;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One entry of the table. Texts may hold placeholders, see `template.rs`.
#[derive(Debug)]
pub struct Server {
    /// Its name on the command line and its folder's.
    pub name: &'static str,
    /// What it stands for.
    pub serves: &'static str,
    /// How much a passing test says about the real thing.
    pub kind: Kind,
    /// Where its programs come from.
    pub install: Install,
    /// The port it gets unless that is taken: not the usual one, and below the range from which the system takes the
    /// ports of outgoing connections. (A client that keeps connecting to a stopped server's port in that range would
    /// one day be given that very port, and be connected to itself.)
    pub port: u16,
    /// Scheme of its endpoint.
    pub scheme: &'static str,
    /// Template of its configuration file.
    pub config: Option<&'static str>,
    /// The command line.
    pub command: &'static [&'static str],
    /// A request that it answers once it is there.
    pub probe: Probe,
}

/// How close a server is to what production has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same program.
    Real,
    /// The vendor's own build for development.
    VendorLocal,
    /// Somebody's imitation.
    Emulator,
}

/// Where a server's programs come from.
#[derive(Debug)]
pub enum Install {
    /// Jars from Maven Central, with all they need.
    Maven {
        /// Version of the server.
        version: &'static str,
        /// `group:artifact:version`.
        artifacts: &'static [&'static str],
        /// A main class of ours, compiled against the jars.
        launcher: Option<Launcher>,
    },
    /// A program that is on the machine, and the Debian package that brings it.
    Debian {
        /// Its name on the `PATH`.
        program: &'static str,
        /// The package.
        package: &'static str,
    },
}

/// A Java class of ours.
#[derive(Debug)]
pub struct Launcher {
    /// Its name, also its file's.
    pub class: &'static str,
    /// Its text.
    pub source: &'static str,
}

impl Server {
    /// Changes with everything said about this server: an installation or a process of another recipe is replaced.
    pub(crate) fn recipe(&self) -> String {
        let mut hasher = DefaultHasher::new();
        format!("{self:?}").hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Where clients find it.
    pub(crate) fn endpoint(&self, port: u16) -> String {
        format!("{}://127.0.0.1:{port}", self.scheme)
    }
}

impl Kind {
    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Real => "the real server",
            Self::VendorLocal => "the vendor's local build",
            Self::Emulator => "an emulator",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server that never answers by itself: a test does that for it.
    pub(crate) fn sleeper() -> Server {
        Server {
            name: "sleeper",
            serves: "nothing",
            kind: Kind::Emulator,
            install: Install::Debian { program: "sleep", package: "coreutils" },
            port: 17000,
            scheme: "tcp",
            config: None,
            command: &["sleep", "600"],
            probe: Probe { request: b"PING\r\n", answer: b"+PONG" },
        }
    }

    #[test]
    fn every_word_about_a_server_changes_its_recipe() {
        let recipe = sleeper().recipe();
        assert_eq!(recipe, sleeper().recipe());
        assert_ne!(recipe, Server { config: Some("port @port@"), ..sleeper() }.recipe());
    }
}
