//! Columns written into the YAML that declares a table, where it lacks them. Everything else stays as it was typed.

use std::collections::BTreeMap;

use super::node::{Node, YamlEntry, YamlKind};
use super::yaml;
use crate::column_type::ColumnType;
use crate::diag::Sink;
use crate::span::{FileId, Span};
use crate::text_edit::{self, TextEdit};

/// A column that a table's files have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundColumn {
    pub name: String,
    pub data_type: ColumnType,
}

/// What is written into the declaration of a table.
#[derive(Debug, Clone)]
pub(crate) struct Addition {
    /// The file and place of the table's name.
    pub name: Span,
    /// Lines to stand above the columns, as `options: { delimiter: ";" }`.
    pub keys: Vec<String>,
    pub columns: Vec<FoundColumn>,
}

/// The text of a properties file with what its tables lack. Returns `None` if one of the tables is not found in it.
pub(crate) fn with_columns(text: &str, file: FileId, additions: &[Addition]) -> Option<String> {
    let root = yaml::parse(text, file, &mut Sink::default()).ok()?;
    let mut edits = Vec::new();
    for addition in additions {
        let table = find_named(&root, addition.name)?;
        Editor { text, edits: &mut edits }.complete(table, addition);
    }
    text_edit::applied(text, edits)
}

/// The mapping whose `name` stands at this place.
fn find_named(node: &Node, place: Span) -> Option<&Node> {
    match &node.kind {
        YamlKind::Mapping(entries) if entries.iter().any(|(key, value)| key.value == "name" && value.span == place) => {
            Some(node)
        }
        YamlKind::Mapping(entries) => entries.iter().find_map(|(_, value)| find_named(value, place)),
        YamlKind::Sequence(items) => items.iter().find_map(|item| find_named(item, place)),
        YamlKind::Scalar(_) => None,
    }
}

fn entry<'n>(entries: &'n [YamlEntry], name: &str) -> Option<&'n YamlEntry> {
    entries.iter().find(|(key, _)| key.value == name)
}

/// A text as YAML writes it, in quotes where it would mean something else without them.
pub(crate) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '/' | '*' | '-'));
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    match is_plain && !is_word {
        true => text.to_owned(),
        // JSON's quotes and escapes are YAML's.
        false => serde_json::Value::from(text).to_string(),
    }
}

impl FoundColumn {
    fn written(&self) -> String {
        format!("{{ name: {}, {} }}", scalar(&self.name), self.written_type())
    }

    fn written_type(&self) -> String {
        format!("data_type: {}", scalar(&self.data_type.yaml_word()))
    }
}

/// Writes into a text of YAML.
pub(super) struct Editor<'a> {
    pub text: &'a str,
    pub edits: &'a mut Vec<TextEdit>,
}

