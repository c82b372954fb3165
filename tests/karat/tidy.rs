//! The rules of the code that no compiler checks.

use std::collections::BTreeMap;
use std::fs;

use crate::folder::repository;
use crate::source_text::{SourceFile, code_of, rust_files, source_files};

/// Third-party crates that stay in one place, so that they can be replaced there.
const ONLY_IN: [(&str, &[&str]); 19] = [
    ("annotate_snippets", &["diag/render.rs"]),
    // A cluster: what plans look like on the way, and the three programs.
    ("ballista_core", &["engine/codec.rs", "cluster/"]),
    ("ballista_executor", &["cluster/"]),
    ("ballista_scheduler", &["cluster/"]),
    ("datafusion_proto", &["engine/codec.rs"]),
    ("tonic", &["cluster/client.rs", "cluster/session.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("delta_kernel", &["store/snapshot.rs"]),
    ("indicatif", &["terminal/"]),
    ("md5", &["template/function/", "artifacts/digest.rs"]),
    // Models, and the values of YAML, which must be known before there is a project whose models could be rendered.
    ("minijinja", &["template/", "project/yaml_template.rs"]),
    // The lake, what reads its files, where one is opened, and where its faults are told.
    ("object_store", &["store/", "engine/", "cluster/", "execute/engine.rs", "execute/engine_error.rs", "pipeline/"]),
    ("regex", &["template/function/"]),
    // Lineage events for a server that the user names.
    ("reqwest", &["pipeline/openlineage/transport.rs"]),
    ("serde_saphyr", &["project/"]),
    ("pulldown_cmark", &["site/markdown.rs"]),
    ("sha2", &["artifacts/digest.rs", "site/mod.rs"]),
    ("sqlparser", &["analyze/"]),
];

/// What says how a table is made and cut, and the files that may name it. Everyone else asks a method, so that a new
/// materialization is one file.
const ASKED_NOT_MATCHED: [(&str, &[&str]); 5] = [
    ("Upkeep::", &["project/materialize/", "incremental/decide/"]),
    ("BatchWrite::", &["project/materialize/"]),
    ("Build::", &["incremental/decide/", "run/write.rs", "run/publish.rs"]),
    ("SliceLayout::ByFile", &["table/", "analyze/typed_model.rs"]),
    ("SliceLayout::Shared", &["table/", "analyze/typed_model.rs"]),
];

/// What the front half must not name.
const ENGINE: [&str; 7] = ["arrow", "async_trait", "datafusion", "delta_kernel", "object_store", "parquet", "tokio"];

/// Code lines of a file, its unit tests left out.
const MOST_LINES: usize = 500;

/// Fails with all that was found.
pub(crate) fn check(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The modules of `lib.rs` in reading order, and how many of them stand above the engine line.
fn layers() -> (Vec<String>, usize) {
    let text = fs::read_to_string(repository().join("src/lib.rs")).unwrap();
    let mut layers = Vec::new();
    let mut above = None;
    for line in text.lines() {
        if line.contains("feature = \"engine\"") && above.is_none() {
            above = Some(layers.len());
        }
        let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
        if let ["mod", name] | ["pub", "mod", name] | ["pub(crate)", "mod", name] = words.as_slice() {
            layers.push((*name).to_owned());
        }
    }
    let above = above.unwrap_or(layers.len());
    (layers, above)
}

/// The modules that a file names after `crate::`, with their offsets.
fn named_modules(file: &SourceFile) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (start, _) in file.code.match_indices("crate::") {
        let rest = file.code.split_at(start + "crate::".len()).1;
        match rest.strip_prefix('{') {
            Some(group) => {
                // Only the first names of the group's parts are modules.
                let (mut depth, mut part) = (0_usize, String::new());
                for letter in group.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => named.push((start, first_name(&std::mem::take(&mut part)))),
                        other if depth == 0 => part.push(other),
                        _ => {}
                    }
                }
                named.push((start, first_name(&part)));
            }
            None => named.push((start, first_name(rest))),
        }
    }
    named
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn modules_only_look_down() {
    let (layers, _) = layers();
    let place: BTreeMap<&str, usize> = layers.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut found = Vec::new();
    for file in source_files() {
        // Unit tests may look where they like.
        if file.is_test() || matches!(file.path.as_str(), "lib.rs" | "main.rs") {
            continue;
        }
        let Some(own) = place.get(file.module()) else {
            found.push(format!("src/{}: `lib.rs` has no module `{}`", file.path, file.module()));
            continue;
        };
        for (offset, name) in named_modules(&file) {
            let is_below = place.get(name.as_str()).is_some_and(|other| other > own);
            if is_below && offset < file.code_without_tests().len() {
                let line = file.line(offset);
                found.push(format!("src/{}:{line}: `{name}` stands below `{}` in lib.rs", file.path, file.module()));
            }
        }
    }
    check(found);
}

#[test]
fn the_front_half_knows_no_engine() {
    let (layers, above) = layers();
    assert!(above > 0 && above < layers.len(), "lib.rs has no engine line");
    check(mentions(&layers[..above], |file, _| named_crates(file, &ENGINE)));
}

#[test]
fn nothing_before_the_store_is_async() {
    let (layers, _) = layers();
    let store = layers.iter().position(|layer| layer == "store").unwrap();
    check(mentions(&layers[..store], |file, _| {
        ["async", "await"].into_iter().flat_map(|word| file.places(word).map(move |offset| (offset, word))).collect()
    }));
}

#[test]
fn third_party_crates_stay_where_they_are_used() {
    let (layers, _) = layers();
    check(mentions(&layers, |file, path| {
        let elsewhere = |(_, homes): &&(&str, &[&str])| !homes.iter().any(|home| path.starts_with(home));
        let away: Vec<&str> = ONLY_IN.iter().filter(elsewhere).map(|(name, _)| *name).collect();
        named_crates(file, &away)
    }));
}

/// What the command line asks the library for, and never reaches by itself.
const BEHIND_THE_LIBRARY: [&str; 5] = ["store", "table", "engine", "incremental", "run"];

#[test]
fn the_command_line_is_a_client_of_the_library() {
    let mut found = Vec::new();
    for file in source_files().into_iter().filter(|file| file.module() == "cli" && !file.is_test()) {
        for (offset, name) in named_modules(&file) {
            if BEHIND_THE_LIBRARY.contains(&name.as_str()) && offset < file.code_without_tests().len() {
                found.push(format!("src/{}:{}: `{name}` is behind `pipeline`", file.path, file.line(offset)));
            }
        }
    }
    check(found);
}

#[test]
fn materializations_are_asked_and_not_matched() {
    let (layers, _) = layers();
    check(mentions(&layers, |file, path| {
        let elsewhere = |(_, homes): &&(&str, &[&str])| !homes.iter().any(|home| path.starts_with(home));
        let away = ASKED_NOT_MATCHED.iter().filter(elsewhere).map(|(name, _)| *name);
        away.flat_map(|name| variants(file, name).map(move |offset| (offset, name))).collect()
    }));
}

#[test]
fn only_the_console_prints() {
    let macros = ["println", "eprintln", "print", "eprint", "dbg"];
    let may_print =
        |file: &SourceFile| file.is_test() || matches!(file.path.as_str(), "terminal/console.rs" | "main.rs");
    let found = source_files().into_iter().filter(|file| !may_print(file));
    let calls = |file: &SourceFile| {
        let is_call = |offset: &usize, word: &str| file.code.split_at(offset + word.len()).1.starts_with('!');
        let found = macros.iter().flat_map(|word| file.places(word).filter(|offset| is_call(offset, word)));
        found.map(|offset| format!("src/{}:{}: prints", file.path, file.line(offset))).collect::<Vec<_>>()
    };
    check(found.flat_map(|file| calls(&file)).collect());
}

#[test]
fn a_stage_type_has_no_setters() {
    // Settings are what a template's `config()` adds to while it is rendered.
    let files = source_files().into_iter().filter(|file| file.path != "project/settings.rs");
    let setters = |file: SourceFile| {
        let found = file.code.match_indices("pub fn set_").map(|(offset, _)| offset);
        found.map(|offset| format!("src/{}:{}: a setter", file.path, file.line(offset))).collect::<Vec<_>>()
    };
    check(files.flat_map(setters).collect());
}

#[test]
fn a_file_has_at_most_500_lines() {
    let long = |file: &SourceFile| {
        let lines = file.code_without_tests().lines().count();
        (lines > MOST_LINES && !file.is_test()).then(|| format!("src/{}: {lines} lines", file.path))
    };
    check(source_files().iter().filter_map(long).collect());
}

#[test]
fn a_file_begins_by_saying_what_it_is_for() {
    let of_tests = rust_files(&repository().join("tests"));
    let of_source = source_files().into_iter().map(|file| (format!("src/{}", file.path), file.text));
    let all = of_source.chain(of_tests.into_iter().map(|(path, text)| (format!("tests/{path}"), text)));
    let silent = |(path, text): (String, String)| {
        let first = text.lines().next().unwrap_or("");
        (!first.starts_with("//! ")).then(|| format!("{path}: the first line is `{first}`"))
    };
    check(all.filter_map(silent).collect());
}

/// What is found in the files of some modules, said with file and line. Unit tests may name what they like.
fn mentions<'w>(modules: &[String], find: impl Fn(&SourceFile, &str) -> Vec<(usize, &'w str)>) -> Vec<String> {
    let mut said = Vec::new();
    for file in source_files() {
        if !file.is_test() && modules.iter().any(|module| module == file.module()) {
            for (offset, word) in find(&file, &file.path) {
                if offset < file.code_without_tests().len() {
                    said.push(format!("src/{}:{}: `{word}` does not belong here", file.path, file.line(offset)));
                }
            }
        }
    }
    said
}

