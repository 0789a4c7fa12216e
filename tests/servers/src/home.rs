//! The folder of the servers, outside the repository.

use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::PathBuf;

/// The environment variable that names another folder.
const HOME_VARIABLE: &str = "SERVERS_HOME";
const USUAL: &str = ".cache/registration-workers/servers";

/// The servers of one folder.
#[derive(Clone, Debug)]
pub struct Servers {
    home: PathBuf,
    /// The folder of installed programs: the home folder, unless this is another set of the same programs.
    programs: PathBuf,
}

/// The paths of one server.
#[derive(Debug)]
pub struct Place {
    /// The folder that holds the others.
    pub folder: PathBuf,
    /// Jars and classes.
    pub program: PathBuf,
    /// The server's data, which `--fresh` removes.
    pub data: PathBuf,
    /// The configuration file. (ElasticMQ derives the format from the end of its name.)
    pub config: PathBuf,
    /// The certificates, of a server that wants some; `certificates.rs` says which.
    pub tls: PathBuf,
    /// The output since the last start.
    pub log: PathBuf,
    /// The state file, which names the process.
    pub state: PathBuf,
}

impl Servers {
    /// The servers in `$SERVERS_HOME`, else in `~/.cache/registration-workers/servers`.
    ///
    /// When there is neither that variable nor a home folder.
    /// There is neither that variable nor a home folder.
    pub fn open() -> Result<Self> {
        if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            return Ok(Self::at(std::path::absolute(home)?));
        }
        let home = std::env::home_dir().with_context(|| format!("there is no home folder; set {HOME_VARIABLE}"))?;
        Ok(Self::at(home.join(USUAL)))
    }

    /// The servers in this folder, an absolute path.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Self { programs: home.clone(), home }
    }

    /// Another set of the same programs, with processes, ports and data of its own: for tests that stop servers.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { home: self.home.join(name), programs: self.programs.clone() }
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        let folder = self.home.join(name);
        Place {
            program: self.programs.join(name).join("program"),
            data: folder.join("data"),
            config: folder.join("server.conf"),
            tls: folder.join("tls"),
            log: folder.join("server.log"),
            state: folder.join("state.json"),
            folder,
        }
    }

    /// The folder of the certificates for a server and its clients, which are made when it is started.
    #[must_use]
    pub fn certificates(&self, server: &str) -> PathBuf {
        self.place(server).tls
    }

    /// Maven's repository, kept so that jars are downloaded once.
    pub(crate) fn maven(&self) -> PathBuf {
        self.programs.join("maven")
    }

    /// Locks the folder while servers are started or stopped: one command at a time.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.home.join("lock");
        std::fs::create_dir_all(&self.home).with_context(|| format!("cannot make {}", self.home.display()))?;
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => eprintln!("waiting for another command that starts or stops servers"),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }
}
