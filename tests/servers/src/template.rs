//! Placeholders in command lines and configuration files: `@program@`, `@data@`, `@config@`, `@tls@` (paths), `@port@`, and
//! `@port+1@` and `@port+2@` for servers that listen on several.

use crate::home::Place;
use anyhow::{Result, bail};

/// Whether a text names the folder of certificates.
pub fn wants_certificates(text: &str) -> bool {
    text.contains("@tls@")
}

/// Fills the placeholders of a text.
///
/// # Errors
/// When a placeholder does not exist.
pub fn fill(text: &str, place: &Place, port: u16) -> Result<String> {
    let known = [
        ("program", place.program.display().to_string()),
        ("data", place.data.display().to_string()),
        ("config", place.config.display().to_string()),
        ("tls", place.tls.display().to_string()),
        ("port", port.to_string()),
        ("port+1", port.saturating_add(1).to_string()),
        ("port+2", port.saturating_add(2).to_string()),
    ];
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        let Some((_, value)) = known.iter().find(|(known, _)| *known == name) else {
            bail!("there is no placeholder `@{name}@`");
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The text before the next placeholder, its name, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('@')?;
    let (name, after) = rest.split_once('@')?;
    Some((before, name, after))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Servers;

    #[test]
    fn placeholders_are_filled_and_unknown_ones_refused() {
        let place = Servers::at("/home/x").place("redis");
        assert_eq!(fill("dir @data@:@port@;", &place, 7).unwrap(), "dir /home/x/redis/data:7;");
        assert_eq!(fill("@dat@", &place, 7).unwrap_err().to_string(), "there is no placeholder `@dat@`");
    }

    #[test]
    fn the_table_has_only_known_placeholders() {
        for server in crate::ALL {
            let place = Servers::at("/home/x").place(server.name);
            for text in server.command.iter().chain(&server.config) {
                let filled = fill(text, &place, server.port).unwrap();
                assert!(!filled.contains('@'), "{filled}");
            }
        }
    }
}
