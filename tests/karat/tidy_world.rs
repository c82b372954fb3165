//! What touches the world stays at its edges: files, environment, clocks, random numbers, and waiting for any of them.

use crate::source_text::{SourceFile, source_files};
use crate::tidy::check;

/// A part of the world, the words by which code reaches it, and the files or folders that may.
struct Edge {
    what: &'static str,
    words: &'static [&'static str],
    homes: &'static [&'static str],
}

const EDGES: [Edge; 5] = [
    // `memory.rs` asks the system how much memory there is.
    Edge {
        what: "files",
        words: &["fs", "tempfile", "File"],
        homes: &["host/os.rs", "host/package_folder.rs", "store/", "memory.rs"],
    },
    Edge { what: "the environment", words: &["env"], homes: &["cli/world.rs", "cli/mod.rs"] },
    Edge { what: "the time of day", words: &["Utc", "Local", "SystemTime"], homes: &["host/os.rs"] },
    // A stopwatch decides nothing: it says how long something took, or that it has taken too long.
    Edge { what: "a stopwatch", words: &["Instant"], homes: &["store/", "run/", "terminal/", "cli/"] },
    Edge { what: "random numbers", words: &["getrandom", "thread_rng", "RandomState"], homes: &["store/"] },
];

/// What a word must be followed by to reach the world: types alone, as `DateTime<Utc>`, are data.
fn reaches(word: &str, rest: &str) -> bool {
    match word {
        "Utc" | "Local" | "SystemTime" | "Instant" => rest.starts_with("::now"),
        "File" => ["::open", "::create", "::options"].iter().any(|call| rest.starts_with(call)),
        "fs" | "tempfile" | "env" => rest.starts_with("::"),
        _ => true,
    }
}

/// Where a file reaches an edge of the world, as `store/proof.rs:54: random numbers`.
fn reached(file: &SourceFile, edge: &Edge) -> Vec<String> {
    let mut found = Vec::new();
    for word in edge.words {
        for offset in file.places(word) {
            let (before, rest) = file.code.split_at(offset);
            // A module of ours that is called so has nothing to do with it.
            let is_ours = before.ends_with("self::") || before.ends_with("super::") || before.ends_with("crate::");
            if reaches(word, rest.split_at(word.len()).1) && !is_ours && offset < file.code_without_tests().len() {
                found.push(format!("src/{}:{}: {} ({word})", file.path, file.line(offset), edge.what));
            }
        }
    }
    found
}

#[test]
fn the_world_is_touched_at_its_edges_only() {
    let mut found = Vec::new();
    for file in source_files().iter().filter(|file| !file.is_test()) {
        for edge in &EDGES {
            if !edge.homes.iter().any(|home| file.path.starts_with(home)) {
                found.extend(reached(file, edge));
            }
        }
    }
    check(found);
}

/// The modules that decide as data what is to be done. Those before `store` in `lib.rs` have a test of their own.
const DECIDING: [&str; 3] = ["incremental", "check", "plan"];

#[test]
fn deciding_never_waits() {
    let files = source_files();
    let mut found = Vec::new();
    for module in DECIDING {
        let own: Vec<&SourceFile> = files.iter().filter(|file| file.module() == module && !file.is_test()).collect();
        assert!(!own.is_empty(), "there is no module `{module}`");
        for file in own {
            for word in ["async", "await", "tokio", "block_on"] {
                let places = file.places(word).filter(|offset| *offset < file.code_without_tests().len());
                found.extend(places.map(|offset| format!("src/{}:{}: `{word}`", file.path, file.line(offset))));
            }
        }
    }
    check(found);
}

#[test]
fn the_edges_are_seen() {
    let text =
        "use std::{env, fs};\nfn f(at: DateTime<Utc>) { fs::read(env::var(\"X\")); Utc::now(); super::env::f(); }\n";
    let code = crate::source_text::code_of(text);
    let file = SourceFile { path: "plan/x.rs".to_owned(), text: text.to_owned(), code };
    let found: Vec<String> = EDGES.iter().flat_map(|edge| reached(&file, edge)).collect();
    assert_eq!(
        found,
        [
            "src/plan/x.rs:2: files (fs)",
            "src/plan/x.rs:2: the environment (env)",
            "src/plan/x.rs:2: the time of day (Utc)"
        ]
    );
}
