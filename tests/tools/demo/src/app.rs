//! One run, from the seed to the summary.

use crate::check::{self, ByEntry, Kind, Snapshot};
use crate::disturb::{self, Disturbance};
use crate::folder::{Folder, share_compiled, write_secret};
use crate::gateway::Gateway;
use crate::generate::{World, generate, scenario_1};
use crate::host::{Host, Launch, PROCESS_ID_FILE};
use crate::inject::Plan;
use crate::keep::{Example, Kept};
use crate::lag::{Arrivals, Times};
use crate::load::{Caller, Load, OPEN_SECS};
use crate::metrics::Counters;
use crate::options::Options;
use crate::phases::Phases;
use crate::pipeline::{self, EventLog, Pipeline};
use crate::progress::Progress;
use crate::redrive::{self, redrive};
use crate::report::{Report, Sent};
use crate::resolver::Resolver;
use crate::scoring::{self, Course, Scores, Scoring};
use crate::selection::{self, Change, Contest, Selected, Selecting, Spoils};
use crate::services::Services;
use crate::settle::{Settled, Settling};
use crate::stores::Stores;
use crate::tokens::{self, Key};
use crate::{faults, input, kills, poison, seed, servers};
use anyhow::{Context, Result, anyhow};
use fake_services::{FakeServices, Service};
use reqwest::Client;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The key of the app-to-app tokens, in the data folder.
const SERVICE_KEY: &str = "service-key.pem";

