//! Runs the ruler (`tests/servers/files/EventRuler.java`).

use crate::{Json, Pair, Verdict};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Stdio};
use test_servers::{EVENT_RULER, Servers};

/// What the ruler says of each pair.
///
/// # Errors
/// When it cannot be installed or run, or does not answer for each.
pub fn verdicts(servers: &Servers, pairs: &[Pair]) -> Result<Vec<Verdict>> {
    let mut ruler = servers.java_tool(&EVENT_RULER)?;
    let ruler = ruler.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot run java")?;
    let said = said(ruler, &lines(pairs)?)?;
    let verdicts = said.lines().map(verdict).collect::<Result<Vec<_>>>()?;
    ensure!(verdicts.len() == pairs.len(), "the ruler answered for {} of {} pairs", verdicts.len(), pairs.len());
    Ok(verdicts)
}

/// The numbers that it does not compare: those that a double does not hold, those that the JDK spells with more digits
/// than they have, and the greatest one, at which none of its ranges begins.
///
/// # Errors
/// As [`verdicts`].
pub fn not_compared(servers: &Servers, pairs: &[Pair]) -> Result<BTreeSet<String>> {
    let numbers: BTreeSet<_> = pairs.iter().flat_map(Pair::leaves).filter_map(|leaf| leaf.number()).collect();
    let compared =
        |sign: &str, number: &str| Json::of("numeric", Json::List(vec![Json::text(sign), Json::word(number)]));
    let pair = |number: &&str| Pair {
        pattern: Json::of("a", Json::List(["<=", ">", "<"].map(|sign| compared(sign, number)).to_vec())),
        event: Json::of("a", Json::word(*number)),
    };
    let verdicts = verdicts(servers, &numbers.iter().map(pair).collect::<Vec<_>>())?;
    let refused = numbers.iter().zip(verdicts).filter(|(_, verdict)| *verdict == Verdict::Refused);
    Ok(refused.map(|(number, _)| (*number).to_owned()).collect())
}

fn lines(pairs: &[Pair]) -> Result<String> {
    let mut lines = String::new();
    for Pair { pattern, event } in pairs {
        writeln!(lines, "{}", serde_json::to_string(&[pattern.to_string(), event.to_string()])?)?;
    }
    Ok(lines)
}

/// Writes and reads at once, because a pipe holds less than either.
fn said(mut ruler: Child, lines: &str) -> Result<String> {
    let mut input = ruler.stdin.take().context("java has no input")?;
    let output = std::thread::scope(|scope| {
        let writing = scope.spawn(move || input.write_all(lines.as_bytes()));
        let output = ruler.wait_with_output();
        writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        anyhow::Ok(output?)
    })?;
    ensure!(output.status.success(), "the ruler ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn verdict(line: &str) -> Result<Verdict> {
    Ok(match line {
        "match" => Verdict::Match,
        "no match" => Verdict::NoMatch,
        _ if line.starts_with("refused: ") => Verdict::Refused,
        _ => bail!("the ruler says `{line}`"),
    })
}
