//! Properties files: what they say of models, seeds and their columns.

use std::collections::BTreeMap;

use super::model::{Column, Model, model_named};
use super::node::{Node, YamlFields};
use super::resource::ModelVersions;
use super::schema::{self, Keys};
use super::settings::Settings;
use super::{chart, constraint, data_test, model_versions};
use crate::diag::{Checked, Code, Diagnostic, Severity, Sink, nearest};
use crate::name::{ModelName, NodeKind};
use crate::span::{Span, Spanned};

/// Merges what `models:`, `seeds:` or `snapshots:` of one properties file says onto the models, seeds or snapshots.
pub(super) fn describe(
    kind: NodeKind,
    fields: &YamlFields<'_>,
    models: &mut BTreeMap<ModelName, Model>,
    versions: &mut ModelVersions,
    sink: &mut Sink,
) -> Vec<UnknownName> {
    let mut unknown = Vec::new();
    let keys = match kind {
        NodeKind::Seed => &schema::SEED,
        NodeKind::Snapshot => &schema::SNAPSHOT,
        _ => &schema::MODEL,
    };
    for node in fields.list(&format!("{kind}s"), sink) {
        if let Ok(fields) = YamlFields::of(node, &format!("an item of `{kind}s`"), sink) {
            keys.check(&fields, sink);
            let Ok(name) = fields.name(&format!("a {kind}"), sink) else { continue };
            if kind == NodeKind::Model && fields.get("versions").is_some() {
                model_versions::describe(&name, &fields, models, versions, sink);
            } else {
                unknown.extend(describe_one(kind, &name, &fields, models, sink));
            }
        }
    }
    unknown
}

fn describe_one(
    kind: NodeKind,
    name: &Spanned<String>,
    fields: &YamlFields<'_>,
    models: &mut BTreeMap<ModelName, Model>,
    sink: &mut Sink,
) -> Option<UnknownName> {
    let known = model_named(models, &name.value);
    let is_known = known.as_ref().and_then(|name| models.get(name)).is_some_and(|model| model.kind() == kind);
    let versions: Vec<ModelName> = models.keys().filter(|model| is_version(model, &name.value)).cloned().collect();
    // A snapshot that its relation would have made: what is wrong with that was reported.
    if !is_known && kind == NodeKind::Snapshot && fields.get("relation").is_some() {
        return None;
    }
    if !is_known && versions.is_empty() {
        return Some(UnknownName { kind, name: name.clone() });
    }
    // What is said of a model that has versions, by its files, is said of each of them.
    let mut described: Vec<ModelName> = known.into_iter().filter(|_| is_known).collect();
    if !is_known {
        described.extend(versions);
    }
    for described in described {
        if let Some(model) = models.get_mut(&described) {
            describe_model(model, name, fields, sink);
        }
    }
    None
}

/// Whether a model is a version of another: `orders_v2` of `orders`.
pub(super) fn is_version(model: &ModelName, of: &str) -> bool {
    let number = model.as_str().strip_prefix(of).and_then(|rest| rest.strip_prefix("_v"));
    number.is_some_and(|number| number.parse::<u64>().is_ok())
}

pub(super) fn describe_model(model: &mut Model, name: &Spanned<String>, fields: &YamlFields<'_>, sink: &mut Sink) {
    let kind = model.kind();
    if let Some(first) = model.described_at {
        let message = format!("the {kind} `{}` is described twice", name.value);
        sink.error(Diagnostic::error(Code::DuplicateName, message).at(name.span).labelled(first, "the first one"));
        return;
    }
    model.described_at = Some(name.span);
    model.description = fields.description(sink);
    configure(&mut model.settings, fields, sink);
    for rival in &mut model.rivals {
        // What is wrong with it was said for the first.
        configure(&mut rival.settings, fields, &mut Sink::default());
    }
    check_nested(fields, sink);
    // Charts are of karat alone: other tools that read artifacts know no such key.
    let apart = ["name", "description", "charts", "columns", "config", "data_tests", "tests"];
    model.written = fields.written_without(&apart);
    model.charts = chart::charts(fields, sink);
    model.columns = columns(fields, sink);
    model.constraints = constraint::constraints(fields, None, sink);
    model.tests = data_test::read(fields, sink);
}

fn configure(settings: &mut Settings, fields: &YamlFields<'_>, sink: &mut Sink) {
    // dbt takes these beside `config` as well.
    for key in ["tags", "meta", "access", "group", "contract"] {
        if let Some((key, node)) = fields.entries().iter().find(|(found, _)| found.value == key) {
            settings.set_node(key, node, sink);
        }
    }
    if let Some(config) = fields.get("config") {
        settings.set_all(config, sink);
    }
}

