//! Texts of YAML, their values, places and mistakes.

use serde_json::json;

use super::*;
use crate::diag::{Style, render_all};
use crate::span::SourceFiles;

fn tree(text: &str) -> Result<Node, String> {
    let (mut files, mut sink) = (SourceFiles::default(), Sink::default());
    let file = files.add("a.yml", text);
    parse(text, file, &mut sink).map_err(|_| render_all(&sink.take(), &files, Style::Plain))
}

fn value(text: &str) -> serde_json::Value {
    tree(text).unwrap().to_json()
}

/// The text under every key and value, in order.
fn spans<'a>(node: &Node, text: &'a str, found: &mut Vec<&'a str>) {
    match &node.kind {
        YamlKind::Scalar(_) => found.push(text.get(node.span.range()).unwrap()),
        YamlKind::Sequence(items) => items.iter().for_each(|item| spans(item, text, found)),
        YamlKind::Mapping(entries) => {
            for (key, value) in entries {
                found.push(text.get(key.span.range()).unwrap());
                spans(value, text, found);
            }
        }
    }
}

#[test]
fn every_value_knows_its_place() {
    let text = "ä: 'é b' # comment\r\nlist:\r\n- x y\r\n- {k: [1, \"2\"]}\nblock: |\n  one\n  two\n\nempty:\n";
    let mut found = Vec::new();
    spans(&tree(text).unwrap(), text, &mut found);
    let expected = ["ä", "'é b'", "list", "x y", "k", "1", "\"2\"", "block", "one\n  two", "empty", "empty"];
    assert_eq!(found, expected);
}

#[test]
fn a_mapping_or_list_spans_what_is_below_it() {
    let text = "a:\n  b: 1\n  c: [2,\n    3]\nd: 4\n";
    let node = tree(text).unwrap();
    let YamlKind::Mapping(entries) = &node.kind else { panic!("a mapping") };
    assert_eq!(text.get(entries[0].1.span.range()).unwrap(), "b: 1\n  c: [2,\n    3]");
    assert_eq!(text.get(node.span.range()).unwrap(), text.trim_end());
}

#[test]
fn quotes_make_a_text_and_templates_stay_as_they_are() {
    assert_eq!(
        value("a: \"5\"\nb: '{{ var(\"x\") }}'\nc: !!str 7\nd: 2023-01-01"),
        json!({
            "a": "5", "b": "{{ var(\"x\") }}", "c": "7", "d": "2023-01-01"
        })
    );
    assert_eq!(value("# nothing\n"), json!(null));
}

#[test]
fn aliases_are_replaced_and_merged_mappings_never_win() {
    let text = "base: &base {a: 1, b: 1}\nx: {<<: *base, b: 2}\ny: {b: 3, <<: [*base, {c: 4}]}\nz: *base\n";
    assert_eq!(
        value(text),
        json!({
            "base": {"a": 1, "b": 1}, "x": {"b": 2, "a": 1}, "y": {"b": 3, "a": 1, "c": 4}, "z": {"a": 1, "b": 1}
        })
    );
}

#[test]
fn aliases_and_nesting_have_a_limit() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
    }
    assert!(tree(&bomb).unwrap_err().contains("too large when its aliases are replaced"));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..70 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(tree(&chain).unwrap_err().contains("nested deeper"));
    for nested in ["[".repeat(100_000), "- ".repeat(100_000), "? ".repeat(1000)] {
        assert!(tree(&nested).is_err());
    }
    assert!(tree(&format!("{}1{}", "[".repeat(60), "]".repeat(60))).is_ok());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot shows all of it")]
fn what_is_no_yaml_is_shown_at_its_place() {
    insta::assert_snapshot!(tree("a: 1\nb: 2\na: 3\n").unwrap_err(), @r"
    error[invalid-yaml]: the key `a` occurs twice here
     --> a.yml:3:1
      |
    1 | a: 1
      | - the first one
    2 | b: 2
    3 | a: 3
      | ^
    ");
    insta::assert_snapshot!(tree("a:\n\t- 1\n").unwrap_err(), @r"
    error[invalid-yaml]: a tab where only spaces are allowed
     --> a.yml:2:1
      |
    2 |     - 1
      | ^^^^
      |
      = help: indent with spaces
    ");
    insta::assert_snapshot!(tree("a: {{ var('x') }}\n").unwrap_err(), @r#"
    error[invalid-yaml]: a template without quotes is a mapping for YAML
     --> a.yml:1:4
      |
    1 | a: {{ var('x') }}
      |    ^^^^^^^^^^^^^^
      |
      = help: quote it: `"{{ var('x') }}"`
    "#);
    insta::assert_snapshot!(tree("a: {{ var('x') }}_b\n").unwrap_err(), @r#"
    error[invalid-yaml]: a template without quotes is a mapping for YAML
     --> a.yml:1:4
      |
    1 | a: {{ var('x') }}_b
      |    ^^^^^^^^^^^^^^^^
      |
      = help: quote it: `"{{ var('x') }}_b"`
    "#);
    insta::assert_snapshot!(tree("a: 1\n---\nb: 2\n").unwrap_err(), @r"
    error[invalid-yaml]: a file holds one document, and a second one begins here
     --> a.yml:2:1
      |
    2 | ---
      | ^^^
    ");
    insta::assert_snapshot!(tree("a: *b\n").unwrap_err(), @r"
    error[invalid-yaml]: no anchor before this alias has its name
     --> a.yml:1:4
      |
    1 | a: *b
      |    ^
    ");
    insta::assert_snapshot!(tree("a: &a [*a]\n").unwrap_err(), @r"
    error[invalid-yaml]: an alias is inside what it refers to
     --> a.yml:1:8
      |
    1 | a: &a [*a]
      |        ^^
    ");
    insta::assert_snapshot!(tree("a: 'b\nc: d\n").unwrap_err(), @"
    error[invalid-yaml]: the quote is never closed
     --> a.yml:1:4
      |
    1 | a: 'b
      |    ^^
      |
      = help: close it with `'`
    ");
    insta::assert_snapshot!(tree("a: b: c\n").unwrap_err(), @r"
    error[invalid-yaml]: a `:` where none is allowed
     --> a.yml:1:5
      |
    1 | a: b: c
      |     ^
      |
      = help: quote a text that contains `: `, and close every bracket
    ");
    insta::assert_snapshot!(tree("a: [1, 2\nb: 3\n").unwrap_err(), @r"
    error[invalid-yaml]: a `:` where none is allowed
     --> a.yml:2:2
      |
    2 | b: 3
      |  ^
      |
      = help: quote a text that contains `: `, and close every bracket
    ");
    insta::assert_snapshot!(tree("a:\n  b: 1\n c: 2\n").unwrap_err(), @r"
    error[invalid-yaml]: a key is missing here, or the line is indented wrongly
     --> a.yml:3:2
      |
    3 |  c: 2
      |  ^
      |
      = help: the keys of a mapping begin in the same column
    ");
}
