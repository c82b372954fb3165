//! A unit test written into a properties file. Everything else stays as it was typed.

use super::column_edits::Editor;
use super::node::YamlKind;
use super::yaml;
use crate::diag::Sink;
use crate::span::FileId;
use crate::text_edit;

/// The key of a properties file that lists them.
const KEY: &str = "unit_tests";

/// A properties file of its own for one unit test, whose lines begin with its name.
pub(crate) fn unit_test_file(lines: &[String]) -> String {
    format!("{KEY}:\n{}", item(lines, 2).join("\n") + "\n")
}

/// The text of a properties file with one more unit test. Returns `None` if its list is written in brackets.
pub(crate) fn with_unit_test(text: &str, file: FileId, lines: &[String]) -> Option<String> {
    let root = yaml::parse(text, file, &mut Sink::default()).ok()?;
    let YamlKind::Mapping(entries) = &root.kind else {
        // Nothing is in it but comments.
        return Some(format!("{text}{}{}", line_end_behind(text), unit_test_file(lines)));
    };
    let mut edits = Vec::new();
    match entries.iter().find(|(key, _)| key.value == KEY) {
        None => return Some(format!("{text}{}\n{}", line_end_behind(text), unit_test_file(lines))),
        Some((_, list)) => {
            let YamlKind::Sequence(items) = &list.kind else { return None };
            let mut editor = Editor { text, edits: &mut edits };
            if editor.is_flow(list) {
                return None;
            }
            let last = items.last()?;
            let dash = editor.line_of(items.first().unwrap_or(last)).find('-').unwrap_or(0);
            let behind = editor.end_of(last);
            editor.put_lines(behind, dash, item(lines, 0).into_iter());
        }
    }
    text_edit::applied(text, edits)
}

/// The end of a line, if the text does not end with one.
fn line_end_behind(text: &str) -> &'static str {
    if text.is_empty() || text.ends_with('\n') { "" } else { "\n" }
}

/// The lines as an item of a list.
fn item(lines: &[String], indent: usize) -> Vec<String> {
    let indent = " ".repeat(indent);
    let mark = |place: usize| if place == 0 { "- " } else { "  " };
    lines.iter().enumerate().map(|(place, line)| format!("{indent}{}{line}", mark(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceFiles;

    fn edited(text: &str) -> Option<String> {
        let mut files = SourceFiles::default();
        let file = files.add("m.yml", text);
        let edited = with_unit_test(text, file, &["name: new".to_owned(), "model: m".to_owned()])?;
        assert!(yaml::parse(&edited, file, &mut Sink::default()).is_ok(), "{edited}");
        Some(edited)
    }

    #[test]
    fn a_test_stands_behind_those_that_are_there() {
        let text = "unit_tests:\n  - name: old\n    expect:\n      rows: []\n\n# models\nmodels:\n  - name: m\n";
        insta::assert_snapshot!(edited(text).unwrap(), @r"
        unit_tests:
          - name: old
            expect:
              rows: []
          - name: new
            model: m

        # models
        models:
          - name: m
        ");
    }

    #[test]
    fn a_file_without_tests_gets_a_list() {
        insta::assert_snapshot!(edited("models:\n  - name: m").unwrap(), @r"
        models:
          - name: m

        unit_tests:
          - name: new
            model: m
        ");
        assert_eq!(edited("unit_tests: [{ name: old }]"), None);
    }
}
