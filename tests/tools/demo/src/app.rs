//! One run, from the seed to the summary.

use crate::check::{self, Kind, Snapshot};
use crate::disturb::{self, Disturbance};
use crate::gateway::Gateway;
use crate::generate::{World, generate};
use crate::host::{Host, Killer, Launch, PROCESS_ID_FILE};
use crate::inject::Plan;
use crate::keep::{Example, Kept};
use crate::lag::{Arrivals, Times};
use crate::load::{Caller, Load, OPEN_SECS};
use crate::metrics::Counters;
use crate::options::Options;
use crate::progress::Progress;
use crate::report::{Phase, Report};
use crate::resolver::Resolver;
use crate::services::Services;
use crate::settle::{Settled, Settling};
use crate::tokens::{self, Key};
use crate::{input, poison, seed, servers};
use anyhow::{Context, Result, anyhow, bail};
use fake_services::{FakeServices, Faults, Service};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Client;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The key of the app-to-app tokens, in the data folder.
const SERVICE_KEY: &str = "service-key.pem";
const SERVICES: [Service; 3] = [Service::Entry, Service::User, Service::Campaign];

/// Runs the demo; returns whether every check succeeds.
pub async fn run(options: Options) -> Result<bool> {
    let progress = Progress::new();
    let mut interrupts = Interrupts::new(progress.clone())?;
    let world = Arc::new(world(&options)?);
    let plan = if options.inject { Plan::draw(&world, options.seed)? } else { Plan::default() };
    let fans = Key::generate()?;
    let tokens = tokens::sign_all(&fans, &world.fans, &progress)?;
    let folder = Folder::new(options.data_dir.as_deref())?;
    std::fs::write(folder.path().join("jwks.json"), fans.jwks().to_string()).context("writing the key set")?;

    // The services check their callers' tokens, those of the host and of the demo's own checks, by the key that the
    // host signs with.
    let service = Key::generate()?;
    write_secret(&folder.path().join(SERVICE_KEY), &service.private_pem()?)?;
    let public_key = Some(service.public_pem()?);
    let fakes = FakeServices::start(fake_services::Options { public_key, ..Default::default() }).await?;
    let secrets = ["resolver_token", "checker_token", "seeder_token", "operator_token", "worker_token"];
    let secrets = secrets.map(|name| (name.to_owned(), tokens::secret()));
    progress.announce("starting the host");
    let start = async {
        let config = if options.servers { Some(servers::prepare(&options, folder.path()).await?) } else { None };
        Host::start(Launch { runtime_config: config, ..launch(&options, folder.path(), &fakes, &secrets) }).await
    };
    let host = tokio::select! {
        host = start => host?,
        why = interrupts.next() => return Err(why),
    };
    let stage = Stage::new(&host, &fakes, &service, &secrets)?;
    let example = Example::of(&world, &tokens);
    let result = tokio::select! {
        result = perform(&options, world, plan, tokens, &stage, &host, &progress) => result,
        why = interrupts.next() => Err(why),
    };
    if let Ok(report) = &result {
        tell(report, options.json);
        if options.keep {
            let (addresses, folder) = (host.endpoint().addresses().await?, folder.path());
            let kept = Kept { host: &options.host, addresses, folder, fakes: &fakes, secrets: &secrets, example };
            progress.say(&kept.told(&SERVICES)?);
            interrupts.next().await;
        }
    }
    let killer = host.killer();
    let mut stopping = std::pin::pin!(host.stop());
    let stopped = tokio::select! {
        stopped = &mut stopping => stopped,
        () = interrupts.again() => {
            killer.kill().await;
            stopping.await?;
            progress.say(&format!("ended at once; the host's log and data are kept in {}", folder.keep().display()));
            std::process::exit(INTERRUPTED);
        }
    };
    let green = result.as_ref().is_ok_and(Report::is_green) && stopped.is_ok();
    if !green {
        progress.say(&format!("the host's log and data are kept in {}", folder.keep().display()));
    }
    // The error of the run is more important than how the host stopped.
    let report = result?;
    stopped?;
    Ok(report.is_green())
}

/// The exit code of a process that SIGINT ended: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// SIGINT and SIGTERM. From the start on they do not end the process by themselves, so that the host is always stopped
/// and waited for; only a second SIGINT does.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    interrupted: bool,
    progress: Progress,
}

impl Interrupts {
    fn new(progress: Progress) -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, interrupted: false, progress })
    }

    async fn next(&mut self) -> anyhow::Error {
        tokio::select! {
            _ = self.interrupt.recv() => {
                self.is_first();
                anyhow!("interrupted")
            }
            _ = self.terminate.recv() => anyhow!("told to end"),
        }
    }

    /// Whether a SIGINT is the first, which says what a second one does.
    fn is_first(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.interrupted, true);
        if first {
            self.progress.say("stopping the host; a second SIGINT ends everything at once");
        }
        first
    }

    /// Waits for the second SIGINT.
    async fn again(&mut self) {
        while self.interrupt.recv().await.is_some() && self.is_first() {}
    }
}