impl Editor<'_> {
    fn complete(&mut self, table: &Node, addition: &Addition) {
        let YamlKind::Mapping(entries) = &table.kind else { return };
        let is_new = |key: &&String| key.split(':').next().is_some_and(|word| entry(entries, word).is_none());
        let keys: Vec<String> = addition.keys.iter().filter(is_new).cloned().collect();
        match entry(entries, "columns") {
            Some((_, columns @ Node { kind: YamlKind::Sequence(items), .. })) => {
                self.put_keys(table, &keys);
                self.complete_list(columns, items, addition);
            }
            Some((key, null)) => {
                self.put_keys(table, &keys);
                let list: Vec<String> = addition.columns.iter().map(FoundColumn::written).collect();
                let list = format!("[{}]", list.join(", "));
                if null.span == key.span {
                    // Nothing was typed: the value belongs behind the colon.
                    self.replace(key.span.range().end + 1, 0, format!(" {list}"));
                } else {
                    self.replace(null.span.range().start, null.span.range().len(), list);
                }
            }
            None => {
                let list: Vec<String> = addition.columns.iter().map(FoundColumn::written).collect();
                if self.is_flow(table) {
                    let keys = keys.into_iter().chain([format!("columns: [{}]", list.join(", "))]);
                    self.put_keys(table, &keys.collect::<Vec<_>>());
                } else {
                    let lines = list.iter().map(|column| format!("  - {column}"));
                    let all = keys.into_iter().chain(["columns:".to_owned()]).chain(lines);
                    self.put_lines(self.end_of(table), self.indent_of(table), all);
                }
            }
        }
    }

    /// Adds keys to a table: behind its name, as what follows its columns would end them.
    fn put_keys(&mut self, table: &Node, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        if self.is_flow(table) {
            self.put_in_braces(table, &keys.join(", "));
        } else {
            self.put_lines(self.end_of_name(table), self.indent_of(table), keys.iter().cloned());
        }
    }

    fn end_of_name(&self, node: &Node) -> usize {
        let name = match &node.kind {
            YamlKind::Mapping(entries) => entry(entries, "name").map(|(_, name)| name),
            YamlKind::Sequence(_) | YamlKind::Scalar(_) => None,
        };
        self.end_of(name.unwrap_or(node))
    }

    /// Gives types to the columns that have none, and adds those that are not listed.
    fn complete_list(&mut self, list: &Node, items: &[Node], addition: &Addition) {
        let mut missing: BTreeMap<&str, &FoundColumn> =
            addition.columns.iter().map(|column| (column.name.as_str(), column)).collect();
        for item in items {
            let YamlKind::Mapping(entries) = &item.kind else { continue };
            let name = entry(entries, "name").and_then(|(_, name)| match &name.kind {
                YamlKind::Scalar(name) => Some(name.text.as_str()),
                YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
            });
            if let Some(found) = name.and_then(|name| missing.remove(name)) {
                self.give_type(item, entries, found);
            }
        }
        // In the order in which files have them.
        let more: Vec<&FoundColumn> =
            addition.columns.iter().filter(|column| missing.contains_key(column.name.as_str())).collect();
        if more.is_empty() {
            return;
        }
        let written: Vec<String> = more.iter().map(|column| column.written()).collect();
        match items.last() {
            Some(last) if !self.is_flow(list) => {
                let dash = self.line_of(items.first().unwrap_or(last)).find('-').unwrap_or(0);
                self.put_lines(self.end_of(last), dash, written.iter().map(|column| format!("- {column}")));
            }
            Some(_) => self.put_in_braces(list, &written.join(", ")),
            None => {
                let range = list.span.range();
                self.replace(range.start, range.len(), format!("[{}]", written.join(", ")));
            }
        }
    }

    fn give_type(&mut self, item: &Node, entries: &[YamlEntry], found: &FoundColumn) {
        let written = ["data_type", "type"].iter().find_map(|key| entry(entries, key));
        match written.map(|(_, value)| value) {
            // Another engine's word for it.
            Some(Node { kind: YamlKind::Scalar(written), span }) if ColumnType::parse(&written.text).is_none() => {
                self.replace(span.range().start, span.range().len(), scalar(&found.data_type.yaml_word()));
            }
            Some(_) => {}
            None if self.is_flow(item) => self.put_in_braces(item, &found.written_type()),
            None => self.put_lines(self.end_of_name(item), self.indent_of(item), [found.written_type()].into_iter()),
        }
    }

    fn replace(&mut self, at: usize, cut: usize, text: String) {
        self.edits.push(TextEdit { at, cut, text });
    }

    /// Whether a mapping or list is written with braces or brackets.
    pub fn is_flow(&self, node: &Node) -> bool {
        self.text.get(node.span.range().start..).is_some_and(|text| text.starts_with(['{', '[']))
    }

    fn put_in_braces(&mut self, node: &Node, text: &str) {
        let inside = self.text.get(node.span.range()).unwrap_or_default();
        let closing = inside.trim_end().len().saturating_sub(1);
        let kept = inside.get(..closing).unwrap_or_default().trim_end();
        let comma = if kept.ends_with(['{', '[', ',']) { " " } else { ", " };
        self.replace(node.span.range().start + kept.len(), 0, format!("{comma}{text}"));
    }

    /// Adds lines behind the line that holds this place.
    pub fn put_lines(&mut self, behind: usize, indent: usize, lines: impl Iterator<Item = String>) {
        let rest = self.text.get(behind..).unwrap_or_default();
        let end = behind + rest.find(['\n', '\r']).unwrap_or(rest.len());
        let line_end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let text: String = lines.map(|line| format!("{line_end}{}{line}", " ".repeat(indent))).collect();
        self.replace(end, 0, text);
    }

    /// The byte behind the last one that belongs to a value, without the blanks and comments that follow.
    pub fn end_of(&self, node: &Node) -> usize {
        let end = match &node.kind {
            _ if self.is_flow(node) => node.span.range().end,
            YamlKind::Mapping(entries) => {
                let ends = entries.iter().map(|(key, value)| self.end_of(value).max(key.span.range().end));
                ends.max().unwrap_or(node.span.range().end)
            }
            YamlKind::Sequence(items) => {
                items.iter().map(|item| self.end_of(item)).max().unwrap_or(node.span.range().end)
            }
            YamlKind::Scalar(_) => node.span.range().end,
        };
        self.text.get(..end).map_or(end, |text| text.trim_end().len())
    }

    /// How far from the left the keys of a block stand.
    fn indent_of(&self, node: &Node) -> usize {
        let start = node.span.range().start;
        let before = self.text.get(..start).unwrap_or_default();
        start - before.rfind('\n').map_or(0, |end| end + 1)
    }

    /// The line on which a value begins.
    pub fn line_of(&self, node: &Node) -> &str {
        let start = node.span.range().start;
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        self.text.get(line..start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceFiles;

    /// The text with columns `id`, `at` and `on` for the table called `t`.
    fn completed(text: &str, keys: &[&str]) -> String {
        let mut files = SourceFiles::default();
        let file = files.add("s.yml", text);
        let start = text.find("name: t").unwrap() + "name: ".len();
        let column = |name: &str, data_type| FoundColumn { name: name.to_owned(), data_type };
        let addition = Addition {
            name: Span::new(file, start..start + 1),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            columns: vec![
                column("id", ColumnType::Integer),
                column("at", ColumnType::Timestamp),
                column("on", ColumnType::Decimal { precision: 20, scale: 0 }),
            ],
        };
        let edited = with_columns(text, file, &[addition]).unwrap();
        assert!(yaml::parse(&edited, file, &mut Sink::default()).is_ok(), "{edited}");
        edited
    }

    #[test]
    fn a_table_without_columns_gets_them_behind_its_last_line() {
        insta::assert_snapshot!(completed(
            "sources:\n  - name: app\n    tables:\n      - name: t\n        description: |\n          Two\n          lines\n\n      # the next\n      - name: u\n",
            &["missing_columns: allow"],
        ), @r#"
        sources:
          - name: app
            tables:
              - name: t
                description: |
                  Two
                  lines
                missing_columns: allow
                columns:
                  - { name: id, data_type: integer }
                  - { name: at, data_type: timestamp }
                  - { name: "on", data_type: "decimal(20, 0)" }

              # the next
              - name: u
        "#);
        insta::assert_snapshot!(completed("sources:\n- name: app\n  tables:\n  - name: t # last", &[]), @r#"
        sources:
        - name: app
          tables:
          - name: t # last
            columns:
              - { name: id, data_type: integer }
              - { name: at, data_type: timestamp }
              - { name: "on", data_type: "decimal(20, 0)" }
        "#);
        insta::assert_snapshot!(completed("sources: [{ name: app, tables: [{ name: t }, { name: u }] }]\n", &["missing_columns: allow"]), @r#"sources: [{ name: app, tables: [{ name: t, missing_columns: allow, columns: [{ name: id, data_type: integer }, { name: at, data_type: timestamp }, { name: "on", data_type: "decimal(20, 0)" }] }, { name: u }] }]"#);
        insta::assert_snapshot!(completed("sources:\r\n- name: app\r\n  tables:\r\n  - name: t\r\n", &[]).replace('\r', "<cr>"), @r#"
        sources:<cr>
        - name: app<cr>
          tables:<cr>
          - name: t<cr>
            columns:<cr>
              - { name: id, data_type: integer }<cr>
              - { name: at, data_type: timestamp }<cr>
              - { name: "on", data_type: "decimal(20, 0)" }<cr>
        "#);
    }

    #[test]
    fn columns_that_are_listed_get_types_and_those_that_are_not_are_added() {
        insta::assert_snapshot!(completed(
            "tables:\n- name: t\n  columns:\n    - name: at\n      description: when\n      data_tests: [not_null]\n    - { name: id, data_type: 'GEOGRAPHY' }\n\n- name: u\n",
            &["options: { delimiter: tab }"],
        ), @r#"
        tables:
        - name: t
          options: { delimiter: tab }
          columns:
            - name: at
              data_type: timestamp
              description: when
              data_tests: [not_null]
            - { name: id, data_type: integer }
            - { name: "on", data_type: "decimal(20, 0)" }

        - name: u
        "#);
        insta::assert_snapshot!(completed("tables:\n- name: t\n  columns: [{ name: at }, { name: id, type: integer }]\n", &[]), @r#"
        tables:
        - name: t
          columns: [{ name: at, data_type: timestamp }, { name: id, type: integer }, { name: "on", data_type: "decimal(20, 0)" }]
        "#);
        insta::assert_snapshot!(completed("tables:\n- name: t\n  columns: []\n", &[]), @r#"
        tables:
        - name: t
          columns: [{ name: id, data_type: integer }, { name: at, data_type: timestamp }, { name: "on", data_type: "decimal(20, 0)" }]
        "#);
        insta::assert_snapshot!(completed("tables:\n- name: t\n  columns:\n  meta: {}\n", &[]), @r#"
        tables:
        - name: t
          columns: [{ name: id, data_type: integer }, { name: at, data_type: timestamp }, { name: "on", data_type: "decimal(20, 0)" }]
          meta: {}
        "#);
        insta::assert_snapshot!(completed("tables:\n- name: t\n  columns: ~\n", &[]), @r#"
        tables:
        - name: t
          columns: [{ name: id, data_type: integer }, { name: at, data_type: timestamp }, { name: "on", data_type: "decimal(20, 0)" }]
        "#);
    }
}