/// Runs the demo; returns whether every check succeeds.
pub async fn run(options: Options) -> Result<bool> {
    let (progress, mut phases) = (Progress::new(), Phases::begin());
    let mut interrupts = Interrupts::new(progress.clone())?;
    let world = Arc::new(world(&options)?);
    let plan = if options.inject { Plan::draw(&world, options.seed)? } else { Plan::default() };
    let fans = Key::generate()?;
    let tokens = tokens::sign_all(&fans, &world.fans, &progress)?;
    phases.end("preparation");
    let folder = Folder::new(options.data_dir.as_deref())?;
    std::fs::write(folder.path().join("jwks.json"), fans.jwks().to_string()).context("writing the key set")?;

    // The services check their callers' tokens, those of the host and of the demo's own checks, by the key that the
    // host signs with.
    let service = Key::generate()?;
    write_secret(&folder.path().join(SERVICE_KEY), &service.private_pem()?)?;
    let public_key = Some(service.public_pem()?);
    let fakes = FakeServices::start(fake_services::Options { public_key, ..Default::default() }).await?;
    let fakes = Arc::new(fakes);
    let secrets = ["resolver_token", "checker_token", "seeder_token", "operator_token", "worker_token"];
    let mut secrets = secrets.map(|name| (name.to_owned(), tokens::secret())).to_vec();
    secrets.push(("slack_webhook_url".to_owned(), fakes.upstream(Service::Slack)));
    progress.announce("starting the host");
    let launch = launch(&options, folder.path(), &fakes, &secrets);
    share_compiled(&launch.data, &launch.manifest)?;
    let start = async {
        let prepared = if options.servers { Some(servers::prepare(&options, folder.path()).await?) } else { None };
        let (config, cloud, log) = match prepared {
            Some(it) => (Some(it.config), Some(it.cloud), EventLog::Kafka(it.log)),
            None => (None, None, EventLog::Embedded { data: launch.data.clone() }),
        };
        let slack = fakes.clone();
        // Whether the last post was noted is not known then.
        let killed = move || slack.slack().interrupted();
        let host = Host::start(Launch { runtime_config: config, ..launch.clone() }, killed).await?;
        anyhow::Ok((host, Stores::new(launch.data.clone(), cloud), log))
    };
    let (host, stores, log) = tokio::select! {
        started = start => started?,
        why = interrupts.next() => return Err(why),
    };
    phases.end("start of the host");
    let stage = Stage::new(&host, &fakes, &service, &secrets, &launch, stores, log)?;
    let example = Example::of(&world, &tokens);
    let result = tokio::select! {
        result = perform(&options, world, plan, tokens, &stage, &host, phases, &progress) => result,
        why = interrupts.next() => Err(why),
    };
    if let Ok(report) = &result {
        tell(report, options.json);
        if options.keep {
            let (addresses, folder) = (host.endpoint().addresses().await?, folder.path());
            let kept = Kept { host: &options.host, addresses, folder, fakes: &fakes, secrets: &secrets, example };
            progress.say(&kept.told(&faults::SERVICES)?);
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
    stores: Stores,
    event_log: EventLog,
    /// The file with the host's process id.
    process_id: PathBuf,
    /// The host's log.
    log: PathBuf,
    /// The folder of the host's data.
    data: PathBuf,
}

/// The longest wait for a response, beyond the wall time of a request worker. A call that was in progress when the host
/// was killed may never get one.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

impl<'a> Stage<'a> {
    fn new(
        host: &Host,
        fakes: &'a FakeServices,
        service: &Key,
        secrets: &[(String, String)],
        launch: &Launch,
        stores: Stores,
        event_log: EventLog,
    ) -> Result<Self> {
        // All servers are on loopback, so the environment's proxies are ignored.
        let http = Client::builder().no_proxy().pool_max_idle_per_host(256).timeout(ANSWER_WITHIN).build()?;
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
            stores,
            event_log,
            process_id: launch.process_id.clone(),
            log: launch.log.clone(),
            data: launch.data.clone(),
        })
    }

    /// Waits until the first `sent` registrations are replicated, and what fans changed afterwards.
    async fn settle(
        &self,
        options: &Options,
        world: &World,
        load: &Load,
        sent: usize,
        changes: &[Change],
        progress: &Progress,
    ) -> Result<Settled> {
        let outcomes = load.outcomes();
        let wanted = check::wanted(world, &outcomes, changes);
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

    /// Adds the scored files, and waits until all fans are counted. Posts to Slack may follow later.
    async fn score(
        &self,
        options: &Options,
        world: &World,
        scores: &Scores<'_>,
        host: &Host,
        progress: &Progress,
    ) -> Result<(scoring::Ran, u64)> {
        let (files, due) = (scores.files.as_slice(), &scores.due);
        let (stores, checker, fakes) = (&self.stores, &self.checker, self.fakes);
        let scoring = Scoring { world, files, due, stores, checker, fakes };
        let mut ran = scoring.run(kills::in_scoring(options), options.seed, &host.killer(), progress).await?;
        let redriven = redrive(&self.operator, options.poison, progress).await?;
        if redriven > 0 {
            ran = scoring.wait(progress).await?;
        }
        Ok((ran, redriven))
    }

    /// Has the winners selected, and waits until all that follows is done.
    async fn select(
        &self,
        options: &Options,
        world: &World,
        contests: &[Contest<'_>],
        load: &Load,
        host: &Host,
        progress: &Progress,
    ) -> Result<(Selected, Settled)> {
        let selecting = Selecting {
            world,
            contests,
            seed: options.seed,
            services: &self.services,
            seeder: &self.seeder,
            resolver: &self.resolver,
            operator: &self.operator,
            process_id: &self.process_id,
        };
        selecting.prepare().await?;
        if let Some(step) = &options.abort_in_selection {
            host.arm(step).await?;
        }
        let (sent, restarts) = (selection::sent(contests, self.fakes), host.restarts());
        let outcomes = load.outcomes();
        let wanted = check::wanted(world, &outcomes, &[]);
        let ran = selecting.run(&wanted, kills::in_selection(options, world), &host.killer(), progress).await?;
        let settled = self.settle(options, world, load, world.registrations.len(), &ran.changes, progress).await?;
        selecting.wait_for_codes().await?;
        // A host that was restarted may repeat what it has done.
        let undisturbed = host.restarts() == restarts;
        let sent = undisturbed.then_some(&sent);
        let found = selection::read(contests, &ran, sent, &self.services, self.fakes).await?;
        let spoils = if options.inject { Some(self.spoil(world, contests).await?) } else { None };
        Ok((Selected { ran, found, spoils, undisturbed }, settled))
    }

    /// Spoils the outcome of the selection.
    async fn spoil(&self, world: &World, contests: &[Contest<'_>]) -> Result<Spoils> {
        let mut items = ByEntry::default();
        for campaign in world.selected_campaigns() {
            for (fan, item) in check::items(&self.checker, campaign).await? {
                items.insert(campaign, &fan, item);
            }
        }
        let spoils = Spoils::choose(contests, &items)?;
        spoils.spoil(contests, &items, &self.resolver).await?;
        Ok(spoils)
    }

    async fn read_scores(&self, world: &World, scores: &Scores<'_>) -> Result<scoring::Found> {
        scoring::read(world, &scores.files, &self.checker, self.fakes, &self.stores, &self.log).await
    }

    fn disturbance<'s>(&'s self, options: &'s Options) -> Disturbance<'s> {
        let (operator, resolver) = (&self.operator, &self.resolver);
        Disturbance { fakes: self.fakes, operator, resolver, manifest: &options.manifest }
    }

    async fn counters(&self) -> Result<Counters> {
        Ok(Counters::parse(&self.operator.metrics().await?))
    }
}

/// Seeds, sends, waits, selects and checks.
#[allow(clippy::too_many_arguments, reason = "they are what a run is made from")]
async fn perform(
    options: &Options,
    world: Arc<World>,
    plan: Plan,
    tokens: HashMap<String, String>,
    stage: &Stage<'_>,
    host: &Host,
    mut phases: Phases,
    progress: &Progress,
) -> Result<Report> {
    seed::seed(&world, &stage.seeder, &stage.services, progress).await?;
    pipeline::seed(&world, &stage.seeder).await?;
    faults::set(stage.fakes, options);
    if options.poison {
        poison::send(&stage.resolver).await?;
    }
    let total = world.registrations.len();
    let disturbed = if is_calm(options) { total..total } else { disturb::positions(total) };
    let calm = disturbed.start;
    let open_count = calm.min(OPEN_SECS * options.rate as usize);
    let bar = progress.bar("sending registrations", total);
    let resolver = Resolver::new(stage.resolver.clone());
    let load = Load::new(world.clone(), tokens, stage.caller.clone(), resolver, plan.clone(), bar.clone());
    let kills = kills::after_responses(options, &world, calm);
    let kills = tokio::spawn(kills::on_the_way(load.clone(), kills, host.killer()));
    phases.end("seeding");
    let (started, before) = (Instant::now(), stage.counters().await?);
    let down = tokio::spawn(pipeline::down(options.event_log_down, stage.data.clone()));
    let open = Sent { count: open_count, took: load.open(0..open_count, options.rate.into()).await? };
    phases.end("registrations at their rate");
    let counters = stage.counters().await?.since(&before);
    let flat_out = Sent { count: calm - open_count, took: load.flat_out(open_count..calm).await? };
    kills.await?;
    bar.finish_and_clear();
    phases.end("registrations at full speed");

    let Settled { mut unsettled, mut redriven } = stage.settle(options, &world, &load, calm, &[], progress).await?;
    let wall = started.elapsed();
    phases.end("replication");
    down.await??;
    let mut settled_again = |settled: Settled| {
        unsettled = unsettled.take().or(settled.unsettled);
        redriven += settled.redriven;
    };
    let is_disturbed = !disturbed.is_empty();
    let mut without_effect = Vec::new();
    if is_disturbed {
        progress.announce("wrong addresses, a deploy, slow and old profiles");
        let usual = || {
            faults::end(stage.fakes);
            faults::set(stage.fakes, options);
        };
        without_effect = stage.disturbance(options).happen(&world, &load, disturbed, usual).await?.missing();
        phases.end("disturbances");
    }
    // A host that is killed while sources are paused leaves messages of SQS invisible for an hour (docs/delivery.md, 7.7).
    let recovers_first = is_disturbed && options.kills > 0;
    if recovers_first {
        settled_again(stage.settle(options, &world, &load, total, &[], progress).await?);
        phases.end("replication after the disturbances");
    }
    let scores = Scores::new(&world, options.seed);
    let restarts = host.restarts();
    let (scored, redriven_scores) = stage.score(options, &world, &scores, host, progress).await?;
    settled_again(Settled { unsettled: None, redriven: redriven_scores });
    phases.end("scoring");
    // Sources that were paused work again meanwhile.
    if is_disturbed && !recovers_first {
        settled_again(stage.settle(options, &world, &load, total, &[], progress).await?);
        phases.end("replication after the disturbances");
    }
    let contests = Contest::all(&world);
    let mut selected = None;
    if !contests.is_empty() {
        let (done, settled) = stage.select(options, &world, &contests, &load, host, progress).await?;
        selected = Some(done);
        settled_again(settled);
        phases.end("selection");
    } else {
        // Slack is told meanwhile.
        settled_again(stage.settle(options, &world, &load, total, &[], progress).await?);
    }
    let undisturbed = host.restarts() == restarts;
    let spoilt_scores = if options.inject { Some(scores.spoils()?) } else { None };
    if let Some(spoils) = &spoilt_scores {
        spoils.spoil(&stage.resolver).await?;
    }
    let outcomes = load.outcomes();
    faults::end(stage.fakes);
    let pipeline = Pipeline {
        log: &stage.event_log,
        operator: &stage.operator,
        poisoned: options.poison,
        generated: options.input.is_none(),
    };
    let piped = pipeline.settle(&world, &outcomes, progress).await?;
    settled_again(Settled { unsettled: None, redriven: piped.redriven });
    let arrivals = Arrivals::read(&world, stage.fakes);
    plan.inject_after(&world, &outcomes, stage.fakes, &stage.services, &stage.resolver).await?;
    let scores_found = stage.read_scores(&world, &scores).await?;
    let mut snapshot = Snapshot::read(&world, &stage.services, &stage.checker, &stage.operator, progress).await?;
    plan.lift(stage.fakes);
    let poison_found = !options.poison || poison::take(&stage.operator, &mut snapshot).await?;
    let changes = selected.as_ref().map(Selected::changes).unwrap_or_default();
    let mut findings = check::check(&world, &outcomes, changes, &snapshot);
    if !poison_found {
        findings.failures.add(Kind::DeadLetter, "poison", "it is not a dead letter");
    }
    for disturbance in without_effect {
        findings.failures.add(Kind::Undisturbed, "disturbances", disturbance);
    }
    redrive::check(redriven, host.restarts(), options, &mut findings.failures);
    if let Some(unsettled) = unsettled {
        findings.failures.add(Kind::Unsettled, "replication", unsettled);
    }
    let limited = !options.servers && !options.faults;
    let course = Course { undisturbed, faults: options.faults, limited };
    let spoilt_scores = spoilt_scores.as_ref();
    let failures = &mut findings.failures;
    let scored = scores.conclude(scored, &scores_found, &snapshot.items, course, spoilt_scores, failures);
    let selection = selected.map(|it| it.conclude(&contests, &snapshot.items, limited, &mut findings.failures));
    let lag = Times::of_replication(&world, &outcomes, calm, &arrivals)?;
    if options.event_log_down > 0 && limited {
        pipeline::check_lag(&lag, &mut findings.failures);
    }
    let piped = piped.conclude(&world, &outcomes, &plan, limited && undisturbed, &mut findings.failures)?;
    let mut injected = plan.injected(&world, &findings.failures);
    injected.extend(selection.iter().flat_map(|it| it.injected.clone()));
    injected.extend(scored.injected.clone());
    injected.extend(piped.injected.clone());
    phases.end("checks");
    Ok(Report {
        seed: options.seed,
        registrations: total,
        campaigns: world.campaigns.len(),
        injected,
        findings,
        redriven,
        dead_letters: snapshot.dead_letters.values().sum(),
        repeated: load.repeated(),
        restarts: host.restarts(),
        open,
        flat_out,
        eligibility: Times::of_answers(&outcomes, open_count)?,
        disturbed: total - calm,
        lag,
        open_lag: Times::of_replication(&world, &outcomes, open_count, &arrivals)?,
        counters,
        wall,
        scored,
        selection,
        piped,
        phases: phases.into_done(),
    })
}

/// Whether nothing goes wrong at the end; in the documents' scenarios nothing does.
fn is_calm(options: &Options) -> bool {
    options.calm || options.scenario.is_some()
}

fn world(options: &Options) -> Result<World> {
    let open = |path: &Path| format!("opening {}", path.display());
    if let Some(path) = &options.input {
        let file = File::open(path).with_context(|| open(path))?;
        return input::read(BufReader::new(file)).with_context(|| format!("reading {}", path.display()));
    }
    let world = match options.scenario {
        Some(_) => scenario_1(options.registrations, options.seed, options.three_tasks),
        None => generate(options.registrations, options.seed),
    };
    if let Some(path) = &options.output {
        let file = File::create(path).with_context(|| open(path))?;
        input::write(&world, BufWriter::new(file)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(world)
}

fn launch(options: &Options, folder: &Path, fakes: &FakeServices, secrets: &[(String, String)]) -> Launch {
    let jwks = folder.join("jwks.json").display().to_string();
    let variables = [
        ("entry_service_upstream", fakes.url(Service::Entry)),
        ("user_service_upstream", fakes.url(Service::User)),
        ("campaign_service_upstream", fakes.url(Service::Campaign)),
        ("code_service_upstream", fakes.url(Service::Code)),
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

fn tell(report: &Report, json: bool) {
    if json {
        eprint!("{}", report.to_text());
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text());
    }
}
