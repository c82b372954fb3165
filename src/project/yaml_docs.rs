//! Blocks of documentation, which Markdown files hold and descriptions name.

use std::collections::BTreeMap;

use super::ProjectFiles;
use crate::span::SourceFiles;

/// Adds the blocks `{% docs name %} … {% enddocs %}` of a text; also with the package in front: `dbt_utils.star`.
fn add_docs(text: &str, package: Option<&str>, docs: &mut BTreeMap<String, String>) {
    let mut rest = text;
    while let Some((name, after)) = next_tag(rest, "docs") {
        let end = next_tag_start(after, "enddocs").unwrap_or(after.len());
        let body = after.get(..end).unwrap_or_default().trim();
        let name = name.trim();
        if let Some(package) = package {
            docs.insert(format!("{package}.{name}"), body.to_owned());
        }
        // The project's own blocks come first, and stay.
        docs.entry(name.to_owned()).or_insert_with(|| body.to_owned());
        rest = after.get(end..).unwrap_or_default();
    }
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

/// The blocks of all files.
pub(super) fn all_docs(files: &ProjectFiles, texts: &SourceFiles) -> BTreeMap<String, String> {
    let mut docs = BTreeMap::new();
    for package in std::iter::once(files).chain(&files.packages) {
        let name = package.name();
        for found in package.docs() {
            add_docs(texts.text(found.file), name.as_deref(), &mut docs);
        }
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_documentation_are_found_by_name() {
        let mut docs = BTreeMap::new();
        add_docs(
            "# Title\n{% docs a %}\nOne.\n{% enddocs %}\n{%- docs b -%} Two {%- enddocs -%}",
            Some("p"),
            &mut docs,
        );
        let found: Vec<(&str, &str)> = docs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found, [("a", "One."), ("b", "Two"), ("p.a", "One."), ("p.b", "Two")]);
    }
}
