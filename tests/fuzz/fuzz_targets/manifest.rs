//! Fuzzes `fuzz_checks::manifest`, with mutations that keep most of a manifest whole.
#![no_main]

/// Lines that [`mutate`] puts into a manifest.
const SPIN_TOML: &str = include_str!("../../../spin.toml");

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::manifest::run(data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed).unwrap_or_else(|| libfuzzer_sys::fuzzer_mutate(data, size, max_size))
});

/// Mutates a manifest by whole lines: a line is removed, moved, taken from spin.toml, or gets the value of another.
/// Returns the new length; `None` leaves the mutation to libFuzzer, which changes bytes.
fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let mut seed = u64::from(seed);
    let mut below = |bound: usize| {
        // Knuth's MMIX; the low bits have short periods.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or_default() % bound.max(1)
    };
    let text = std::str::from_utf8(data.get(..size)?).ok()?.to_owned();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let (at, other) = (below(lines.len()), below(lines.len()));
    match below(8) {
        0 if !lines.is_empty() => drop(lines.remove(at)),
        1 if !lines.is_empty() => lines.swap(at, other),
        2 => lines.insert(at, SPIN_TOML.lines().nth(below(SPIN_TOML.lines().count()))?.to_owned()),
        3 => {
            let (_, value) = lines.get(other)?.split_once('=')?;
            let (key, _) = lines.get(at)?.split_once('=')?;
            lines[at] = format!("{key}={value}");
        }
        _ => return None,
    }
    let text = lines.join("\n");
    let place = data.get_mut(..max_size)?.get_mut(..text.len())?;
    place.copy_from_slice(text.as_bytes());
    Some(text.len())
}
