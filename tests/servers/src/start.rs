//! Starts servers and waits until each answers.

use crate::certificates;
use crate::home::{Place, Servers};
use crate::install;
use crate::port;
use crate::process::Process;
use crate::require;
use crate::server::Server;
use crate::state::State;
use crate::status::Status;
use crate::template::{fill, wants_certificates};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time limit of a start. The slowest server takes some five seconds on an idle machine; all at once on a busy one
/// take much longer.
const START_LIMIT: Duration = Duration::from_secs(120);
/// The time limit of one probe. If it gets no response in time, or a wrong one, as from a Redis that still loads,
/// another follows.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
/// Lines of a server's log that are shown when it does not start.
const SHOWN: usize = 20;

/// A server that was started and may not be ready yet.
struct Starting<'a> {
    server: &'a Server,
    place: Place,
    process: Process,
    port: u16,
    since: Instant,
    was_up: bool,
}

impl Servers {
    /// Installs what is missing, starts what does not run, and waits until all answer; reports on stderr. `fresh`
    /// restarts them without data.
    ///
    /// # Errors
    /// When the machine lacks something or a download fails; for each server that does not start, the end of its log.
    /// The others run then.
    pub fn start(&self, servers: &[&Server], fresh: bool) -> Result<Vec<Status>> {
        let _lock = self.lock()?;
        self.install(servers)?;
        let mut starting = Vec::new();
        for server in servers {
            starting.push(self.launch(server, fresh).with_context(|| format!("cannot start {}", server.name))?);
        }
        wait_for_all(&starting)?;
        servers.iter().map(|server| self.status(server)).collect()
    }

    fn install(&self, servers: &[&Server]) -> Result<()> {
        let undone = |server: &&Server| !install::is_done(server, &self.place(server.name));
        let to_install: Vec<_> = servers.iter().copied().filter(undone).collect();
        require::check(servers, &to_install)?;
        to_install.into_iter().try_for_each(|server| {
            // Ended first, because its jars are about to be replaced.
            self.end(server)?;
            install::run(server, self, &self.place(server.name))
        })
    }

    fn launch<'a>(&self, server: &'a Server, fresh: bool) -> Result<Starting<'a>> {
        let place = self.place(server.name);
        let since = Instant::now();
        let before = State::read(&place)?;
        if let Some(state) = before.as_ref().filter(|it| it.process.is_alive()) {
            if !fresh && state.recipe == server.recipe() {
                let (process, port) = (state.process, state.port);
                return Ok(Starting { server, place, process, port, since, was_up: true });
            }
            state.process.ask_to_end()?;
            state.process.wait_for_end()?;
        }
        if fresh && place.data.exists() {
            std::fs::remove_dir_all(&place.data).with_context(|| format!("cannot empty {}", place.data.display()))?;
        }
        std::fs::create_dir_all(&place.data).with_context(|| format!("cannot make {}", place.data.display()))?;
        let port = port::choose(server.name, before.map(|state| state.port), server.port)?;
        let process = spawn(server, &place, port)?;
        State { port, process, recipe: server.recipe() }.write(&place)?;
        Ok(Starting { server, place, process, port, since, was_up: false })
    }
}

/// Waits for each server in a separate thread, so that each is reported as soon as it is ready.
fn wait_for_all(starting: &[Starting<'_>]) -> Result<()> {
    let failures = std::thread::scope(|scope| {
        let waiting: Vec<_> = starting.iter().map(|it| scope.spawn(|| it.wait())).collect();
        let outcomes =
            waiting.into_iter().map(|it| it.join().unwrap_or_else(|_| bail!("waiting for a server panicked")));
        outcomes.filter_map(Result::err).map(|it| it.to_string()).collect::<Vec<_>>()
    });
    ensure!(failures.is_empty(), failures.join("\n\n"));
    Ok(())
}

/// Starts the process detached from this one, so that a Ctrl-C in the terminal does not reach it.
fn spawn(server: &Server, place: &Place, port: u16) -> Result<Process> {
    if let Some(template) = server.config {
        if wants_certificates(template) {
            certificates::make(&place.tls)?;
        }
        let text = fill(template, place, port)?;
        std::fs::write(&place.config, text).with_context(|| format!("cannot write {}", place.config.display()))?;
    }
    let log = File::create(&place.log).with_context(|| format!("cannot write {}", place.log.display()))?;
    let line = server.command.iter().map(|part| fill(part, place, port)).collect::<Result<Vec<_>>>()?;
    let (program, arguments) = line.split_first().context("the command is empty")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&place.folder).process_group(0);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    Process::of(child.id())
}

impl Starting<'_> {
    fn wait(&self) -> Result<()> {
        let name = self.server.name;
        while self.process.is_alive() {
            if self.server.probe.answers(self.port, ANSWER_LIMIT) {
                let how = if self.was_up { "already up" } else { "up" };
                let endpoint = self.server.endpoint(self.port);
                eprintln!("{name} {how} at {endpoint} ({:.1} s)", self.since.elapsed().as_secs_f64());
                return Ok(());
            }
            if self.since.elapsed() > START_LIMIT {
                let todo = "it runs and does not answer: `cargo xtask servers stop` and start it again";
                bail!(self.failure(&format!("{name} gave no answer in {} s", START_LIMIT.as_secs()), todo));
            }
            std::thread::sleep(PAUSE);
        }
        let todo = format!("if its data is damaged: `cargo xtask servers start --fresh {name}` begins without any");
        bail!(self.failure(&format!("{name} ended while it was starting"), &todo))
    }

    fn failure(&self, what: &str, todo: &str) -> String {
        let log = std::fs::read(&self.place.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n");
        format!("{what}; the end of {}:\n{end}\n{todo}", self.place.log.display())
    }
}
