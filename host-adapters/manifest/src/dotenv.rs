//! `.env` in the manifest's folder: environment variables in a file, as Spin reads them. Those of the process have
//! precedence.

use host_adapters_settings::read_text;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The entries of the file `.env` beside the manifest; none if there is no such file.
///
/// # Errors
/// When it cannot be read. The error quotes no value.
pub(super) fn beside(manifest: &Path) -> Result<BTreeMap<String, String>, String> {
    let path = manifest.with_file_name(".env");
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{}: cannot be read: {error}", path.display())),
    };
    entries(&text).map_err(|line| {
        format!("{}:{line}:1: not a variable of the environment; write it as in NAME=\"value\"", path.display())
    })
}

/// The entries of a text, or the first line that is not one.
fn entries(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut entries = BTreeMap::new();
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = entry.map_err(|error| line_of(text, &error))?;
        // Of a name that is there twice, Spin takes the last one.
        entries.insert(name, value);
    }
    Ok(entries)
}

/// The line that the parser refuses.
fn line_of(text: &str, error: &dotenvy::Error) -> usize {
    let dotenvy::Error::LineParse(refused, _) = error else { return 1 };
    let first = refused.lines().next().unwrap_or_default();
    text.lines().position(|line| line == first).map_or(1, |before| before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_23_entries_are_those_that_spin_reads() {
        let text = "# a comment\r\nSPIN_VARIABLE_A=1\r\nexport SPIN_VARIABLE_B='two words' # and more\r\n\
                    SPIN_VARIABLE_C=\"x\\ny\"\nSPIN_VARIABLE_A=2\n";
        let expected = [("A", "2"), ("B", "two words"), ("C", "x\ny")];
        let expected = expected.map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), value.to_owned()));
        assert_eq!(entries(text), Ok(expected.into()));
    }

    #[test]
    fn a_line_that_is_not_an_entry_is_named_without_its_text() {
        assert_eq!(entries("A=1\n\nsecret stuff\n"), Err(3));
    }
}