/// Clients of everything that runs.
struct Stage<'a> {
    fakes: &'a FakeServices,
    services: Services,
    caller: Caller,
    resolver: Gateway,
    checker: Gateway,
    seeder: Gateway,
    operator: Gateway,
}

impl<'a> Stage<'a> {
    fn new(host: &Host, fakes: &'a FakeServices, service: &Key, secrets: &[(String, String)]) -> Result<Self> {
        // All servers are on loopback, so the environment's proxies are ignored.
        let http = Client::builder().no_proxy().pool_max_idle_per_host(256).build()?;
        let gateway = |client: &str| {
            let name = format!("{client}_token");
            let token = secrets.iter().find(|(secret, _)| *secret == name).map(|(_, token)| token.clone());
            Gateway::new(http.clone(), host.endpoint(), token.unwrap_or_default())
        };
        Ok(Self {
            fakes,
            services: Services::new(http.clone(), fakes, service)?,
            caller: Caller::new(http.clone(), host.endpoint()),
            resolver: gateway("resolver"),
            checker: gateway("checker"),
            seeder: gateway("seeder"),
            operator: gateway("operator"),
        })
    }

    /// Waits until the first `sent` registrations are replicated.
    async fn settle(
        &self,
        options: &Options,
        world: &World,
        load: &Load,
        sent: usize,
        progress: &Progress,
    ) -> Result<Settled> {
        let outcomes = load.outcomes();
        let wanted = check::wanted(world, &outcomes);
        let settling = Settling {
            world,
            wanted: &wanted,
            profiles: check::accepted_fans(world.registrations.get(..sent).unwrap_or_default()).len(),
            fakes: self.fakes,
            operator: &self.operator,
            checker: &self.checker,
            poisoned: options.poison,
        };
        settling.settle(progress).await
    }

    fn disturbance<'s>(&'s self, options: &'s Options) -> Disturbance<'s> {
        let (operator, resolver) = (&self.operator, &self.resolver);
        Disturbance { fakes: self.fakes, operator, resolver, manifest: &options.manifest }
    }

    async fn counters(&self) -> Result<Counters> {
        Ok(Counters::parse(&self.operator.metrics().await?))
    }
}

/// Seeds, sends, waits and checks.
async fn perform(
    options: &Options,
    world: Arc<World>,
    plan: Plan,
    tokens: HashMap<String, String>,
    stage: &Stage<'_>,
    host: &Host,
    progress: &Progress,
) -> Result<Report> {
    seed::seed(&world, &stage.seeder, &stage.services, progress).await?;
    set_faults(stage.fakes, options);
    if options.poison {
        poison::send(&stage.resolver).await?;
    }
    let total = world.registrations.len();
    let disturbed = if options.calm { total..total } else { disturb::positions(total) };
    let calm = disturbed.start;
    let open_count = calm.min(OPEN_SECS * options.rate as usize);
    let bar = progress.bar("sending registrations", total);
    let resolver = Resolver::new(stage.resolver.clone());
    let load = Load::new(world.clone(), tokens, stage.caller.clone(), resolver, plan.clone(), bar.clone());
    let kills = tokio::spawn(kill_on_the_way(load.clone(), kills(options, calm), host.killer()));
    let (started, before) = (Instant::now(), stage.counters().await?);
    let open = Phase { count: open_count, took: load.open(0..open_count, options.rate.into()).await? };
    let counters = stage.counters().await?.since(&before);
    let flat_out = Phase { count: calm - open_count, took: load.flat_out(open_count..calm).await? };
    kills.await?;
    bar.finish_and_clear();

    let Settled { mut unsettled, mut redriven } = stage.settle(options, &world, &load, calm, progress).await?;
    let wall = started.elapsed();
    if !disturbed.is_empty() {
        progress.announce("wrong addresses, a deploy, slow and old profiles");
        let usual = || {
            SERVICES.into_iter().for_each(|service| stage.fakes.set_faults(service, Faults::default()));
            set_faults(stage.fakes, options);
        };
        stage.disturbance(options).happen(&world, &load, disturbed, usual).await?;
        let settled = stage.settle(options, &world, &load, total, progress).await?;
        (unsettled, redriven) = (unsettled.or(settled.unsettled), redriven + settled.redriven);
    }
    let outcomes = load.outcomes();
    SERVICES.into_iter().for_each(|service| stage.fakes.set_faults(service, Faults::default()));
    let arrivals = Arrivals::read(&world, stage.fakes);
    plan.inject_after(&world, &outcomes, stage.fakes, &stage.services, &stage.resolver).await?;
    let mut snapshot = Snapshot::read(&world, &stage.services, &stage.checker, &stage.operator, progress).await?;
    plan.lift(stage.fakes);
    let poison_found = !options.poison || poison::take(&stage.operator, &mut snapshot).await?;
    let mut findings = check::check(&world, &outcomes, &snapshot);
    if !poison_found {
        findings.failures.add(Kind::DeadLetter, "poison", "it is not a dead letter");
    }
    if let Some(unsettled) = unsettled {
        findings.failures.add(Kind::Unsettled, "replication", unsettled);
    }
    Ok(Report {
        seed: options.seed,
        registrations: total,
        campaigns: world.campaigns.len(),
        injected: plan.injected(&world, &findings.failures),
        findings,
        redriven,
        dead_letters: snapshot.dead_letters.values().sum(),
        repeated: load.repeated(),
        restarts: host.restarts(),
        open,
        flat_out,
        eligibility: Times::of_answers(&outcomes, open_count)?,
        disturbed: total - calm,
        lag: Times::of_replication(&world, &outcomes, calm, &arrivals)?,
        open_lag: Times::of_replication(&world, &outcomes, open_count, &arrivals)?,
        counters,
        wall,
    })
}

