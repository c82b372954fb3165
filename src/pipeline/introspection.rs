//! Answers the questions of templates: the columns of models, and the rows of queries that the project decides.
//!
//! A query may read seeds, and models that are made of nothing but seeds and constants. These models are computed anew, within the
//! query, whether they are stored or not: their tables in the lake may be older. A query that reads files, or would read them through a
//! model, is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result as EngineResult, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use object_store::memory::InMemory;

use crate::analyze::{Input, InputTable, Planner, TypedModel, as_stored};
use crate::diag::Sink;
use crate::execute::{Engine, EngineSettings, Joins};
use crate::incremental::{Bound, bind};
use crate::name::{ModelName, TableName};
use crate::project::Project;
use crate::span::{SourceFiles, Span};
use crate::template::{
    Answer, Cell, Compiler, QueryRows, Question, QuestionQuery, ReferencePlaces, ReferenceTarget, Refusal,
    RelationColumns, RenderedModels, RenderedSql, SourceMap,
};

/// The most rows that a template may ask for.
const MOST_ROWS: usize = 100_000;
/// What a query may take of the machine: it is part of compiling, and the project may be a stranger's.
const MEMORY: usize = 256 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(60);

/// How times read in a template.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Types what is asked for, and what that reads.
pub(super) struct Introspection<'a> {
    project: &'a Project,
    /// What an earlier question has typed.
    typed: BTreeMap<ModelName, TypedModel>,
    /// What an earlier question could not type.
    untypable: BTreeSet<ModelName>,
}

impl<'a> Introspection<'a> {
    pub fn of(project: &'a Project) -> Self {
        Self { project, typed: BTreeMap::new(), untypable: BTreeSet::new() }
    }
}

impl Compiler for Introspection<'_> {
    fn answers(&mut self, rendered: &RenderedModels, asked: BTreeSet<Question>) -> BTreeMap<Question, Answer> {
        // One planner and one index serve all questions of a round.
        let planner = Planner::new(self.project, rendered);
        let by_table: BTreeMap<&TableName, &ModelName> =
            rendered.values().map(|model| (&model.table, &model.name)).collect();
        let mut answers = BTreeMap::new();
        for question in asked {
            let answer = match &question {
                Question::Columns(table) => by_table.get(table).and_then(|name| {
                    planner.with_inputs(name, &mut self.typed, &mut self.untypable);
                    self.typed.get(*name).map(|model| Answer::Columns(model.relation_columns()))
                }),
                Question::Rows(query) => {
                    for name in models_of(query) {
                        planner.with_inputs(name, &mut self.typed, &mut self.untypable);
                    }
                    answer(self.project, &planner, &self.typed, &question)
                }
            };
            if let Some(answer) = answer {
                answers.insert(question, answer);
            }
        }
        answers
    }
}

/// The answer by the models that are typed. Returns `None` if one of those that it depends on is not.
pub(super) fn answer(
    project: &Project,
    planner: &Planner<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    question: &Question,
) -> Option<Answer> {
    match question {
        Question::Columns(table) => columns_in(typed, table).map(Answer::Columns),
        Question::Rows(query) => {
            if !models_of(query).all(|name| typed.contains_key(name)) {
                return None;
            }
            let queried = ProjectQuery { project, planner, typed };
            Some(match queried.rows(query) {
                Ok(rows) => Answer::Rows(Arc::new(rows)),
                Err(refusal) => Answer::Refused(refusal),
            })
        }
    }
}

fn columns_in(typed: &BTreeMap<ModelName, TypedModel>, table: &TableName) -> Option<RelationColumns> {
    typed.values().find(|model| model.table == *table).map(TypedModel::relation_columns)
}

fn models_of(query: &QuestionQuery) -> impl Iterator<Item = &ModelName> {
    query.references.iter().filter_map(|reference| match reference {
        ReferenceTarget::Model(name) => Some(name),
        ReferenceTarget::Source(_) | ReferenceTarget::This => None,
    })
}