/// The keys below `docs` and `time_spine`, which only other tools read.
fn check_nested(fields: &YamlFields<'_>, sink: &mut Sink) {
    const DOCS: Keys = Keys::nested("`docs`", &["show", "node_color"]);
    const TIME_SPINE: Keys = Keys::nested("`time_spine`", &["standard_granularity_column", "custom_granularities"]);
    for (key, keys) in [("docs", &DOCS), ("time_spine", &TIME_SPINE)] {
        let Some(node) = fields.get(key) else { continue };
        if let Ok(inner) = YamlFields::of(node, &format!("`{key}`"), sink) {
            keys.check(&inner, sink);
        }
    }
}

/// An entry of properties whose name is that of nothing of its kind.
pub(super) struct UnknownName {
    kind: NodeKind,
    name: Spanned<String>,
}

impl UnknownName {
    /// Says that there is no such thing, once everything else is described. It is an error where something without a description
    /// has a name like it: then the name is misspelt, and its tests would be lost. The description of something that is gone
    /// stands in dbt, too.
    pub fn report(self, models: &BTreeMap<ModelName, Model>, sink: &mut Sink) {
        let UnknownName { kind, name } = self;
        let message = format!("no {kind} is called `{}`", name.value);
        let diagnostic = Diagnostic::error(Code::UnknownModelInYaml, message).at(name.span);
        if let Some(other) = models.values().find(|model| model.name.as_str() == name.value).map(Model::kind) {
            let help = format!("`{}` is a {other}: describe it below `{other}s:`", name.value);
            sink.warn(Diagnostic { severity: Severity::Warning, ..diagnostic }.help(help));
            return;
        }
        let of_kind = models.values().filter(|model| model.kind() == kind && model.described_at.is_none());
        let undescribed: Vec<&str> = of_kind.map(|model| model.name.as_str()).collect();
        match nearest(&name.value, undescribed.iter().copied()) {
            Some(_) => {
                sink.error(diagnostic.suggest(&name.value, undescribed));
            }
            None => sink.warn(Diagnostic { severity: Severity::Warning, ..diagnostic }),
        }
    }
}

/// The columns of a model, of which one may be described twice: dbt takes the tests of both.
fn columns(fields: &YamlFields<'_>, sink: &mut Sink) -> Vec<Column> {
    let mut seen = UniqueColumns::of_model();
    let mut columns = Vec::new();
    for node in fields.list("columns", sink) {
        if let Ok(column) = column(node, &schema::COLUMN, &mut seen, sink) {
            columns.push(column);
        }
    }
    columns
}

/// A column's keys, also those of a source's column.
pub(super) fn column(node: &Node, keys: &Keys, seen: &mut UniqueColumns, sink: &mut Sink) -> Checked<Column> {
    let fields = YamlFields::of(node, "an item of `columns`", sink)?;
    keys.check(&fields, sink);
    let name = fields.name("a column", sink)?;
    seen.add(&name, sink);
    if let Some(config) = fields.get("config") {
        let config = YamlFields::of(config, "`config` of a column", sink)?;
        const CONFIG: Keys = Keys::nested("the config of a column", &["meta", "tags"]);
        CONFIG.check(&config, sink);
    }
    let data_type = match (fields.get("data_type"), fields.get("type")) {
        (Some(_), Some(other)) => {
            let message = format!("the column `{}` has both `type` and `data_type`", name.value);
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(other.span)));
        }
        (Some(_), None) => fields.text("data_type", sink),
        (None, _) => fields.text("type", sink),
    };
    let written = fields.written_without(&["name", "description", "data_type", "type", "data_tests", "tests"]);
    let tests = data_test::read(&fields, sink);
    let constraints = constraint::constraints(&fields, Some(&name), sink);
    Ok(Column { name, description: fields.description(sink), data_type, tests, constraints, written })
}

/// The columns of one table so far.
#[derive(Debug, Default)]
pub(super) struct UniqueColumns {
    places: BTreeMap<String, Span>,
    /// Whether two of a name do no harm: descriptions of a model's columns, unlike those of a source, decide over no row.
    is_tolerant: bool,
}

impl UniqueColumns {
    pub fn of_model() -> UniqueColumns {
        UniqueColumns { is_tolerant: true, ..UniqueColumns::default() }
    }

