//! Every example in `README.md` and `docs/` is true: it is replayed in the sample project as `karat demo` leaves it.

use std::path::PathBuf;
use std::{env, fs};

use crate::cases::{replay, replay_all};
use crate::command;
use crate::document::{Console, Part, parse};
use crate::folder::{Folder, repository};

#[test]
fn every_example_of_the_documentation_is_true() {
    let demo = Folder::with_sample();
    demo.karat(&["demo"]);
    let mut failures = replay_all(&documents(), |path| replay(path, &Folder::like(&demo)));
    failures.extend(stale_charts(&demo));
    assert!(failures.is_empty(), "\n{}\nUPDATE=1 writes the answers anew\n", failures.join("\n"));
}

/// The charts that documents show, `docs/charts/MODEL.CHART.svg`, which are not what karat draws now.
fn stale_charts(demo: &Folder) -> Vec<String> {
    let mut stale = Vec::new();
    let entries = fs::read_dir(repository().join("docs/charts")).unwrap().map(|entry| entry.unwrap().path());
    let charts: Vec<PathBuf> = entries.collect();
    assert!(!charts.is_empty(), "documents show charts");
    for path in charts {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (model, chart) = name.split_once('.').unwrap();
        demo.karat(&["chart", model, "--chart", chart, "--out", "drawn.svg"]);
        let drawn = fs::read_to_string(demo.root().join("drawn.svg")).unwrap();
        if fs::read_to_string(&path).unwrap() == drawn {
            continue;
        }
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, drawn).unwrap();
        } else {
            stale.push(format!("{} is not what karat draws now", path.display()));
        }
    }
    stale
}

#[test]
fn only_what_builds_karat_or_needs_a_server_is_not_run() {
    for path in documents() {
        let shown = path.display();
        let text = fs::read_to_string(&path).unwrap();
        for console in parse(&text).unwrap().iter().filter_map(as_console) {
            let is_run = console.info == "console";
            assert!(is_run || console.info == "console,no_run", "{shown}:{}: `{}`", console.line, console.info);
            for step in &console.steps {
                let words = command::words(&step.command()).unwrap();
                let program = words.iter().find(|word| !word.contains('='));
                let needs_server = words.windows(2).any(|pair| pair == ["--target", "minio"]);
                let is_allowed = program.is_some_and(|program| match program.as_str() {
                    "karat" => is_run || needs_server,
                    other => !is_run && ["cargo", "git", "cd"].contains(&other),
                });
                assert!(is_allowed, "{shown}:{}: `{}` in a block `{}`", console.line, step.command(), console.info);
            }
        }
        for hidden in ["```sh", "```bash", "```shell"] {
            assert!(!text.contains(hidden), "{shown}: use a block `console`, which is run, and not `{hidden}`");
        }
    }
}

fn as_console(part: &Part) -> Option<&Console> {
    match part {
        Part::Console(console) => Some(console),
        Part::Text(_) | Part::File { .. } => None,
    }
}

/// The README and everything in `docs`.
fn documents() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    documents.push(repository().join("README.md"));
    documents.sort();
    documents
}