fn world(options: &Options) -> Result<World> {
    let open = |path: &Path| format!("opening {}", path.display());
    if let Some(path) = &options.input {
        let file = File::open(path).with_context(|| open(path))?;
        return input::read(BufReader::new(file)).with_context(|| format!("reading {}", path.display()));
    }
    let world = generate(options.registrations, options.seed);
    if let Some(path) = &options.output {
        let file = File::create(path).with_context(|| open(path))?;
        input::write(&world, BufWriter::new(file)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(world)
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", path.display()))
}

fn launch(options: &Options, folder: &Path, fakes: &FakeServices, secrets: &[(String, String)]) -> Launch {
    let jwks = folder.join("jwks.json").display().to_string();
    let variables = [
        ("entry_service_upstream", fakes.url(Service::Entry)),
        ("user_service_upstream", fakes.url(Service::User)),
        ("campaign_service_upstream", fakes.url(Service::Campaign)),
        ("identity_jwks", jwks),
        ("identity_issuer", tokens::ISSUER.to_owned()),
        ("identity_audience", tokens::AUDIENCE.to_owned()),
    ];
    Launch {
        program: options.host.clone(),
        manifest: options.manifest.clone(),
        data: folder.join("host"),
        log: folder.join("host.log"),
        process_id: folder.join(PROCESS_ID_FILE),
        abort_at_step: options.abort_at_step.clone(),
        service_key: folder.join(SERVICE_KEY),
        runtime_config: None,
        variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
        secrets: secrets.to_vec(),
    }
}

fn set_faults(fakes: &FakeServices, options: &Options) {
    let seed = options.seed;
    if options.failed_scores > 0.0 {
        let operations = vec!["upsertEntries".to_owned()];
        let score_failed = options.failed_scores;
        fakes.set_faults(Service::Entry, Faults { seed, operations, score_failed, ..Faults::default() });
    }
    if options.faults {
        inject_faults(fakes, seed);
    }
}

/// 5 % errors of every kind, and a few late responses.
fn inject_faults(fakes: &FakeServices, seed: u64) {
    for (service, salt) in SERVICES.into_iter().zip(0..) {
        let faults = Faults {
            seed: seed.wrapping_add(salt),
            throttled: 0.01,
            retry_after_secs: 1,
            unavailable: 0.02,
            cut: 0.007,
            cut_after: 0.008,
            garbled: 0.005,
            slow: 0.03,
            slow_ms: 250,
            score_failed: 0.01,
            ..Faults::default()
        };
        fakes.set_faults(service, faults);
    }
}

/// The numbers of responses after which the host is killed.
fn kills(options: &Options, total: usize) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(options.seed ^ 0x6b69_6c6c);
    let mut kills: Vec<usize> = (0..options.kills).map(|_| random.random_range(0..total.max(1))).collect();
    kills.sort_unstable();
    kills
}

async fn kill_on_the_way(load: Arc<Load>, kills: Vec<usize>, killer: Killer) {
    for answers in kills {
        while load.answered() < answers {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        killer.kill().await;
    }
}

fn tell(report: &Report, json: bool) {
    if json {
        eprint!("{}", report.to_text());
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text());
    }
}

/// Whether a folder contains at most an entry of this name, or does not exist.
fn holds_at_most(folder: &Path, name: &str) -> Result<bool> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        entries => {
            let others = entries?.filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_name() == name));
            Ok(others.count() == 0)
        }
    }
}

/// The folder of keys, log and data: the user's, or a temporary one.
enum Folder {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Temporary(
                TempDir::with_prefix("registration-demo-").context("making a temporary folder")?,
            ));
        };
        std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        // Entries of another run would be unexpected in this one.
        if !holds_at_most(path, "host")? || !holds_at_most(&path.join("host"), "compiled")? {
            bail!("the data folder {} is not empty: empty it, or name another with --data-dir", path.display());
        }
        // The host may have another working folder, so it gets absolute paths.
        Ok(Self::Named(path.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// Keeps the folder.
    fn keep(self) -> PathBuf {
        match self {
            Self::Named(path) => path,
            Self::Temporary(folder) => folder.keep(),
        }
    }
}
