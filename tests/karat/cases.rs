//! Replays the documents in `tests/cases`: what a user types, and what karat answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::command;
use crate::difference::{difference, matches};
use crate::document::{Part, Step, answer_lines, parse, print};
use crate::folder::{Folder, repository, walk};
use crate::redact::redact;

/// The folders of cases; each is one test.
const FOLDERS: [&str; 5] = ["errors", "cli", "run", "select", "plan"];

/// So many documents are replayed at once.
const THREADS: usize = 2;

#[test]
fn errors_say_what_is_wrong_where_and_what_to_do() {
    replay_folder("errors");
}

#[test]
fn commands_answer_as_documented() {
    replay_folder("cli");
}

#[test]
fn runs_do_what_they_say() {
    replay_folder("run");
}

#[test]
fn selectors_choose_models() {
    replay_folder("select");
}

#[test]
fn plans_show_what_is_read() {
    replay_folder("plan");
}

#[test]
fn every_folder_of_cases_is_replayed() {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap());
    let forgotten: Vec<String> = folders.filter(|folder| !FOLDERS.contains(&folder.as_str())).collect();
    assert_eq!(forgotten, [""; 0], "add a test for each");
}

/// Whether the transcripts are to be written anew.
pub(crate) fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

fn root() -> PathBuf {
    repository().join("tests/cases")
}

fn replay_folder(name: &str) {
    let mut documents = Vec::new();
    walk(&root().join(name), &mut documents);
    documents.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    documents.sort();
    assert!(!documents.is_empty(), "there is no case in tests/cases/{name}");
    let failures = replay_all(&documents, |path| replay(path, &Folder::new()));
    assert!(failures.is_empty(), "\n{}\nUPDATE=1 writes the answers anew\n", failures.join("\n"));
}

/// Replays documents side by side; gives what differs, in the order of the documents.
pub(crate) fn replay_all(documents: &[PathBuf], replay: impl Fn(&Path) -> Vec<String> + Sync) -> Vec<String> {
    let waiting = Mutex::new(documents.iter().enumerate());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((index, path)) = next else { break };
                    let failures = replay(path);
                    found.lock().unwrap().push((index, failures));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    found.into_iter().flat_map(|(_, failures)| failures).collect()
}

/// Replays one document in a folder, and gives what differs; with `UPDATE=1` writes the answers into the document.
pub(crate) fn replay(path: &Path, folder: &Folder) -> Vec<String> {
    let shown = path.strip_prefix(repository()).unwrap_or(path).display().to_string();
    let text = fs::read_to_string(path).unwrap();
    let mut parts = match parse(&text) {
        Ok(parts) => parts,
        Err(message) => return vec![format!("{shown}: {message}")],
    };
    let failures = replay_parts(&mut parts, folder, &shown);
    if is_update() && print(&parts) != text {
        fs::write(path, print(&parts)).unwrap();
    }
    failures
}

/// Writes the files of a document and runs its command lines, in their order, and gives what differs; with `UPDATE=1` the answers
/// in the parts are those of now.
pub(crate) fn replay_parts(parts: &mut [Part], folder: &Folder, shown: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::File { path, content, .. } => folder.write(path, content),
            Part::Console(console) if console.info == "console" => {
                for step in &mut console.steps {
                    let place = format!("{shown}:{}", console.line);
                    failures.extend(replay_step(step, folder, &place));
                }
            }
            Part::Console(_) => {}
        }
    }
    failures
}

fn replay_step(step: &mut Step, folder: &Folder, place: &str) -> Option<String> {
    let done = match command::run(&step.command(), folder.root()) {
        Ok(done) => done,
        Err(message) => return Some(format!("{place}: {message}")),
    };
    let mut found = answer_lines(&redact(&done.printed, folder.root()));
    if done.code != 0 {
        found.push(format!("[exit {}]", done.code));
    }
    if is_in_chance_order(step, &found) {
        return Some(format!("{place}: {}\nseveral rows come in any order: add `order by`", step.typed.join("\n")));
    }
    if matches(&step.answer, &found) {
        return None;
    }
    if is_update() {
        step.answer = found;
        return None;
    }
    Some(format!("{place}: {}\n{}", step.typed.join("\n"), difference(&step.answer, &found)))
}

/// Whether a query answers with several rows and does not say in which order: a run on another machine may answer otherwise.
fn is_in_chance_order(step: &Step, found: &[String]) -> bool {
    let command = step.command();
    if !command.contains("karat query ") || command.contains("--help") || command.contains("order by") {
        return false;
    }
    let rule = found.iter().position(|line| line.starts_with('─'));
    let is_csv = command.contains("--output csv");
    let rows = match rule {
        Some(rule) => found.len() - rule - 1,
        None if is_csv => found.len().saturating_sub(1),
        None => found.iter().filter(|line| line.starts_with('{')).count(),
    };
    rows > 1
}