/// What queries of templates may read.
struct ProjectQuery<'a> {
    project: &'a Project,
    planner: &'a Planner<'a>,
    typed: &'a BTreeMap<ModelName, TypedModel>,
}

impl ProjectQuery<'_> {
    fn rows(&self, query: &QuestionQuery) -> Result<QueryRows, Refusal> {
        let plan = self.plan(query)?;
        // The most rows and one more, to know whether there are more.
        let limited = LogicalPlanBuilder::from(plan).limit(0, Some(MOST_ROWS + 1)).and_then(LogicalPlanBuilder::build);
        let plan = limited.map_err(|error| failed(&error.strip_backtrace()))?;
        let batches = collected(&plan)?;
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > MOST_ROWS {
            return Err(failed(&format!("it has more than {MOST_ROWS} rows")));
        }
        let columns = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(cells(batch).map_err(|error| failed(&error.to_string()))?);
        }
        Ok(QueryRows { columns, rows })
    }

    /// The plan with everything that it reads in it.
    fn plan(&self, query: &QuestionQuery) -> Result<LogicalPlan, Refusal> {
        let mut files = SourceFiles::default();
        let file = files.add("<query>", query.sql.as_str());
        let sql = RenderedSql {
            text: query.sql.clone(),
            map: SourceMap::whole(Span::new(file, 0..query.sql.len())),
            references: Vec::new(),
            places: ReferencePlaces::default(),
            test_config: BTreeMap::new(),
        };
        let mut sink = Sink::default();
        let planned = self.planner.query(&sql, file, self.typed, &mut sink);
        let plan = planned.map_err(|_| {
            if query.sql.to_lowercase().contains("information_schema") {
                return asks_the_catalog();
            }
            // A source is no table of the plan, and so the first to be missing.
            if self.project.sources.keys().any(|source| query.sql.contains(&source.to_string())) {
                return reads_files();
            }
            let first = sink.take().into_iter().next();
            let help = first.as_ref().and_then(|diagnostic| diagnostic.helps.first().cloned());
            Refusal { help, ..failed(&first.map_or_else(String::new, |diagnostic| diagnostic.message)) }
        })?;
        let mut known = BTreeMap::new();
        self.bound(&plan, &mut known).map_err(|_| reads_files())
    }

    /// The plan with the plans of the models that it reads behind its scans; each model is put together once.
    fn bound(&self, plan: &LogicalPlan, known: &mut BTreeMap<ModelName, Arc<ViewTable>>) -> EngineResult<LogicalPlan> {
        bind(plan, Bound::Whole, &mut |table| self.view(table, known))
    }

    fn view(
        &self,
        table: &InputTable,
        known: &mut BTreeMap<ModelName, Arc<ViewTable>>,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let model = match &table.input {
            Input::Model(name) => self.typed.get(name),
            Input::Source(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        };
        let Some(model) = model else {
            return plan_err!("`{}` is not decided by the project", table.name.table);
        };
        if let Some(view) = known.get(&model.name) {
            return Ok(Arc::clone(view) as Arc<dyn TableProvider>);
        }
        let plan = self.bound(&as_stored(model.plan()?.clone(), &model.schema), known)?;
        let view = Arc::new(ViewTable::new(plan, None));
        known.insert(model.name.clone(), Arc::clone(&view));
        Ok(view)
    }
}

fn reads_files() -> Refusal {
    Refusal {
        message: "the query reads rows that come from files, and the SQL of a model must not depend on them".to_owned(),
        help: Some(
            "list the values with `var()`, in a seed or in the model, or compute them in SQL with a join".to_owned(),
        ),
    }
}

