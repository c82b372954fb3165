//! Blocks of documentation, which Markdown files hold and descriptions name.

use std::collections::BTreeMap;

use super::ProjectFiles;
use crate::span::{FileId, SourceFiles};

/// A block `{% docs name %} … {% enddocs %}`.
#[derive(Debug, Clone)]
pub struct DocBlock {
    /// The package that it belongs to. `None` if the name of that is wrong.
    pub package: Option<String>,
    pub name: String,
    pub text: String,
    pub file: FileId,
}

/// Adds the blocks of a file.
fn add_docs(text: &str, file: FileId, package: Option<&str>, docs: &mut Vec<DocBlock>) {
    let mut rest = text;
    while let Some((name, after)) = next_tag(rest, "docs") {
        let end = next_tag_start(after, "enddocs").unwrap_or(after.len());
        let text = after.get(..end).unwrap_or_default().trim().to_owned();
        docs.push(DocBlock { package: package.map(str::to_owned), name: name.trim().to_owned(), text, file });
        rest = after.get(end..).unwrap_or_default();
    }
}

/// The texts by name; also with the package in front: `dbt_utils.star`.
pub(super) fn texts_by_name(docs: &[DocBlock]) -> BTreeMap<String, String> {
    let mut by_name = BTreeMap::new();
    for block in docs {
        if let Some(package) = &block.package {
            by_name.insert(format!("{package}.{}", block.name), block.text.clone());
        }
        // The project's own blocks come first, and stay.
        by_name.entry(block.name.clone()).or_insert_with(|| block.text.clone());
    }
    by_name
}

/// The text inside the next tag that begins with a word, and what stands behind the tag.
fn next_tag<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let start = next_tag_start(text, word)?;
    let (inside, after) = text.get(start + 2..)?.split_once("%}")?;
    let name = inside.trim_matches(['-', ' ']).strip_prefix(word)?;
    Some((name, after))
}

fn next_tag_start(text: &str, word: &str) -> Option<usize> {
    text.match_indices("{%").map(|(start, _)| start).find(|start| {
        let inside = text.get(start + 2..).unwrap_or_default().trim_start_matches('-').trim_start();
        inside.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '-', '%']))
    })
}

/// The blocks of all files, those of the project first.
pub(super) fn all_docs(files: &ProjectFiles, texts: &SourceFiles) -> Vec<DocBlock> {
    let mut docs = Vec::new();
    for package in std::iter::once(files).chain(&files.packages) {
        let name = package.name();
        for found in package.docs() {
            add_docs(texts.text(found.file), found.file, name.as_deref(), &mut docs);
        }
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_documentation_are_found_by_name() {
        let mut docs = Vec::new();
        let text = "# Title\n{% docs a %}\nOne.\n{% enddocs %}\n{%- docs b -%} Two {%- enddocs -%}";
        let file = SourceFiles::default().add("models/docs.md", text);
        add_docs(text, file, Some("p"), &mut docs);
        let docs = texts_by_name(&docs);
        let found: Vec<(&str, &str)> = docs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found, [("a", "One."), ("b", "Two"), ("p.a", "One."), ("p.b", "Two")]);
    }
}
