//! `cache_*`: check-eligibility over HTTP while Redis hangs, or answers too late for its time-out. The campaign then comes
//! from the embedded documents.

use crate::http::load;
use crate::process::Process;
use crate::registration::Registration;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, median};
use anyhow::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long a round loads the host. It begins with a host of its own, whose circuit breaker is closed.
const ROUND: Duration = Duration::from_secs(2);
/// Later than the time-out of a command, 50 ms.
const LATE: Duration = Duration::from_millis(200);

/// What a client may wait for an answer at the 95th percentile, milliseconds.
const BESIDE: &[Beside] = &[Beside::Limit(100.0)];

/// Measures all figures of the group.
///
/// # Errors
/// When the host does not start or does not admit a fan.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    let (mut hung, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        hung.push(p95_ms(effort, program, None)?);
        slow.push(p95_ms(effort, program, Some(LATE))?);
    }
    Ok(vec![
        Figure::new("cache_hung_p95_ms", median(hung), BESIDE),
        Figure::new("cache_slow_p95_ms", median(slow), BESIDE),
    ])
}

/// The 95th percentile with a Redis that answers so late, or never.
fn p95_ms(effort: Effort, program: &Path, late: Option<Duration>) -> Result<f64> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let config = folder.path().join("runtime-config.toml");
    std::fs::write(&config, format!("[cache]\ntype = \"redis\"\nurl = \"{}\"\n", redis(late)?))?;
    let host = Process::host_with(program, &folder.path().join("data"), &registration, &config)?;
    threads.block_on(host.seed(&registration))?;
    let duration = effort.of(ROUND, Duration::from_millis(100));
    Ok(threads.block_on(load::run(host.http, &registration.questions, duration))?.p95_ms)
}

/// Starts a server that reads commands and answers all with nil, so late or never. It ends with the process.
fn redis(late: Option<Duration>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("redis://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, late));
        }
    });
    Ok(url)
}

/// Serves a connection until it is closed.
fn serve(mut stream: TcpStream, late: Option<Duration>) {
    let mut read = [0; 64 << 10];
    while let Ok(length @ 1..) = stream.read(&mut read) {
        let Some(late) = late else { continue };
        std::thread::sleep(late);
        // Each command is an array, which begins a line.
        let commands = read.get(..length).unwrap_or_default().split(|byte| *byte == b'\n');
        let answers = commands.filter(|line| line.starts_with(b"*")).map(|_| "$-1\r\n").collect::<String>();
        if stream.write_all(answers.as_bytes()).is_err() {
            return;
        }
    }
}
