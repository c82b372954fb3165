//! Answers the templates that ask for the columns of models, by typing those models early.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyze::{Planner, TypedModel};
use crate::name::{ModelName, TableName};
use crate::project::Project;
use crate::template::{ColumnTyping, RelationColumns, RenderedModels};

/// Types what is asked for, and what that reads.
pub(super) struct TypedColumns<'a> {
    project: &'a Project,
    /// What an earlier question has typed.
    typed: BTreeMap<ModelName, TypedModel>,
}

impl<'a> TypedColumns<'a> {
    pub fn of(project: &'a Project) -> Self {
        Self { project, typed: BTreeMap::new() }
    }
}

impl ColumnTyping for TypedColumns<'_> {
    fn columns(
        &mut self,
        rendered: &RenderedModels,
        wanted: &BTreeSet<TableName>,
    ) -> BTreeMap<TableName, RelationColumns> {
        let planner = Planner::new(self.project, rendered);
        let mut known = BTreeMap::new();
        for model in rendered.values().filter(|model| wanted.contains(&model.table)) {
            planner.with_inputs(&model.name, &mut self.typed);
            if let Some(typed) = self.typed.get(&model.name) {
                known.insert(model.table.clone(), typed.relation_columns());
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use crate::host::MemoryHost;
    use crate::name::ModelName;
    use crate::pipeline::{Compilation, Workspace, compile};
    use crate::project::LoadRequest;

    const STAR: (&str, &str) = (
        "macros/star.sql",
        "{% macro star(relation, except) %}{% for column in adapter.get_columns_in_relation(relation) \
         if column.name not in except %}{{ column.quoted }}{{ ', ' if not loop.last }}{% endfor %}{% endmacro %}",
    );

    fn compiled(files: &[(&str, &str)]) -> Compilation {
        let project = [("project.yml", "name: shop"), STAR];
        let host = MemoryHost::with_files(project.into_iter().chain(files.iter().copied()));
        compile(&Workspace::new("", host), &LoadRequest::default())
    }

    fn text(compilation: &Compilation, model: &str) -> String {
        let rendered = compilation.rendered(&ModelName::parse(model).unwrap());
        rendered.map(|rendered| rendered.full.text.clone()).unwrap_or_default()
    }

    fn messages(compilation: &Compilation) -> Vec<&str> {
        let mut messages: Vec<&str> =
            compilation.diagnostics().iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        messages.sort_unstable();
        messages
    }

    #[test]
    fn columns_follow_from_what_is_read_through_models_that_ask_themselves() {
        let compilation = compiled(&[
            ("models/g/z.sql", "select 1 as id, 'a' as name, 1.50 as price, date '2026-01-01' as \"Day\""),
            ("models/g/y.sql", "select {{ star(ref('z'), ['name']) }} from {{ ref('z') }}"),
            ("models/g/x.sql", "select {{ star(ref('y'), ['price']) }} from {{ ref('y') }}"),
            ("seeds/countries.csv", "code,population\nde,84\n"),
            ("models/g/of_seed.sql", "select {{ star(ref('countries'), []) }} from {{ ref('countries') }}"),
            (
                "models/g/types.sql",
                "{% for c in adapter.get_columns_in_relation(ref('z')) %}\
                 select '{{ c.name }} {{ c.data_type }} {{ c.is_string() }} {{ c.is_number() }} {{ c.numeric_scale }}' as t\
                 {{ ' union all ' if not loop.last }}{% endfor %}",
            ),
            (
                "models/g/missing.sql",
                "select '{% for c in adapter.get_missing_columns(ref('z'), ref('x')) %}{{ c.name }} {% endfor %}' as names",
            ),
        ]);
        assert_eq!(messages(&compilation), Vec::<&str>::new());
        assert_eq!(text(&compilation, "y"), "select \"id\", \"price\", \"Day\" from g.z");
        assert_eq!(text(&compilation, "x"), "select \"id\", \"Day\" from g.y");
        assert!(text(&compilation, "of_seed").starts_with("select \"code\", \"population\" from "));
        assert_eq!(text(&compilation, "missing"), "select 'name price ' as names");
        let types = text(&compilation, "types");
        let types: Vec<&str> = types.split(" union all ").collect();
        assert_eq!(
            types,
            [
                "select 'id bigint False True None' as t",
                "select 'name text True False None' as t",
                "select 'price decimal(3, 2) False True 2' as t",
                "select 'Day date False False None' as t",
            ]
        );
    }

    #[test]
    fn the_declared_columns_of_a_source_are_known() {
        let compilation = compiled(&[
            (
                "models/raw.yml",
                "sources: [{name: app, tables: [{name: events, location: events.json, \
                 columns: [{name: id, type: integer}, {name: at, type: timestamp}]}]}]",
            ),
            ("models/g/a.sql", "select {{ star(source('app', 'events'), []) }} from {{ source('app', 'events') }}"),
        ]);
        assert_eq!(messages(&compilation), Vec::<&str>::new());
        assert_eq!(text(&compilation, "a"), "select \"id\", \"at\" from app.events");
    }

    #[test]
    fn a_model_that_cannot_be_typed_is_named_where_its_columns_are_asked_for() {
        let compilation = compiled(&[
            ("models/g/users.sql", "select 1 as id"),
            ("models/g/wrong.sql", "select idd from {{ ref('users') }}"),
            ("models/g/asks.sql", "select {{ star(ref('wrong'), []) }} from {{ ref('wrong') }}"),
            ("models/g/well.sql", "select {{ star(ref('users'), []) }} from {{ ref('users') }}"),
        ]);
        assert_eq!(messages(&compilation), ["no column is called `idd`", "the columns of `g.wrong` are not known"]);
        assert_eq!(text(&compilation, "well"), "select \"id\" from g.users");
    }

    #[test]
    fn models_that_ask_for_each_others_columns_are_an_error() {
        let compilation = compiled(&[
            ("models/g/a.sql", "select {{ star(ref('b'), []) }} from {{ ref('b') }}"),
            ("models/g/b.sql", "select {{ star(ref('a'), []) }} from {{ ref('a') }}"),
        ]);
        assert_eq!(
            messages(&compilation),
            ["the columns of `g.a` are not known", "the columns of `g.b` are not known"]
        );
        let helps = compilation.diagnostics().iter().flat_map(|diagnostic| &diagnostic.helps);
        assert!(helps.clone().count() == 2 && helps.clone().all(|help| help.contains("ask for each other's columns")));
    }

    #[test]
    fn a_config_that_moves_the_model_stands_before_the_question() {
        let compilation = compiled(&[
            ("models/g/a.sql", "select 1 as id"),
            ("models/g/b.sql", "select {{ star(ref('a'), []) }} from {{ ref('a') }} {{ config(schema='elsewhere') }}"),
            ("models/g/c.sql", "{{ config(schema='elsewhere') }}select {{ star(ref('a'), []) }} from {{ ref('a') }}"),
        ]);
        assert_eq!(
            messages(&compilation),
            ["`config()` says where the model stands only after it has asked for the columns of another"]
        );
    }

    #[test]
    fn the_text_for_slices_may_ask_too() {
        let compilation = compiled(&[
            ("models/g/a.sql", "{{ config(materialized='table') }}select 1 as id, date '2026-01-01' as day"),
            (
                "models/g/b.sql",
                "{{ config(materialized='incremental', event_time='day') }}\
                 {% if is_incremental() %}select {{ star(ref('a'), []) }} from {{ ref('a') }}\
                 {% else %}select id, day from {{ ref('a') }}{% endif %}",
            ),
        ]);
        assert_eq!(messages(&compilation), Vec::<&str>::new());
        let rendered = compilation.rendered(&ModelName::parse("b").unwrap()).unwrap();
        let sliced = rendered.sliced.as_ref().map(|sliced| sliced.text.as_str());
        assert_eq!(sliced, Some("select \"id\", \"day\" from g.a"));
    }
}
