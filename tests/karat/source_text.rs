//! The source code as text: its files, without comments and literals where only code counts.

use std::fs;
use std::path::Path;

use crate::folder::{repository, walk};

/// A file of `src`.
pub(crate) struct SourceFile {
    /// Relative to `src`, with `/`: `diag/code.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with blanks in the place of comments and of what stands in quotes.
    pub(crate) code: String,
}

impl SourceFile {
    /// The module at the top that the file belongs to: `diag`.
    pub(crate) fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or("");
        first.trim_end_matches(".rs")
    }

    /// Whether the file holds unit tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The line, from 1, of an offset in the text.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// The code before the unit tests at the end of the file.
    pub(crate) fn code_without_tests(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or("")
    }

    /// Where a word stands as a word of its own.
    pub(crate) fn places<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        self.code.match_indices(word).map(|(start, _)| start).filter(move |start| {
            let before = self.code.split_at(*start).0.chars().next_back();
            let after = self.code.split_at(start + word.len()).1.chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }
}

/// Every Rust file of `src`, sorted.
pub(crate) fn source_files() -> Vec<SourceFile> {
    let root = repository().join("src");
    rust_files(&root).into_iter().map(|(path, text)| SourceFile { code: code_of(&text), path, text }).collect()
}

/// The Rust files below a folder with their texts, sorted.
pub(crate) fn rust_files(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(root, &mut found);
    found.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// The code alone: every other letter is a blank, and lines stay lines.
pub(crate) fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let skipped = skipped(rest, code.chars().next_back());
        let (taken, after) = rest.split_at(skipped.max(letter.len_utf8()));
        if skipped == 0 {
            code.push_str(taken);
        } else {
            // A letter of several bytes becomes several blanks, so that offsets stay what they are.
            code.extend(taken.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// How many bytes here are a comment or a literal; 0 if code begins here.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let until =
        |end: &str, from: usize| rest.get(from..).and_then(|rest| rest.find(end)).map(|found| from + found + end.len());
    let is_in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2).unwrap_or(rest.len());
    }
    if rest.starts_with('r') && !is_in_word {
        let hashes = rest.split_at(1).1.len() - rest.split_at(1).1.trim_start_matches('#').len();
        if rest.get(1 + hashes..).is_some_and(|rest| rest.starts_with('"')) {
            let end = format!("\"{}", "#".repeat(hashes));
            return until(&end, 2 + hashes).unwrap_or(rest.len());
        }
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    // A lifetime has no second quote; a letter in quotes has it right behind.
    let mut letters = rest.chars().skip(1);
    match (rest.starts_with('\''), letters.next(), letters.next()) {
        (true, Some('\\'), _) => quoted(rest, '\''),
        (true, Some(letter), Some('\'')) => 2 + letter.len_utf8(),
        _ => 0,
    }
}

/// The length of a literal with its quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            found if found == quote => return offset + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "let a = \"x \\\" // y\"; // z\nlet b: &'a str = r#\"q\"w\"#; '\"'; '\\''; 'é'; for_r\n";
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words.join(" "), "let a = ; let b: &'a str = ; ; ; ; for_r");
}
