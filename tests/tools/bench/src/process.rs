//! Servers in separate processes: the host, and its native counterpart.

use crate::client::Connection;
use crate::place;
use crate::registration::{AUDIENCE, ISSUER, Registration};
use anyhow::{Context, Result, bail};
use host_adapters_records::Function;
use host_adapters_records::documents::ReplaceOne;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::json;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Linux counts CPU time for programs in hundredths of a second (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// Names a folder of compiled components for all hosts. Without it, each host with a new folder compiles its own, which takes
/// longer than all that a quick run measures.
const COMPILED: &str = "BENCH_COMPILED";
/// The token of the client `seeder`, which reads and writes the table.
pub const SEEDER_TOKEN: &str = "seeder-token-of-the-benchmark";

/// A running server; it is ended when this is dropped.
pub struct Process {
    child: Child,
    /// The address of its HTTP endpoint.
    pub http: SocketAddr,
    /// The address of the host's gateway.
    pub gateway: Option<SocketAddr>,
}

/// The line that names the addresses of a server.
#[derive(Deserialize)]
struct Listening {
    http: SocketAddr,
    gateway: Option<SocketAddr>,
}

impl Process {
    /// Starts `host-adapters up` with the project's manifest and its data in a folder.
    pub fn host(program: &Path, data: &Path, registration: &Registration) -> Result<Self> {
        Self::host_on(program, Path::new("spin.toml"), data, registration)
    }

    /// Starts it with a runtime configuration.
    pub fn host_with(program: &Path, data: &Path, registration: &Registration, config: &Path) -> Result<Self> {
        let mut command = Self::up(program, Path::new("spin.toml"), data)?;
        command.arg("--runtime-config").arg(config);
        Self::serving(command, registration)
    }

    /// Starts it with another manifest and the same variables.
    pub fn host_on(program: &Path, manifest: &Path, data: &Path, registration: &Registration) -> Result<Self> {
        Self::serving(Self::up(program, manifest, data)?, registration)
    }

    /// Starts a host with the variables that all measurements need.
    pub fn serving(mut command: Command, registration: &Registration) -> Result<Self> {
        let jwks = registration.jwks.display().to_string();
        let variables = [
            ("IDENTITY_JWKS", jwks.as_str()),
            ("IDENTITY_ISSUER", ISSUER),
            ("IDENTITY_AUDIENCE", AUDIENCE),
            ("SEEDER_TOKEN", SEEDER_TOKEN),
        ];
        command.envs(variables.map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), value)));
        Self::start(command)
    }

    /// `host-adapters up` on a manifest, with its data in a folder.
    pub fn up(program: &Path, manifest: &Path, data: &Path) -> Result<Command> {
        if let Some(compiled) = std::env::var_os(COMPILED)
            && !data.exists()
        {
            std::fs::create_dir_all(data)?;
            std::os::unix::fs::symlink(compiled, data.join("compiled"))?;
        }
        let mut command = Command::new(place::existing(program.to_owned())?);
        command.arg("up").arg("--manifest").arg(manifest).arg("--data").arg(data);
        command.args(["--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"]);
        Ok(command)
    }

    /// Starts this program as the native counterpart of a host.
    pub fn native(role: &str, arguments: &[impl AsRef<OsStr>]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).args(arguments);
        Self::start(command)
    }

    /// Starts a server and waits until it listens.
    pub fn start(mut command: Command) -> Result<Self> {
        // Logs are written as usual, and discarded.
        command.env_remove("LOG_LEVEL").env_remove("CONFIG_ENV").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let stdout = child.stdout.take().context("it has no stdout")?;
        let mut line = String::new();
        if BufReader::new(stdout).read_line(&mut line)? == 0 {
            bail!("{command:?} ended before it listened: {}", child.wait()?);
        }
        let listening: Listening = serde_json::from_str(&line).with_context(|| format!("{command:?} said {line}"))?;
        Ok(Self { child, http: listening.http, gateway: listening.gateway })
    }

    /// Puts the campaign into the collection that the host's workers read.
    pub async fn seed(&self, registration: &Registration) -> Result<()> {
        let replace = ReplaceOne {
            collection: "campaigns".to_owned(),
            filter: json!({"slug": "bench"}).to_string(),
            document: std::fs::read_to_string(&registration.campaign)?,
        };
        let path = format!("/platform/{}", ReplaceOne::PATH);
        let mut gateway = Connection::open(self.gateway.context("it has no gateway")?).await?;
        let answer = gateway.post(&path, SEEDER_TOKEN, json!(replace).to_string().into()).await?;
        if !answer.starts_with(br#"{"Ok""#) {
            bail!("the campaign is not taken: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    /// Its resident memory, MB of 10⁶ bytes.
    pub fn rss_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory is not known")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    /// The CPU time that it has used, in user and kernel mode, to a hundredth of a second.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        ticks(&stat).map(|ticks| ticks * TICK).context("its CPU time is not known")
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("it has no process id")?;
        kill_process(id, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

/// `utime` and `stime`, the 14th and 15th fields; the second field is the program's name, which may contain anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself. In either case no process is left.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn cpu_time_is_that_of_user_and_kernel() {
        assert_eq!(ticks("7 (a ) 9 b) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20"), Some(150));
        assert_eq!(ticks("7 (short) S 1 2"), None);
    }
}
