//! Compares this many pairs: `cargo run -p ruler-checks --example compare -- <seed> <count>`.
use test_servers::Servers;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(1), |it| it.parse())?;
    let count = arguments.next().map_or(Ok(10_000), |it| it.parse())?;
    print!("{}", ruler_checks::compare(&Servers::open()?, seed, count)?);
    Ok(())
}