    fn add(&mut self, name: &Spanned<String>, sink: &mut Sink) {
        let Some(first) = self.places.insert(name.value.clone(), name.span) else { return };
        let message = format!("the column `{}` is described twice", name.value);
        let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(name.span);
        let diagnostic = diagnostic.labelled(first, "the first one");
        if self.is_tolerant {
            let warning = Diagnostic { severity: Severity::Warning, ..diagnostic };
            sink.warn(warning.note("the data tests of both are run"));
        } else {
            sink.error(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::project::testing::{load, said};

    const MODEL: (&str, &str) = ("models/gold/daily.sql", "select 1");

    #[test]
    fn a_properties_file_describes_a_model() {
        let yaml = "
version: 2
models:
- name: daily
  description: >
    Users
    a day.
  tags: reporting
  config: {materialized: table, tags: [gold]}
  columns:
  - name: day
    description: The day.
    data_type: date
    data_tests: [not_null, unique]
";
        let project =
            load("name: p\nmodels: {+materialized: view, +tags: all}", &[MODEL, ("models/p.yml", yaml)]).unwrap();
        let model = project.models.values().next().unwrap();
        assert_eq!(model.description, "Users a day.");
        assert_eq!(model.settings.get("materialized").unwrap().value, "table");
        assert_eq!(model.settings.get("tags").unwrap().value, serde_json::json!(["all", "reporting", "gold"]));
        assert_eq!(model.columns[0].data_type.as_ref().unwrap().value, "date");
        assert_eq!(model.columns[0].tests.len(), 2);
    }

    #[test]
    fn a_misspelt_model_and_a_second_description_are_errors() {
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", "models: [{name: dayly}]")]), @r"
        error[unknown-model-in-yaml]: no model is called `dayly`
         --> models/a.yml:1:17
          |
        1 | models: [{name: dayly}]
          |                 ^^^^^
          |
          = help: did you mean `daily`?
        ");
        // `daily` is described: the other one is gone, and not misspelt.
        let first = "models: [{name: dayly}, {name: daily}]";
        let second = "models: [{name: daily, columns: [{name: a}, {name: a}, {type: x}]}]";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", first), ("models/b.yml", second)]), @r"
        warning[unknown-model-in-yaml]: no model is called `dayly`
         --> models/a.yml:1:17
          |
        1 | models: [{name: dayly}, {name: daily}]
          |                 ^^^^^

        error[duplicate-name]: the model `daily` is described twice
         --> models/b.yml:1:17
          |
        1 | models: [{name: daily, columns: [{name: a}, {name: a}, {type: x}]}]
          |                 ^^^^^
          |
         ::: models/a.yml:1:32
          |
        1 | models: [{name: dayly}, {name: daily}]
          |                                ----- the first one
        ");
    }

    #[test]
    fn unknown_keys_are_errors_and_those_of_dbt_warnings() {
        let yaml = "
macros: []
modles: []
models: [{name: daily, desciption: x, owner: ann, semantic_model: {}}]
";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", yaml)]), @r"
        error[unknown-key]: `modles` is not a key of a properties file
         --> models/a.yml:3:1
          |
        3 | modles: []
          | ^^^^^^
          |
          = help: did you mean `models`?

        error[unknown-key]: `desciption` is not a key of a model
         --> models/a.yml:4:24
          |
        4 | models: [{name: daily, desciption: x, owner: ann, semantic_model: {}}]
          |                        ^^^^^^^^^^
          |
          = help: did you mean `description`?

        warning[unknown-key]: `owner` is not a key of a model, and does nothing
         --> models/a.yml:4:39
          |
        4 | models: [{name: daily, desciption: x, owner: ann, semantic_model: {}}]
          |                                       ^^^^^

        warning[unknown-key]: `semantic_model` is not used yet
         --> models/a.yml:4:51
          |
        4 | models: [{name: daily, desciption: x, owner: ann, semantic_model: {}}]
          |                                                   ^^^^^^^^^^^^^^
        ");
    }

    #[test]
    fn what_is_said_of_a_model_holds_for_all_of_its_versions() {
        let yaml = "models: [{name: daily, versions: [{v: 1}, {v: 2}], columns: [{name: a, data_tests: [not_null]}]}]";
        let files = [MODEL, ("models/gold/daily_v1.sql", "select 1"), ("models/p.yml", yaml)];
        let project = load("name: p", &files).unwrap();
        let tests: Vec<usize> = project.models.values().map(|model| model.columns[0].tests.len()).collect();
        assert_eq!(tests, [1, 1]);
    }

    #[test]
    fn what_stands_below_a_model_is_checked_too() {
        let yaml = "
models:
- name: daily
  columns: [{name: a, data_tests: {not_null: yes}}]
  config: {post_hook: id, event_tme: day}
";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", yaml)]), @r"
        error[invalid-yaml]: `data_tests` must be a list, not a mapping
         --> models/a.yml:4:36
          |
        4 |   columns: [{name: a, data_tests: {not_null: yes}}]
          |                                    ^^^^^^^^

        error[unknown-key]: no config is called `event_tme`
         --> models/a.yml:5:27
          |
        5 |   config: {post_hook: id, event_tme: day}
          |                           ^^^^^^^^^
          |
          = help: did you mean `event_time`?
        ");
    }
}
