//! What patterns and events are made of: few words, so that they often meet, and those at the edges.

use rand::RngExt;
use rand::rngs::StdRng;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// With dots, of operators, and two that sort otherwise by UTF-16 than by code points. None is empty, because the ruler
/// reads `{"": {"a": 1}}` as the field `a` in patterns, but as `.a` in events.
const ODD_NAMES: [&str; 8] = ["a.b", "b.c", "a.", "prefix", "exists", "\u{ffee}", "\u{1f600}", "a\"b\\"];

pub const TEXTS: [&str; 36] = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "abcabc",
    "bcab",
    "A",
    "AB",
    "aBc",
    "cab",
    "a*b",
    "a\\b",
    "*",
    "\\",
    "é",
    "É",
    "ß",
    "SS",
    "ss",
    "k",
    "\u{212a}",
    "ǆ",
    "ǅ",
    "\u{10400}",
    "\u{10428}",
    "大雨",
    "雨",
    "1",
    "10",
    "true",
    "null",
    "a b",
    "\u{1}",
    "12:30",
    "i̇",
];

pub const ADDRESSES: [&str; 18] = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.77",
    "10.0.1.1",
    "10.255.255.255",
    "11.0.0.1",
    "22.1.2.3",
    "0.0.0.0",
    "255.255.255.255",
    "010.0.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "2001:db8::1",
    "2001:DB8:0::1",
    "2001:db8:ffff::",
    "::ffff:a00:1",
    "::",
    "10.0.0",
];

pub const RANGES: [&str; 14] = [
    "10.0.0.0/24",
    "10.0.0.77/26",
    "10.0.0.0/31",
    "10.0.0.0/8",
    "22.0.0.0/8",
    "0.0.0.0/0",
    "10.0.0.1/25",
    "2001:db8::/32",
    "2001:db8::/127",
    "::/0",
    "2001:db8::1/64",
    "::ffff:a00:0/24",
    "32.1.0.0/16",
    "16.0.0.0/4",
];

/// At the edges of doubles, of 15 digits, and of ±5·10⁹, which bounded an earlier ruler.
pub const NUMBERS: [&str; 44] = [
    "0",
    "-0",
    "0.0",
    "0e5",
    "1",
    "1.0",
    "1e0",
    "10E-1",
    "10",
    "1e1",
    "2",
    "3",
    "5",
    "100",
    "301.8",
    "3.018e2",
    "-1",
    "-1.5",
    "0.1",
    "0.30000000000000004",
    "161",
    "16000000",
    "5000000000",
    "5000000001",
    "-5000000000",
    "-5000000000.000001",
    "5000000000.0000001",
    "123456789012345",
    "1234567890123456",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "12345678901234567890",
    "1.2345678901234567890e19",
    "18446744073709551616",
    "0.1234567890123456",
    "0.12345678901234567",
    "0.123456789012345678901",
    "1e308",
    "1.7976931348623157e308",
    "1e309",
    "-1e400",
    "5e-324",
    "1e-400",
];

/// One of them.
pub fn one<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.get(random.random_range(0..of.len())).copied().unwrap_or_default()
}

pub fn chance(random: &mut StdRng, percent: u32) -> bool {
    random.random_range(0..100) < percent
}

pub fn name(random: &mut StdRng) -> String {
    if chance(random, 4) { one(random, &ODD_NAMES).to_owned() } else { one(random, &NAMES).to_owned() }
}

/// Mostly short integers, else one of the list or a random one.
pub fn number(random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0..4 => random.random_range(-3..8).to_string(),
        4..8 => one(random, &NUMBERS).to_owned(),
        8 => format!("{}.{}", random.random_range(-6_000_000_000_i64..6_000_000_000), random.random_range(0..1000)),
        _ => {
            let length = random.random_range(1..19);
            format!("{}e{}", random.random_range(0..10_u64.pow(length)), random.random_range(-20..20))
        }
    }
}

/// Sometimes two texts in one, so that there are texts that begin and end with others.
pub fn text(random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0..2 => one(random, &ADDRESSES).to_owned(),
        2..8 => one(random, &TEXTS).to_owned(),
        _ => format!("{}{}", one(random, &TEXTS), one(random, &TEXTS)),
    }
}
