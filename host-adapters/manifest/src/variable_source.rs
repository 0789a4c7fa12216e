//! `--variable`, with Spin's words: `name=value`, `name=@file` for a text in a file, `@file.json` and `@file.toml` for any
//! number of them.

use host_adapters_settings::{position, read_text};
use std::collections::BTreeMap;
use std::path::Path;

/// The variables that an argument sets, each with its value.
///
/// # Errors
/// When it has none of the forms, or its file cannot be read. The error quotes no value.
pub fn provided(argument: &str) -> Result<Vec<(String, String)>, String> {
    if let Some(path) = argument.strip_prefix('@') {
        return of_file(Path::new(path)).map(|variables| variables.into_iter().collect());
    }
    let (name, value) =
        argument.split_once('=').ok_or("write it as name=value, name=@file, @file.json or @file.toml")?;
    let value = match value.strip_prefix('@') {
        Some(path) => text_of(Path::new(path))?,
        None => value.to_owned(),
    };
    Ok(vec![(name.to_owned(), value)])
}

fn of_file(path: &Path) -> Result<BTreeMap<String, String>, String> {
    match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("json") => json(path, &text_of(path)?),
        Some("toml") => toml(path, &text_of(path)?),
        _ => Err(format!("{}: a file of variables ends in .json or .toml", path.display())),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    read_text(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
}

fn json(path: &Path, text: &str) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_str(text).map_err(|error| fault(path, (error.line(), error.column()), r#"{"name": "value", …}"#))
}

fn toml(path: &Path, text: &str) -> Result<BTreeMap<String, String>, String> {
    toml_edit::de::from_str(text).map_err(|error| {
        fault(path, position(text, error.span().unwrap_or_default().start), r#"name = "value" in each line"#)
    })
}

fn fault(path: &Path, (line, column): (usize, usize), write: &str) -> String {
    format!("{}:{line}:{column}: not variables with texts as values; write {write}", path.display())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    #[test]
    fn case_23_variables_come_from_texts_and_files_as_on_spin() {
        let folder = tempfile::tempdir().unwrap();
        let toml = file(&folder, "vars.toml", "\u{feff}a = \"1\"\r\nb = \"x=y\"\r\n");
        let json = file(&folder, "vars.json", r#"{"a": "1", "b": "x=y"}"#);
        let text = file(&folder, "secret", "s3cret\n");
        let pairs = |pairs: &[(&str, &str)]| {
            Ok(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>())
        };
        assert_eq!(provided("a=b=c"), pairs(&[("a", "b=c")]));
        assert_eq!(provided(&format!("a=@{text}")), pairs(&[("a", "s3cret\n")]));
        for file in [toml, json] {
            assert_eq!(provided(&format!("@{file}")), pairs(&[("a", "1"), ("b", "x=y")]), "{file}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let number = file(&folder, "vars.toml", "a = \"1\"\nb = 90210\n");
        let list = file(&folder, "vars.json", r#"["s3cret"]"#);
        for (argument, said) in [
            ("plain".to_owned(), "name=value, name=@file, @file.json or @file.toml"),
            (format!("@{number}"), "vars.toml:2:5: not variables with texts as values"),
            (format!("@{list}"), "vars.json:1:"),
            ("@vars.yaml".to_owned(), "ends in .json or .toml"),
            ("@no-such.toml".to_owned(), "no-such.toml: cannot be read"),
            ("a=@no-such".to_owned(), "no-such: cannot be read"),
        ] {
            let error = provided(&argument).unwrap_err();
            assert!(error.contains(said) && !error.contains("90210") && !error.contains("s3cret"), "{error}");
        }
    }
}
