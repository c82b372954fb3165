//! The rules about types: each has a name of its own, stages' types are not changed, and tuples are not parameters.

use std::collections::BTreeMap;

use crate::source_text::{SourceFile, source_files};
use crate::tidy::check;

/// So many names stand for two types or more. Lower it when there are fewer.
const MOST_SHARED_NAMES: usize = 10;

/// The types that a stage makes, and the module that may change them while it makes them.
const STAGES: [(&str, &str); 8] = [
    ("ProjectFiles", "project"),
    ("Project", "project"),
    ("RenderedModels", "template"),
    ("Dag", "graph"),
    ("Selection", "select"),
    ("TypedModel", "analyze"),
    ("RunPlan", "plan"),
    ("RunReport", "run"),
];

/// Files that count or find with a hash map, and never show its order.
const HASHED: [&str; 5] = [
    "analyze/arithmetic/sum.rs",
    "engine/slice_tally/mod.rs",
    "partition_writer/encoding.rs",
    "partition_writer/key.rs",
    "partition_writer/store.rs",
];

fn code_files() -> Vec<SourceFile> {
    source_files().into_iter().filter(|file| !file.is_test()).collect()
}

/// The name of the type that a line of code defines at the top of a module.
fn defined_type(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => line,
    };
    let rest = ["struct ", "enum ", "trait ", "type ", "union "].iter().find_map(|word| line.strip_prefix(word))?;
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    rest.get(..end).filter(|name| name.starts_with(|letter: char| letter.is_ascii_uppercase()))
}

#[test]
fn a_type_has_a_name_of_its_own() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in code_files() {
        for name in file.code_without_tests().lines().filter_map(defined_type) {
            places.entry(name.to_owned()).or_default().push(file.path.clone());
        }
    }
    let shared: Vec<String> = places
        .iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| format!("`{name}` in {}", files.join(", ")))
        .collect();
    assert!(shared.len() <= MOST_SHARED_NAMES, "{} names are shared:\n{}\n", shared.len(), shared.join("\n"));
}

/// The parameters of each function, with the offset of its name.
fn parameters(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let (before, rest) = code.split_at(start);
        let rest = rest.split_at("fn ".len()).1;
        let name = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let is_word = !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        // Type parameters may hold brackets of their own, as in `fn f<F: Fn(u8)>(…)`.
        let behind = rest.split_at(name).1;
        let generics = if behind.starts_with('<') { closing(behind, '<', '>') } else { Some(0) };
        if let (true, 1.., Some(generics)) = (is_word, name, generics)
            && let Some(list) = behind.get(generics..).filter(|rest| rest.starts_with('('))
            && let Some(end) = closing(list, '(', ')')
        {
            found.push((start, inside(list, end)));
        }
    }
    found
}

/// How long the bracket is that a text begins with. An arrow closes nothing.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (place, letter) in text.char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close && !matches!(before, '-' | '=') {
            depth -= 1;
            if depth == 0 {
                return Some(place + 1);
            }
        }
        before = letter;
    }
    None
}

/// What is between the brackets of a text that ends there, each of one byte.
fn inside(text: &str, end: usize) -> &str {
    text.get(1..end - 1).unwrap_or_default()
}

/// The parts of a list between its commas; those within brackets do not count.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut parts = Vec::new();
    for (place, letter) in list.char_indices() {
        match letter {
            '(' | '[' | '<' => depth += 1,
            ')' | ']' | '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(list.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.extend(list.get(start..));
    parts
}

/// Whether a pattern or a type is a tuple: brackets with a comma, and not `(dyn Error + Send)`.
fn is_tuple(text: &str) -> bool {
    let text = text.trim().trim_start_matches('&').trim();
    text.starts_with('(') && closing(text, '(', ')').is_some_and(|end| parts(inside(text, end)).len() > 1)
}

/// Whether one of the parameters is taken apart as a tuple, or is of a tuple's type.
fn has_tuple(parameters: &str) -> bool {
    parts(parameters).iter().any(|part| is_tuple(part) || part.split_once(": ").is_some_and(|(_, kind)| is_tuple(kind)))
}

#[test]
fn a_function_takes_no_tuple() {
    let mut found = Vec::new();
    for file in code_files() {
        for (offset, _) in parameters(file.code_without_tests()).into_iter().filter(|(_, list)| has_tuple(list)) {
            found.push(format!("src/{}:{}: a tuple among the parameters", file.path, file.line(offset)));
        }
    }
    check(found);
}

#[test]
fn a_stage_type_is_never_borrowed_to_be_changed() {
    let mut found = Vec::new();
    for file in code_files() {
        for (name, _) in STAGES.iter().filter(|(_, home)| file.module() != *home) {
            for offset in file.places(name).filter(|offset| file.code.split_at(*offset).0.ends_with("&mut ")) {
                found.push(format!("src/{}:{}: `&mut {name}`", file.path, file.line(offset)));
            }
        }
    }
    check(found);
}

#[test]
fn hash_maps_stay_where_they_count() {
    let mut found = Vec::new();
    for file in code_files().iter().filter(|file| !HASHED.contains(&file.path.as_str())) {
        for word in ["HashMap", "HashSet"] {
            let places = file.places(word).filter(|offset| *offset < file.code_without_tests().len());
            found.extend(places.map(|offset| format!("src/{}:{}: `{word}`", file.path, file.line(offset))));
        }
    }
    check(found);
}

#[test]
fn types_and_tuples_are_seen() {
    assert_eq!(defined_type("pub(crate) struct Lake {"), Some("Lake"));
    assert_eq!(defined_type("    type Err = String;"), None, "an associated type is no type of its own");
    let lists = parameters("fn f<F: Fn(u8) -> u8>((a, b): (u8, u8), f: F) {} fn g(pair: &(u8, u8)) {} fn h(f: F) {}");
    assert_eq!(lists.iter().map(|(_, list)| has_tuple(list)).collect::<Vec<_>>(), [true, true, false]);
    assert!(!has_tuple("f: impl Fn((u8, u8)) -> u8, list: &[(u8, u8)]"), "what a closure or a list takes is its own");
    assert!(!has_tuple("error: &(dyn Error + 'static), now: &(dyn Fn(u8, u8) -> u8 + Send)"));
}