fn asks_the_catalog() -> Refusal {
    Refusal {
        message: "the query reads `information_schema`, which lists what a database holds: a lake has none, and the SQL of a model must not \
                  depend on which tables are there"
            .to_owned(),
        help: Some(
            "name the models, `[ref('a'), ref('b')]`, or find them in `graph.nodes`; `adapter.get_columns_in_relation(ref('a'))` has \
             their columns"
                .to_owned(),
        ),
    }
}

fn failed(reason: &str) -> Refusal {
    Refusal { message: format!("the query cannot be run: {reason}"), help: None }
}

/// Runs a plan on a thread of its own, because whoever compiles may already be on a runtime, and must not block that.
fn collected(plan: &LogicalPlan) -> Result<Vec<RecordBatch>, Refusal> {
    let settings = EngineSettings {
        memory: MEMORY,
        partitions: 1,
        part_rows: EngineSettings::USUAL_PART_ROWS,
        lake: Arc::new(InMemory::new()),
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| failed(&error.to_string()))?;
        let engine = Engine::open(settings).map_err(|error| failed(&error.strip_backtrace()))?;
        match runtime.block_on(async { tokio::time::timeout(LONGEST, engine.collect(plan, Joins::Hash)).await }) {
            Ok(batches) => batches.map_err(|error| failed(&error.find_root().strip_backtrace())),
            Err(_) => Err(failed(&format!("it takes more than {} s", LONGEST.as_secs()))),
        }
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(failed("the engine has a bug with it"))))
}

/// The rows of a batch as values of a template.
fn cells(batch: &RecordBatch) -> Result<Vec<Vec<Cell>>, ArrowError> {
    let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
    for column in batch.columns() {
        for (row, cell) in rows.iter_mut().zip(column_cells(column)?) {
            row.push(cell);
        }
    }
    Ok(rows)
}

fn column_cells(column: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let cell = |is_valid: bool, value: &dyn Fn() -> Cell| if is_valid { value() } else { Cell::Null };
    let places = 0..column.len();
    let data_type = column.data_type();
    if *data_type == DataType::Null {
        return Ok(vec![Cell::Null; column.len()]);
    }
    if *data_type == DataType::Boolean {
        let values = column.as_boolean();
        return Ok(places.map(|row| cell(values.is_valid(row), &|| Cell::Boolean(values.value(row)))).collect());
    }
    if data_type.is_integer() {
        let values =
            cast_with_options(column, &DataType::Int64, &CastOptions { safe: false, ..CastOptions::default() })?;
        let values = values.as_primitive::<Int64Type>();
        return Ok(places.map(|row| cell(values.is_valid(row), &|| Cell::Integer(values.value(row)))).collect());
    }
    if data_type.is_floating() {
        let values = cast(column, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        return Ok(places.map(|row| cell(values.is_valid(row), &|| Cell::Float(values.value(row)))).collect());
    }
    let options = FormatOptions::new().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(TIMESTAMP));
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let mut cells = Vec::with_capacity(column.len());
    for row in places {
        cells.push(match column.is_valid(row) {
            true if data_type.is_decimal() => decimal(&formatter.value(row).try_to_string()?)?,
            true => Cell::Text(formatter.value(row).try_to_string()?),
            false => Cell::Null,
        });
    }
    Ok(cells)
}

