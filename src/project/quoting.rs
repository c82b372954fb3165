//! `quoting:` of dbt, which says which names are quoted: here it has no meaning, and that is said once for each kind of place.

use super::found_models::PropertiesFile;
use super::node::YamlFields;
use crate::diag::{Code, Diagnostic, Sink};
use crate::span::Span;

const KEY: &str = "quoting";

/// Says that `quoting` of the project file does nothing. That of models is among the configs of other engines.
pub(super) fn note_of_project(project: &YamlFields<'_>, sink: &mut Sink) {
    if let Some(place) = key_of(project) {
        say("of the project", place, sink);
    }
}

/// Says the same of sources, once.
pub(super) fn note_of_sources(properties: &[PropertiesFile<'_>], sink: &mut Sink) {
    if let Some(place) = properties.iter().find_map(in_sources) {
        say("of sources", place, sink);
    }
}

fn say(of: &str, place: Span, sink: &mut Sink) {
    let message = format!(
        "`{KEY}` {of} does nothing here: tables have the names that are written, and names are quoted where they must be"
    );
    sink.warn(Diagnostic::warning(Code::UnknownKey, message).at(place));
}

/// The first place in a properties file.
fn in_sources(file: &PropertiesFile<'_>) -> Option<Span> {
    // What is no mapping and no list is reported where it is read.
    let unsaid = &mut Sink::default();
    let fields = YamlFields::of(&file.node, "a properties file", unsaid).ok()?;
    let mut sources = fields.list("sources", unsaid).iter();
    sources.find_map(|source| {
        let source = YamlFields::of(source, "a source", &mut Sink::default()).ok()?;
        let mut tables = source.list("tables", &mut Sink::default()).iter();
        let in_table =
            |table| YamlFields::of(table, "a table", &mut Sink::default()).ok().and_then(|table| key_of(&table));
        key_of(&source).or_else(|| tables.find_map(in_table))
    })
}

fn key_of(fields: &YamlFields<'_>) -> Option<Span> {
    let (key, _) = fields.entries().iter().find(|(key, node)| key.value == KEY && !node.is_null())?;
    Some(key.span)
}

#[cfg(test)]
mod tests {
    use crate::project::testing::said;

    #[test]
    fn quoting_is_noted_once_for_the_project_and_once_for_sources() {
        let source = "sources: [{name: s, quoting: {schema: true}, tables: [{name: t, quoting: {identifier: true}}]}]";
        let project = "name: p\nquoting: {database: true, identifier: true}";
        let said = said(project, &[("models/a.yml", source), ("models/b.yml", &source.replace("name: s", "name: z"))]);
        let places: Vec<&str> = said.lines().filter(|line| line.contains("-->")).map(str::trim).collect();
        assert_eq!(places, ["--> project.yml:2:1", "--> models/a.yml:1:21"], "{said}");
    }
}
