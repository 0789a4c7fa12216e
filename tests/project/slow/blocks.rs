//! Code blocks of a document, each with the place where it goes.
//!
//! The lines before a block end with its place: a path of the project and, behind a comma, `new`, `at the end`, or
//! ``before `words` `` or ``after `words` ``, of a line that begins with these words. Blocks without a place are left
//! out.

use tests::project::ProjectCopy;

/// A code block and its place.
#[derive(Debug)]
pub struct Block {
    pub path: String,
    place: Place,
    text: String,
}

#[derive(Debug, PartialEq)]
enum Place {
    New,
    End,
    Before(String),
    After(String),
}

/// The blocks of the section with this heading.
pub fn of(document: &str, heading: &str) -> Vec<Block> {
    let (_, rest) = document.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = rest.split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    let mut before = String::new();
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("```") {
            before = format!("{before} {}", line.trim());
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let code = lines.by_ref().take_while(|line| line.trim() != "```");
        let text = code.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect();
        if let Some((path, place)) = place(before.trim()) {
            blocks.push(Block { path, place, text });
        }
        before.clear();
    }
    blocks
}

/// Reads the end of the text before a block.
fn place(before: &str) -> Option<(String, Place)> {
    let before = before.strip_suffix(':')?;
    let (before, place) = if let Some(before) = before.strip_suffix(", new") {
        (before, Place::New)
    } else if let Some(before) = before.strip_suffix(", at the end") {
        (before, Place::End)
    } else {
        let (before, words) = last_code(before)?;
        let words = words.to_owned();
        match (before.strip_suffix(", before "), before.strip_suffix(", after ")) {
            (Some(before), _) => (before, Place::Before(words)),
            (_, Some(before)) => (before, Place::After(words)),
            _ => return None,
        }
    };
    let (_, path) = last_code(before)?;
    Some((path.to_owned(), place))
}

/// The code that a text ends with, and what is before it.
fn last_code(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix('`')?.rsplit_once('`')
}

impl Block {
    /// Puts the block where it goes.
    pub fn apply(&self, project: &ProjectCopy) {
        if self.place == Place::New {
            return project.add(&self.path, &self.text);
        }
        let path = project.folder().join(&self.path);
        let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        std::fs::write(path, self.added_to(&file)).unwrap();
    }

    fn added_to(&self, file: &str) -> String {
        let (words, behind) = match &self.place {
            Place::New | Place::End => return format!("{file}{}", self.text),
            Place::Before(words) => (words, 0),
            Place::After(words) => (words, 1),
        };
        let lines: Vec<_> = file.lines().collect();
        let found: Vec<_> =
            (0..lines.len()).filter(|nth| lines[*nth].trim_start().starts_with(words.as_str())).collect();
        let [at] = found[..] else { panic!("{} lines of {} begin with {words}", found.len(), self.path) };
        let indent = " ".repeat(lines[at].len() - lines[at].trim_start().len());
        let added =
            self.text.lines().map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") });
        let (first, rest) = lines.split_at(at + behind);
        let lines = first.iter().map(ToString::to_string).chain(added).chain(rest.iter().map(ToString::to_string));
        lines.map(|line| line + "\n").collect()
    }
}
