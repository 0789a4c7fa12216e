//! `neighbour_p99_ms`: the latency of check-eligibility while another worker of the same host computes endlessly. The
//! load is low: a full load would measure how the machine is shared, not how well the host isolates the guests.

use crate::client::Connection;
use crate::place;
use crate::process::Process;
use crate::registration::{PATH, Question, Registration};
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, millis};
use anyhow::{Context, Result};
use bytes::Bytes;
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long each round measures with each guest.
const ROUND: Duration = Duration::from_secs(3);
/// The time between two requests.
const PAUSE: Duration = Duration::from_millis(4);
/// Calls of the worst guest at a time: as many as its instances take.
const CALLS: usize = 4;

/// The worst guest, added to the components of spin.toml.
const HOSTILE: &str = r#"
[[trigger.http]]
route = "/hostile/..."
component = "hostile"

[component.hostile]
source = "hostile.wasm"
allowed_outbound_hosts = ["http://127.0.0.1:1", "{{ redis_url }}"]

[component.hostile.tool.host-adapters]
max_instances = 2
max_instance_concurrent_reuse_count = 2
max_cpu_ms = 1000

[component.hostile.tool.host-adapters.grants]
tables = { demand-table = "read" }
queues = { saveEntriesQueue = "send" }
documents = { campaigns = "read" }
identity = true
services = ["entry"]
"#;

/// Measures all figures of the group.
///
/// # Errors
/// When the host does not start or a fan gets no response.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    const BESIDE: &[Beside] = &[Beside::AtMost(2.0, "neighbour_p99_ms.alone")];
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let manifest = manifest(folder.path())?;
    let host = Process::host_on(program, &manifest, &folder.path().join("data"), &registration)?;
    threads.block_on(host.seed(&registration))?;
    threads.block_on(async { Connection::open(host.http).await?.post("/hostile/hello", "", Bytes::new()).await })?;
    let duration = effort.of(ROUND, Duration::from_millis(50));
    let beside = |deed: Option<&'static str>| {
        threads.block_on(async {
            let mut callers = JoinSet::new();
            for deed in deed.into_iter().flat_map(|deed| [deed; CALLS]) {
                callers.spawn(misbehave(host.http, deed));
            }
            let p99 = ask(host.http, &registration.questions, duration).await;
            callers.shutdown().await;
            p99
        })
    };
    let [alone, computing, memory, log] = interleaved(
        effort,
        [&mut || beside(None), &mut || beside(Some("loop")), &mut || beside(Some("hog")), &mut || {
            beside(Some("lines?1000000"))
        }],
    )?;
    Ok(vec![
        Figure::new("neighbour_p99_ms.alone", alone, &[]),
        Figure::new("neighbour_p99_ms.endless_loop", computing, BESIDE),
        Figure::new("neighbour_p99_ms.memory_hog", memory, BESIDE),
        Figure::new("neighbour_p99_ms.log_flood", log, BESIDE),
    ])
}

/// The project's manifest with one more component, in a folder with a link to the project's components.
fn manifest(folder: &Path) -> Result<std::path::PathBuf> {
    let real = std::fs::read_to_string("spin.toml").context("run this from the project's root")?;
    std::os::unix::fs::symlink(std::path::absolute("target")?, folder.join("target"))?;
    std::os::unix::fs::symlink(place::guest("hostile")?, folder.join("hostile.wasm"))?;
    let manifest = folder.join("spin.toml");
    std::fs::write(&manifest, real + HOSTILE)?;
    Ok(manifest)
}

/// Makes the worst guest do the same again and again. Its responses do not matter.
async fn misbehave(address: SocketAddr, deed: &'static str) -> Result<()> {
    loop {
        let mut connection = Connection::open(address).await?;
        while connection.post(&format!("/hostile/{deed}"), "", Bytes::new()).await.is_ok() {}
    }
}

/// The 99th percentile of the latency, milliseconds.
async fn ask(address: SocketAddr, questions: &[Question], duration: Duration) -> Result<f64> {
    let mut times = Histogram::<u64>::new(3)?;
    let mut connection = Connection::open(address).await?;
    let start = Instant::now();
    for question in questions.iter().cycle() {
        let asked = Instant::now();
        let answer = connection.post(PATH, &question.token, question.body.clone()).await?;
        times.record(u64::try_from(asked.elapsed().as_micros())?)?;
        Registration::admitted(&answer)?;
        if start.elapsed() > duration {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(millis(Duration::from_micros(times.value_at_quantile(0.99))))
}
