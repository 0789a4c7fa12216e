//! The description of a server: how it is installed, started and probed.

use crate::Probe;
use serde::Serialize;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One entry of the table. Texts may contain placeholders, see `template.rs`.
#[derive(Debug)]
pub struct Server {
    /// Its name on the command line, also the name of its folder.
    pub name: &'static str,
    /// The service that it replaces.
    pub serves: &'static str,
    /// How much a test on it says about production.
    pub kind: Kind,
    /// How its programs are installed.
    pub install: Install,
    /// Its default port. It is not the usual one, and it is below the range that the system uses for outgoing
    /// connections: a client that keeps connecting to a stopped server's port in that range could be given that very
    /// port, and be connected to itself.
    pub port: u16,
    /// The scheme of its endpoint.
    pub scheme: &'static str,
    /// The template of its configuration file.
    pub config: Option<&'static str>,
    /// The command line.
    pub command: &'static [&'static str],
    /// A request that succeeds once it is ready.
    pub probe: Probe,
}

/// How close a server is to the one in production.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same program.
    Real,
    /// The vendor's own build for development.
    VendorLocal,
    /// An imitation by somebody else.
    Emulator,
}

/// How a server's programs are installed.
#[derive(Debug)]
pub enum Install {
    /// Jars from Maven Central, with their dependencies.
    Maven {
        /// The version of the server.
        version: &'static str,
        /// `group:artifact:version`.
        artifacts: &'static [&'static str],
        /// A main class of our own, compiled against the jars.
        launcher: Option<Launcher>,
    },
    /// Packages from PyPI, in a separate environment.
    Python {
        /// The version of the server.
        version: &'static str,
        /// `name==version`, as `pip install` takes them.
        packages: &'static [&'static str],
    },
    /// A package from npm, run by the `node` on the machine.
    Npm {
        /// The version of the server.
        version: &'static str,
        /// `name@version`, as `npm install` takes it.
        package: &'static str,
    },
    /// A program on the machine, and the Debian package that contains it.
    Debian {
        /// Its name on the `PATH`.
        program: &'static str,
        /// The package.
        package: &'static str,
    },
}

/// A Java class of our own.
#[derive(Debug)]
pub struct Launcher {
    /// Its name, also that of its file.
    pub class: &'static str,
    /// Its source text.
    pub source: &'static str,
}

impl Server {
    /// Changes with everything in this description. An installation or a process of another recipe is replaced.
    pub(crate) fn recipe(&self) -> String {
        let mut hasher = DefaultHasher::new();
        format!("{self:?}").hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The address for clients.
    pub(crate) fn endpoint(&self, port: u16) -> String {
        format!("{}://127.0.0.1:{port}", self.scheme)
    }
}

impl Kind {
    /// The text for people.
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

    /// A server that never answers by itself; a thread of the test does.
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
    fn every_change_of_a_description_changes_the_recipe() {
        let recipe = sleeper().recipe();
        assert_eq!(recipe, sleeper().recipe());
        assert_ne!(recipe, Server { config: Some("port @port@"), ..sleeper() }.recipe());
    }
}
