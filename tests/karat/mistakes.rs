//! Mistakes that an analyst makes who comes from dbt, and what karat says to each: it names the place to edit, and what to write.
//!
//! Each section of the documents in `tests/mistakes` is one mistake in a fresh copy of `tests/mistakes/project`. `Place:` and `Remedy:`
//! say what the answer must underline and what its help must contain; below stands the answer itself, which `UPDATE=1` writes anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cases::{is_update, replay_parts};
use crate::document::{Part, parse, print};
use crate::folder::{Folder, copy, repository};

/// How many mistakes there are.
const MISTAKES: usize = 135;

/// Those that are not answered with the place and the remedy.
const UNANSWERED: [&str; 1] = [
    // It means what PostgreSQL says it means; DuckDB, for which dbt projects are often written, would give a fraction.
    "sql.md: Division of integers",
];

/// What the answer to a mistake must say.
#[derive(Debug, Default)]
struct Expected {
    /// `None` where nothing is wrong, and karat must not complain.
    place: Option<Place>,
    remedy: Option<String>,
}

#[derive(Debug)]
enum Place {
    /// A line of a file, and what is underlined there.
    File { line: String, underlined: String },
    /// A word of the command line, which the message must quote.
    CommandLine { word: String },
}

impl Expected {
    /// Reads the lines `Place: …` and `Remedy: …` of a section.
    fn of(section: &[Part]) -> Result<Expected, String> {
        let mut expected = Expected::default();
        let mut is_nothing = false;
        for line in section.iter().filter_map(text_of).flatten() {
            if let Some(place) = line.strip_prefix("Place: ") {
                let (place, quoted) =
                    place.split_once(", ``").ok_or("write: Place: FILE:LINE, ``WHAT IS UNDERLINED``")?;
                let quoted = quoted.trim_end_matches("``").to_owned();
                expected.place = Some(match place {
                    "the command line" => Place::CommandLine { word: quoted },
                    _ => Place::File { line: place.to_owned(), underlined: quoted },
                });
            }
            if let Some(remedy) = line.strip_prefix("Remedy: ") {
                expected.remedy = Some(remedy.trim_matches('`').to_owned());
            }
            is_nothing |= line == "Nothing is wrong.";
        }
        match (expected.place.is_some(), expected.remedy.is_some(), is_nothing) {
            (true, true, false) | (false, false, true) => Ok(expected),
            _ => Err("say both `Place:` and `Remedy:`, or `Nothing is wrong.`".to_owned()),
        }
    }

    /// What the answer lacks; empty if it is as it should be.
    fn missing_in(&self, answer: &[String]) -> Vec<String> {
        let first = first_diagnostic(answer);
        let mut missing = Vec::new();
        match &self.place {
            None if answer.iter().any(|line| line.starts_with("[exit ")) => missing.push("it is refused".to_owned()),
            None => {}
            Some(Place::CommandLine { word }) if !first.first().is_some_and(|line| line.contains(word.as_str())) => {
                missing.push(format!("the message does not name `{word}`"));
            }
            Some(Place::CommandLine { .. }) => {}
            Some(Place::File { line, underlined }) => {
                let place = first.iter().find_map(|line| line.trim_start().strip_prefix("--> ")).unwrap_or("nowhere");
                if !place.starts_with(&format!("{line}:")) {
                    missing.push(format!("it is placed at {place}, not at {line}"));
                }
                let found = underlined_in(first).unwrap_or_default();
                if found != *underlined {
                    missing.push(format!("it underlines `{found}`, not `{underlined}`"));
                }
            }
        }
        if let Some(remedy) = &self.remedy {
            let is_help = |line: &&String| ["= help:", "tip:"].iter().any(|word| line.trim_start().starts_with(word));
            let is_message = |line: &&String| line.starts_with("error");
            let helps = first.iter().filter(|line| is_help(line) || is_message(line));
            let mut helps = helps.chain(first.iter().filter(|_| !first.iter().any(|line| is_message(&line))));
            let told = helps.any(|line| line.contains(remedy.as_str()));
            if !told {
                missing.push(format!("no help has `{remedy}`"));
            }
        }
        missing
    }
}

/// The first error of an answer, or the warning that there is instead; all of it if there is neither.
fn first_diagnostic(answer: &[String]) -> &[String] {
    let first = |word: &str| answer.iter().position(|line| line.starts_with(word));
    let start = first("error").or_else(|| first("warning[missing-column]")).unwrap_or(0);
    let rest = &answer[start..];
    let next = rest.iter().skip(1).position(|line| line.starts_with("error[") || line.starts_with("warning["));
    &rest[..next.map_or(rest.len(), |next| next + 1)]
}