/// A decimal as a number of templates, which are floats: an error if it has more digits than these.
fn decimal(text: &str) -> Result<Cell, ArrowError> {
    let significant = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    match significant.parse::<f64>() {
        Ok(number) if number.to_string() == significant || number == 0.0 => Ok(Cell::Float(number)),
        Ok(_) | Err(_) => {
            let message = format!("{text} has more digits than numbers of a template have: cast it to text");
            Err(ArrowError::ComputeError(message))
        }
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
            ["`config()` says where the model stands only after it has asked about another one"]
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

    const VALUES: (&str, &str) = (
        "macros/values.sql",
        "{% macro values(relation, column) %}\
         {%- call statement('values', fetch_result=True) %}select {{ column }}, count(*) as n from {{ relation }} \
         group by 1 order by 1{% endcall -%}\
         {{ return(load_result('values')['data'] | map(attribute=0) | list) }}{% endmacro %}",
    );

    #[test]
    fn rows_that_the_project_decides_can_be_asked_for() {
        let compilation = compiled(&[
            VALUES,
            ("seeds/people.csv", "name,team,joined\nann,red,2026-01-01\nbob,blue,2026-01-02\ncid,red,\n"),
            (
                "models/g/teams.sql",
                "{{ config(materialized='table') }}select team from {{ ref('people') }} where name < 'c'",
            ),
            (
                "models/g/pivot.sql",
                "select {% for team in values(ref('teams'), 'team') %}\
                 count(*) filter (where team = '{{ team }}') as {{ team }}{{ ', ' if not loop.last }}{% endfor %} \
                 from {{ ref('people') }}",
            ),
            (
                "models/g/kinds.sql",
                "{% set found = run_query(\"select 1 as a, 2.50 as b, true as c, null as d, date '2026-01-05' as e, \
                 timestamp '2026-01-05 10:00:00' as f, 'x' as g union all select 2, null, false, null, null, null, 'y' \
                 order by 1\") %}\
                 select '{{ found.columns[0].values() }} {{ found.columns['b'][0] + 1 }} {{ found.column_names | join(',') }} \
                 {{ found.rows | length }} {{ found.rows[0]['f'] }} {{ found[1].g }} {{ found.rows[-1][6] }} \
                 {% for row in found %}{{ row.c }} {{ row[4] }};{% endfor %} {{ found.columns[3].values_without_nulls() }}' as t",
            ),
            (
                "models/g/spine.sql",
                "{% set days = run_query(\"select date '2026-03-01' - date '2026-02-01' as n\").columns[0][0] %}select {{ days }} as days",
            ),
        ]);
        assert_eq!(messages(&compilation), Vec::<&str>::new());
        assert_eq!(
            text(&compilation, "pivot"),
            "select count(*) filter (where team = 'blue') as blue, count(*) filter (where team = 'red') as red from shop.people"
        );
        assert_eq!(text(&compilation, "spine"), "select 28 as days");
        assert_eq!(
            text(&compilation, "kinds"),
            "select '[1, 2] 3.5 a,b,c,d,e,f,g 2 2026-01-05 10:00:00 y y True 2026-01-05;False None; []' as t"
        );
    }

    #[test]
    fn a_query_over_files_or_with_an_error_is_refused_where_it_is_asked() {
        let compilation = compiled(&[
            VALUES,
            (
                "models/raw.yml",
                "sources: [{name: app, tables: [{name: events, location: events.json, columns: [{name: kind, type: text}]}]}]",
            ),
            ("models/g/events.sql", "select kind from {{ source('app', 'events') }}"),
            ("models/g/of_source.sql", "select '{{ values(source('app', 'events'), 'kind') }}' as t"),
            ("models/g/of_model.sql", "select '{{ values(ref('events'), 'kind') }}' as t"),
            ("models/g/wrong.sql", "{% set found = run_query('select nobody') %}select 1 as one"),
            ("models/g/change.sql", "{% set found = run_query('drop table x') %}select 1 as one"),
            (
                "models/g/long.sql",
                "{% set found = run_query('select * from unnest(range(0, 200000))') %}select 1 as one",
            ),
            ("models/g/text.sql", "{% set found = run_query(1) %}select 1 as one"),
        ]);
        let files = "the query reads rows that come from files, and the SQL of a model must not depend on them";
        assert_eq!(
            messages(&compilation),
            [
                "`run_query`: the query cannot be run: it has more than 100000 rows",
                "`run_query`: the query cannot be run: no column is called `nobody`",
                "`run_query`: the query cannot be run: this is a statement that is not a SELECT",
                &format!("`statement`: {files}"),
                &format!("`statement`: {files}"),
                "sql of `run_query()` must be a text, not number",
            ]
        );
    }
}