/// Where a file names one of these crates, as `name::…` or `use name`.
fn named_crates<'w>(file: &SourceFile, crates: &[&'w str]) -> Vec<(usize, &'w str)> {
    let is_crate = |offset: usize, name: &str| {
        let (before, rest) = file.code.split_at(offset);
        let is_path = before.ends_with("::") && !before.ends_with(" ::");
        !is_path && (rest.split_at(name.len()).1.starts_with("::") || before.trim_end().ends_with("use"))
    };
    crates
        .iter()
        .flat_map(|name| file.places(name).filter(|offset| is_crate(*offset, name)).map(|offset| (offset, *name)))
        .collect()
}

/// Where a file names a variant: one that is said, or any of an enum.
fn variants<'f>(file: &'f SourceFile, path: &'f str) -> impl Iterator<Item = usize> + 'f {
    let name = path.split("::").next().unwrap_or(path);
    file.places(name).filter(move |offset| {
        let after = file.code.split_at(*offset).1.strip_prefix(path);
        // Functions of the type are small letters.
        after.is_some_and(|rest| !path.ends_with("::") || rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
    })
}

#[test]
fn the_rules_see_what_they_look_for() {
    let text = "use clap::Parser;\nuse crate::{name, run::{Run, plan}};\nfn f() { crate::store::open(other::clap::x, \"clap::y\") }\n";
    let file = SourceFile { path: "day.rs".to_owned(), text: text.to_owned(), code: code_of(text) };
    let names: Vec<String> = named_modules(&file).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["name", "run", "store"]);
    assert_eq!(named_crates(&file, &["clap", "tokio"]), [(4, "clap")]);
    let text =
        "use crate::Build;\nfn f(build: Build) -> bool { build == Build::Whole || Build::kind() == Rebuild::Whole }\n";
    let file = SourceFile { path: "day.rs".to_owned(), text: text.to_owned(), code: code_of(text) };
    assert_eq!(variants(&file, "Build::").count(), 1);
}
