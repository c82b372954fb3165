//! A fresh folder for one test, and karat run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Answer, karat};

/// This repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Goes with all it holds when it is dropped.
pub(crate) struct Folder {
    root: PathBuf,
    /// The environment of every command line that is run here.
    variables: BTreeMap<String, String>,
    _held: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let held = tempfile::tempdir().unwrap();
        // Messages show the real path, without links on the way.
        Folder { root: held.path().canonicalize().unwrap(), variables: BTreeMap::new(), _held: held }
    }

    /// With the repository's own project in it, and nothing that was made from it.
    pub(crate) fn with_sample() -> Folder {
        let folder = Folder::new();
        for part in ["project.yml", "models", "macros", "tests/data"] {
            copy(&repository().join(part), &folder.root.join(part));
        }
        folder
    }

    /// With everything that another folder holds.
    pub(crate) fn like(other: &Folder) -> Folder {
        let folder = Folder { variables: other.variables.clone(), ..Folder::new() };
        copy(&other.root, &folder.root);
        folder
    }

    /// The same folder; what is run in it sees these variables.
    pub(crate) fn with_variables(self, variables: BTreeMap<String, String>) -> Folder {
        Folder { variables, ..self }
    }

    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs a command line that must end with code 0.
    pub(crate) fn karat(&self, words: &[&str]) -> Answer {
        let answer = self.try_karat(words);
        assert_eq!(answer.code, 0, "karat {}\n{}", words.join(" "), answer.printed);
        answer
    }

    pub(crate) fn try_karat(&self, words: &[&str]) -> Answer {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        karat(&self.root, &self.variables, &words)
    }

    /// The rows of a query as CSV lines of fields, without the header.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.karat(&["query", sql, "--output", "csv", "--limit", "0"]);
        let mut records = csv(&answer.out);
        records.remove(0);
        records
    }

    /// The paths of all files below a folder, sorted, with `/`; none if there is no such folder.
    pub(crate) fn files(&self, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.root.join(below), &mut found);
        let relative = |path: &PathBuf| path.strip_prefix(&self.root).unwrap().to_str().unwrap().replace('\\', "/");
        let mut found: Vec<String> = found.iter().map(relative).collect();
        found.sort();
        found
    }
}

/// Adds all files below a folder.
pub(crate) fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Copies a file or a folder with the times of change, by which karat knows files again.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
        let modified = fs::metadata(from).unwrap().modified().unwrap();
        fs::File::options().write(true).open(to).unwrap().set_modified(modified).unwrap();
    }
}

/// CSV as karat writes it: commas, double quotes, line feeds.
pub(crate) fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    assert!(!quoted && field.is_empty() && record.is_empty(), "not CSV:\n{text}");
    records
}

#[test]
fn csv_is_read_with_quotes_and_line_ends_inside() {
    assert_eq!(csv("a,b\n\"x \"\"y\"\"\nz\",\n"), [["a", "b"], ["x \"y\"\nz", ""]]);
}
