//! Variables: `--vars` over target over project.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{YamlEntry, YamlFields, YamlKind};
use super::yaml;
use crate::diag::{Checked, Sink};
use crate::span::SourceFiles;

/// The `vars` of a project file or a target.
pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> BTreeMap<String, Value> {
    match fields.get("vars").map(|node| node.expect_mapping("`vars`", sink)) {
        Some(Ok(entries)) => values(entries),
        Some(Err(_)) | None => BTreeMap::new(),
    }
}

/// The `vars` of the project file, where those below the project's own name count like the others, as in a dbt project.
pub(super) fn read_project(fields: &YamlFields<'_>, project: &str, sink: &mut Sink) -> BTreeMap<String, Value> {
    let mut vars = read(fields, sink);
    let own = of_namespace(fields, project);
    if !own.is_empty() {
        // A variable of the project's own name cannot be told from a dbt project's name space; the name space is the usual meaning.
        vars.remove(project);
        vars.extend(own);
    }
    vars
}

/// The `vars` of a project file that stand below the name of a package.
pub(super) fn of_namespace(fields: &YamlFields<'_>, package: &str) -> BTreeMap<String, Value> {
    let node = fields.get("vars").filter(|node| matches!(node.kind, YamlKind::Mapping(_)));
    let vars = node.and_then(|node| YamlFields::of(node, "`vars`", &mut Sink::default()).ok());
    match vars.and_then(|vars| vars.get(package)).map(|node| &node.kind) {
        Some(YamlKind::Mapping(entries)) => values(entries),
        Some(YamlKind::Scalar(_) | YamlKind::Sequence(_)) | None => BTreeMap::new(),
    }
}

/// What was typed after `--vars`: YAML or JSON. It becomes a file, so that a mistake in it can be shown.
pub(super) fn read_typed(
    typed: Option<&str>,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<BTreeMap<String, Value>> {
    let Some(typed) = typed else { return Ok(BTreeMap::new()) };
    let file = files.add("--vars", typed);
    let node = yaml::parse(typed, file, sink)?;
    if node.is_null() {
        return Ok(BTreeMap::new());
    }
    node.expect_mapping("`--vars`", sink).map(values)
}

fn values(entries: &[YamlEntry]) -> BTreeMap<String, Value> {
    entries.iter().map(|(key, node)| (key.value.clone(), node.to_json())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::project::LoadRequest;
    use crate::project::testing::load_as;

    const PROJECT: &str = "
name: p
vars: {a: 1, b: 1, c: 1, list: [x, 2], p: {d: 1}}
targets: {local: {lake: ./lake, vars: {b: 2, c: 2}}}
";

    fn with_vars(vars: &str) -> Result<serde_json::Value, String> {
        let request = LoadRequest { vars: Some(vars.to_owned()), ..LoadRequest::default() };
        load_as(PROJECT, &[], &request).map(|loaded| json!(loaded.vars))
    }

    #[test]
    fn typed_variables_win_over_those_of_the_target_and_of_the_project() {
        assert_eq!(with_vars("c: three").unwrap(), json!({"a": 1, "b": 2, "c": "three", "d": 1, "list": ["x", 2]}));
        assert_eq!(with_vars("{\"c\": 3}").unwrap()["c"], 3);
        assert_eq!(with_vars("").unwrap()["c"], 2);
    }

    #[test]
    fn a_mistake_in_typed_variables_is_shown() {
        insta::assert_snapshot!(with_vars("{a: 1").unwrap_err(), @r"
        error[invalid-yaml]: the bracket `{` is never closed
         --> --vars:1:1
          |
        1 | {a: 1
          | ^
          |
          = help: close it with `}`
        ");
        insta::assert_snapshot!(with_vars("a=1").unwrap_err(), @"
        error[invalid-yaml]: `--vars` must be a mapping of keys to values, not a text
         --> --vars:1:1
          |
        1 | a=1
          | ^^^
          |
          = help: write `a: 1`, with a blank behind the colon
        ");
    }
}
