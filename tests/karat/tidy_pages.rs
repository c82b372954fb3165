//! The rules of what stands beside the code: codes, pages and cases; the sample's files; what no text may hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::folder::{repository, walk};
use crate::source_text::source_files;
use crate::tidy::check;

/// Codes that no command line brings about, and why. Their cases are tests elsewhere.
const WITHOUT_A_CASE: [(&str, &str); 0] = [];

/// Folders that are no part of the repository.
const NOT_OURS: [&str; 5] = [".git", "target", "lake", "data", "karat-demo"];

/// The codes with the names of their variants.
fn codes() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("src/diag/code.rs")).unwrap();
    let code = |line: &str| {
        let (variant, rest) = line.trim().split_once(" => \"")?;
        let (word, rest) = rest.split_once("\", \"")?;
        let is_code = variant.chars().all(char::is_alphanumeric) && rest.ends_with("\";");
        is_code.then(|| (variant.to_owned(), word.to_owned()))
    };
    let codes: Vec<_> = text.lines().filter_map(code).collect();
    assert!(codes.len() > 30, "the list of codes was not understood: {codes:?}");
    codes
}

/// The names of the Markdown files of a folder, without their ending.
fn pages(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter_map(|name| Some(name.to_str()?.strip_suffix(".md")?.to_owned())).collect()
}

#[test]
fn every_code_has_a_page_and_a_case_and_nothing_else_has() {
    let codes: BTreeSet<String> = codes().into_iter().map(|(_, word)| word).collect();
    assert_eq!(pages("src/diag/pages"), codes);
    let without: BTreeSet<String> = WITHOUT_A_CASE.iter().map(|(code, _)| (*code).to_owned()).collect();
    let with_case: BTreeSet<String> = codes.difference(&without).cloned().collect();
    assert_eq!(pages("tests/cases/errors"), with_case);
}

#[test]
fn a_page_begins_with_its_code_and_a_case_shows_it() {
    let mut found = Vec::new();
    for (_, word) in codes() {
        let page = fs::read_to_string(repository().join(format!("src/diag/pages/{word}.md"))).unwrap();
        if !page.starts_with(&format!("# {word}\n")) {
            found.push(format!("src/diag/pages/{word}.md: the title is not the code"));
        }
        let case = fs::read_to_string(repository().join(format!("tests/cases/errors/{word}.md"))).unwrap_or_default();
        if !case.contains(&format!("[{word}]")) && !WITHOUT_A_CASE.iter().any(|(code, _)| *code == word) {
            found.push(format!("tests/cases/errors/{word}.md: `[{word}]` is not in it"));
        }
    }
    check(found);
}

#[test]
fn every_code_is_used() {
    let files = source_files();
    let used = |variant: &str| {
        let name = format!("Code::{variant}");
        files.iter().filter(|file| file.path != "diag/code.rs").any(|file| file.places(&name).next().is_some())
    };
    check(
        codes()
            .into_iter()
            .filter(|(variant, _)| !used(variant))
            .map(|(_, word)| format!("`{word}` is not used"))
            .collect(),
    );
}

#[test]
fn every_command_has_its_help_in_the_reference() {
    let commands = fs::read_to_string(repository().join("src/cli/command/mod.rs")).unwrap();
    let reference = fs::read_to_string(repository().join("tests/cases/cli/reference.md")).unwrap();
    let variant = |line: &str| Some(line.trim().strip_suffix("),")?.split_once('(')?.0.to_owned());
    let commands: Vec<String> = commands.lines().filter_map(variant).map(|name| kebab(&name)).collect();
    assert!(commands.len() > 10, "the list of commands was not understood: {commands:?}");
    let missing = commands.iter().filter(|command| !reference.contains(&format!("$ karat {command} --help\n")));
    check(missing.map(|command| format!("tests/cases/cli/reference.md: no `karat {command} --help`")).collect());
}

/// `SampleData` as `sample-data`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[test]
fn the_demo_brings_every_file_of_the_sample_project() {
    let list = fs::read_to_string(repository().join("src/sample/project_files.rs")).unwrap();
    let listed: BTreeSet<String> =
        list.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.strip_suffix("\",")?.to_owned())).collect();
    let mut files = Vec::new();
    for folder in ["models", "macros", "tests/data"] {
        walk(&repository().join(folder), &mut files);
    }
    files.push(repository().join("project.yml"));
    let there: BTreeSet<String> = files.iter().map(|path| relative(path)).collect();
    assert_eq!(listed, there);
}

#[test]
fn no_text_holds_unfinished_work_or_a_place_on_somebodys_machine() {
    // Put together here, so that this file is not found itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let homes = ["home", "root", "Users", "work", "tmp", "var"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for path in texts() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let is_place =
                |home: &String| line.match_indices(home.as_str()).any(|(start, _)| stands_alone(line, start));
            let unfinished = words.iter().find(|word| line.contains(*word)).map(|word| (*word).to_owned());
            if let Some(what) = unfinished.or_else(|| homes.iter().find(|home| is_place(home)).cloned()) {
                found.push(format!("{}:{}: `{what}`", relative(&path), number + 1));
            }
        }
    }
    check(found);
}

/// Whether a path begins here, and not in the middle of another one or of a URL.
fn stands_alone(line: &str, start: usize) -> bool {
    let before = line.get(..start).and_then(|before| before.chars().next_back());
    before.is_none_or(|letter| {
        !letter.is_alphanumeric() && !matches!(letter, '.' | '_' | '-' | '/' | ']' | '}' | '*' | '~')
    })
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().to_str().unwrap().replace('\\', "/")
}

/// The text files of the repository.
fn texts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if NOT_OURS.contains(&name.as_str()) || name == "Cargo.lock" {
            continue;
        }
        if entry.path().is_dir() { walk(&entry.path(), &mut found) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}