/// The text above the first `^^^`.
fn underlined_in(diagnostic: &[String]) -> Option<String> {
    let marks = diagnostic.iter().position(|line| line.contains('^') && line.trim_start().starts_with('|'))?;
    let line = diagnostic.get(marks.checked_sub(1)?)?;
    let marked = diagnostic[marks].chars().enumerate().filter(|(_, letter)| *letter == '^').map(|(column, _)| column);
    let columns: Vec<usize> = marked.collect();
    let (first, last) = (*columns.first()?, *columns.last()?);
    let text: String = line.chars().skip(first).take(last + 1 - first).collect();
    Some(text.trim_end().to_owned())
}

fn text_of(part: &Part) -> Option<&Vec<String>> {
    match part {
        Part::Text(lines) => Some(lines),
        Part::File { .. } | Part::Console(_) => None,
    }
}

/// The text of a document before its first section, and its sections.
fn sections(text: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in text.lines() {
        if line.starts_with("## ") {
            sections.push(String::new());
        }
        let last = sections.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
    }
    sections
}

/// What one document gave.
#[derive(Default)]
struct Tally {
    mistakes: usize,
    /// Their titles, with what the answers lack.
    unanswered: Vec<(String, String)>,
    failures: Vec<String>,
}

impl Tally {
    /// Makes one mistake, and gives its section with the answer.
    fn make_mistake(&mut self, shown: &str, section: &str) -> String {
        let title = section.lines().next().unwrap_or_default().trim_start_matches("## ").to_owned();
        let shown = format!("{shown}: {title}");
        let mut parts = match parse(section) {
            Ok(parts) => parts,
            Err(message) => {
                self.failures.push(format!("{shown}: {message}"));
                return section.to_owned();
            }
        };
        let expected = match Expected::of(&parts) {
            Ok(expected) => expected,
            Err(message) => {
                self.failures.push(format!("{shown}: {message}"));
                return section.to_owned();
            }
        };
        let folder = Folder::new();
        copy(&root().join("project"), folder.root());
        self.failures.extend(replay_parts(&mut parts, &folder, &shown));
        let mut answers = parts.iter().filter_map(|part| match part {
            Part::Console(console) => console.steps.last().map(|step| &step.answer),
            Part::Text(_) | Part::File { .. } => None,
        });
        let Some(answer) = answers.next_back() else {
            self.failures.push(format!("{shown}: no command line"));
            return section.to_owned();
        };
        let missing = expected.missing_in(answer);
        self.mistakes += 1;
        if !missing.is_empty() {
            self.unanswered.push((shown, format!("{}\n{}", missing.join("; "), answer.join("\n"))));
        }
        print(&parts)
    }
}

fn root() -> PathBuf {
    repository().join("tests/mistakes")
}

fn replay(path: &Path, tally: &mut Tally) {
    let shown = path.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(path).unwrap();
    let sections = sections(&text);
    let (before, sections) = sections.split_first().unwrap();
    let mut told = before.clone();
    for section in sections {
        told.push_str(&tally.make_mistake(shown, section));
    }
    if is_update() && told != text {
        fs::write(path, told).unwrap();
    }
}

#[test]
fn every_mistake_is_answered_with_its_place_and_a_remedy() {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    documents.sort();
    let mut tally = Tally::default();
    for path in &documents {
        replay(path, &mut tally);
    }
    assert!(tally.failures.is_empty(), "\n{}\nUPDATE=1 writes the answers anew\n", tally.failures.join("\n\n"));
    let known = |title: &String| UNANSWERED.contains(&title.as_str());
    let news: Vec<String> = tally
        .unanswered
        .iter()
        .filter(|(title, _)| !known(title))
        .map(|(title, missing)| format!("{title}: {missing}"))
        .collect();
    assert!(news.is_empty(), "\n{}", news.join("\n\n"));
    assert_eq!((tally.mistakes, tally.unanswered.len()), (MISTAKES, UNANSWERED.len()));
}

#[test]
fn an_answer_with_another_place_or_remedy_is_noticed() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let answer = lines(
        "error[x]: no\n --> a.sql:2:6\n  |\n2 | from x yz\n  |      - ^^ here\n  |\n  = help: write `y`\n[exit 1]",
    );
    let expected = |line: &str, underlined: &str, remedy: &str| Expected {
        place: Some(Place::File { line: line.to_owned(), underlined: underlined.to_owned() }),
        remedy: Some(remedy.to_owned()),
    };
    assert_eq!(expected("a.sql:2", "yz", "`y`").missing_in(&answer), [""; 0]);
    for wrong in [expected("a.sql:1", "yz", "`y`"), expected("a.sql:2", "y", "`y`"), expected("a.sql:2", "yz", "`z`")] {
        assert_eq!(wrong.missing_in(&answer).len(), 1, "{wrong:?}");
    }
    assert_eq!(Expected::default().missing_in(&answer).len(), 1);
    assert_eq!(Expected::default().missing_in(&lines("1 model")), [""; 0]);
}
