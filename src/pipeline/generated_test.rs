//! A unit test made of a few real rows of what a model reads, with the rows that the model makes of them.
//!
//! Rows are taken of one input after the other. Where two inputs have a column of one name, rows of the later one are preferred
//! that have the values of the earlier: models mostly join by such columns. If no row comes out, more rows are taken. What is
//! written is read again with the project, and must pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;

use super::load::{Compiled, EditedText, Workspace, compile_models, is_of_package, load};
use super::query::Query;
use super::unit_tests::{rows_of_unit_test, run_unit_tests};
use crate::analyze::lineage::column_lineage;
use crate::analyze::{TypedModel, source_schema};
use crate::catalog::{Catalog, ObservationScope, Shown, observe};
use crate::diag::{Code, Diagnostic, Sink};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::host::{Overlay, write_project_file};
use crate::name::{TableName, UnitTestName, quoted};
use crate::project::{scalar, unit_test_file, with_unit_test};
use crate::shown::{RowFormat, value_options, write_rows};
use crate::span::{SourceFiles, Span};
use crate::store::Lake;
use crate::template::{ReferenceTarget, RenderedSql};

/// So much larger samples are tried if no row comes out.
const TRIES: [usize; 4] = [1, 5, 25, 100];
/// By so many values rows of another input are looked for.
const MOST_VALUES: usize = 100;

/// What is asked for.
pub(crate) struct GeneratedTestRequest {
    /// How many rows of each input.
    pub rows: usize,
    /// Whether the test goes into a properties file.
    pub writes: bool,
}

/// What generates a test of a model.
struct TestGenerator<'a> {
    compiled: &'a Compiled,
    model: &'a TypedModel,
    catalog: &'a Catalog<'a>,
    engine: &'a Engine,
    request: &'a GeneratedTestRequest,
}

/// A test that passes.
#[derive(Debug)]
pub(crate) struct GeneratedTest {
    pub name: String,
    /// A properties file with it.
    pub yaml: String,
    /// The file that it belongs into, with all that this holds then.
    pub path: String,
    /// What the file holds now; `None` if there is none.
    pub original: Option<String>,
    pub text: String,
    /// Whether no row comes out of the rows that were looked at.
    pub is_empty: bool,
}

/// An input, and the columns of it that the model reads.
struct ReadInput {
    target: ReferenceTarget,
    table: TableName,
    columns: Vec<String>,
}

/// Generates a test of a model from the newest tables, and runs it.
///
/// # Errors
///
/// Returns an error if a table cannot be read, or the test does not pass: the model gives other rows each time, or a value
/// cannot be written down.
pub(crate) async fn generate_test(
    compiled: &Compiled,
    lake: &Lake,
    engine: &Engine,
    model: &TypedModel,
    request: &GeneratedTestRequest,
) -> Result<GeneratedTest, Vec<Failure>> {
    let mut inputs = BTreeSet::new();
    for input in read_inputs(compiled, model).map_err(|failure| vec![failure])? {
        let query = query(compiled, model, &input, "select 1 as one").map_err(|failure| vec![failure])?;
        inputs.extend(query.inputs());
    }
    let scope = ObservationScope::of_inputs(&compiled.typed, &inputs, Shown::Live);
    let catalog = &observe(compiled.over(lake), &scope).await?;
    let generator = TestGenerator { compiled, model, catalog, engine, request };
    generator.generate().await.map_err(|failure| vec![failure])
}

impl TestGenerator<'_> {
    async fn generate(&self) -> Result<GeneratedTest, Failure> {
        let inputs = read_inputs(self.compiled, self.model)?;
        let name = self.free_name();
        let mut last = None;
        for factor in TRIES {
            let mut lines = self.head(&name);
            self.add_given(&inputs, self.request.rows.saturating_mul(factor), &mut lines).await?;
            let open = with_expected(&lines, "rows: []");
            let rows = self.rows_made(&name, &open)?;
            let is_empty = rows.num_rows() == 0;
            last = Some((lines, rows));
            if !is_empty {
                break;
            }
        }
        let Some((lines, rows)) = last else { return Err(failed("no rows were looked at")) };
        let mut expected = vec!["rows:".to_owned()];
        expected.extend(written_rows(&rows).map_err(unwritten)?.into_iter().map(|row| format!("  - {row}")));
        let is_empty = rows.num_rows() == 0;
        let lines = match is_empty {
            true => with_expected(&lines, "rows: []"),
            false => with_expected(&lines, &expected.join("\n")),
        };
        let test = self.placed(name, &lines, is_empty)?;
        self.check(&test)?;
        Ok(test)
    }

    /// A name that no unit test of the model has.
    fn free_name(&self) -> String {
        let taken = |name: &str| {
            let id = UnitTestName { model: self.model.name.clone(), test: name.to_owned() };
            self.compiled.loaded.project.unit_tests.contains_key(&id)
        };
        let usual = format!("{}_example", self.model.name);
        let numbered = (2..).map(|number| format!("{usual}_{number}"));
        std::iter::once(usual.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(usual)
    }

    fn head(&self, name: &str) -> Vec<String> {
        vec![
            format!("name: {}", scalar(name)),
            format!("model: {}", scalar(self.model.name.as_str())),
            "given:".to_owned(),
        ]
    }

    async fn add_given(&self, inputs: &[ReadInput], most: usize, lines: &mut Vec<String>) -> Result<(), Failure> {
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for input in inputs {
            let rows = self.sample(input, most, &known).await?;
            lines.push(format!("  - input: {}", call(&input.target)));
            let written = written_rows(&rows).map_err(unwritten)?;
            lines.push(format!("    rows:{}", if written.is_empty() { " []" } else { "" }));
            lines.extend(written.into_iter().map(|row| format!("      - {row}")));
            for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
                if is_key(field.data_type()) {
                    let values = texts(column.as_ref()).map_err(unwritten)?;
                    known.entry(field.name().clone()).or_insert_with(|| values.into_iter().flatten().collect());
                }
            }
        }
        if inputs.is_empty() {
            let last = lines.len().saturating_sub(1);
            if let Some(line) = lines.get_mut(last) {
                line.push_str(" []");
            }
        }
        Ok(())
    }

    /// A few rows of an input, the same ones each time: those with values that other inputs have, if there are some.
    async fn sample(
        &self,
        input: &ReadInput,
        most: usize,
        known: &BTreeMap<String, Vec<String>>,
    ) -> Result<RecordBatch, Failure> {
        let columns: Vec<String> = input.columns.iter().map(|column| quoted(column)).collect();
        let shared = input.columns.iter().filter_map(|column| {
            let values: BTreeSet<&String> = known.get(column)?.iter().collect();
            let values: Vec<String> =
                values.into_iter().take(MOST_VALUES).map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
            (!values.is_empty()).then(|| format!("cast({} as text) in ({})", quoted(column), values.join(", ")))
        });
        let shared: Vec<String> = shared.collect();
        let list = columns.join(", ");
        let select =
            |condition: &str| format!("select {list} from {}{condition} order by {list} limit {most}", input.table);
        if !shared.is_empty() {
            let rows = self.rows(input, &select(&format!(" where {}", shared.join(" and ")))).await?;
            if rows.num_rows() > 0 {
                return Ok(rows);
            }
        }
        self.rows(input, &select("")).await
    }

    async fn rows(&self, input: &ReadInput, sql: &str) -> Result<RecordBatch, Failure> {
        let query = query(self.compiled, self.model, input, sql)?;
        let rows = query.rows(self.catalog, self.engine, 0).await?;
        arrow::compute::concat_batches(&rows.schema, &rows.batches).map_err(unwritten)
    }

    /// The rows that the model makes of what is given.
    fn rows_made(&self, name: &str, lines: &[String]) -> Result<RecordBatch, Failure> {
        let path = format!("{}/karat_generated_unit_test.yml", folder_of(&self.model_path()));
        let mut sink = Sink::default();
        let compiled = self.with_text(&path, unit_test_file(lines), &mut sink)?;
        let id = UnitTestName { model: self.model.name.clone(), test: name.to_owned() };
        rows_of_unit_test(&compiled, &id, &mut sink).map_err(|_reported| first_of(&mut sink))
    }

    /// The project with another text in the place of one of its files.
    fn with_text(&self, path: &str, text: String, sink: &mut Sink) -> Result<Compiled, Failure> {
        let Workspace { root, host } = &self.compiled.loaded.workspace;
        let host = Overlay::new(Arc::clone(host), BTreeMap::from([(path.to_owned(), text)]));
        let workspace = Workspace::new(root.clone(), host);
        let loaded = load(&workspace, &self.compiled.loaded.request, &mut SourceFiles::default(), sink);
        let loaded = loaded.map_err(|_reported| first_of(sink))?;
        Ok(compile_models(loaded, sink))
    }

    fn model_path(&self) -> String {
        self.compiled.loaded.project.models.get(&self.model.name).map_or_else(String::new, |model| model.path.clone())
    }

    /// The test in the properties file of its model, or in one of its own beside the model.
    fn placed(&self, name: String, lines: &[String], is_empty: bool) -> Result<GeneratedTest, Failure> {
        let loaded = &self.compiled.loaded;
        let yaml = unit_test_file(lines);
        let model_path = self.model_path();
        if self.request.writes && is_of_package(&model_path) {
            let message = format!("`{}` belongs to a package, whose files are not edited", self.model.name);
            return Err(Failure::Project(Diagnostic::error(Code::InvalidConfig, message).help("leave `--write` out")));
        }
        let described = loaded.project.models.get(&self.model.name).and_then(|model| model.described_at);
        let file = described.map(|span| span.file);
        let own = format!("{}/{}_unit_tests.yml", folder_of(&model_path), self.model.name);
        let path = file.map_or(own, |file| loaded.files.path(file).to_owned());
        let original = loaded.host().read(&path).ok();
        let text = match (&original, file) {
            (None, _) => yaml.clone(),
            (Some(original), file) => {
                let file = file.unwrap_or(self.model.file);
                with_unit_test(original, file, lines).ok_or_else(|| {
                    let message = format!("the unit tests in `{path}` are written in brackets");
                    let diagnostic = Diagnostic::error(Code::UnreadableFile, message);
                    Failure::Project(
                        diagnostic.help("write them as a list with a line for each, or leave `--write` out"),
                    )
                })?
            }
        };
        Ok(GeneratedTest { name, yaml, path, original, text, is_empty })
    }

    /// Runs the test as the project would have it.
    fn check(&self, test: &GeneratedTest) -> Result<(), Failure> {
        let mut sink = Sink::default();
        let compiled = self.with_text(&test.path, test.text.clone(), &mut sink)?;
        let id = UnitTestName { model: self.model.name.clone(), test: test.name.clone() };
        let results = run_unit_tests(&compiled, &BTreeSet::from([&id]), 1, &mut sink);
        let results = results.map_err(|_reported| first_of(&mut sink))?;
        match results.first() {
            Some(result) if result.passed() => Ok(()),
            Some(result) => {
                let reasons = result
                    .diagnostics()
                    .into_iter()
                    .flat_map(|fault| std::iter::once(fault.message).chain(fault.notes).collect::<Vec<_>>());
                let message = format!("no unit test of `{}` can be made of its rows", self.model.name);
                let diagnostic = Diagnostic::error(Code::RunFailed, message);
                let diagnostic = reasons.fold(diagnostic, Diagnostic::note);
                Err(Failure::Project(diagnostic.help("a model that asks for the time or for random numbers gives other rows each time: `overrides` fix them")))
            }
            None => Err(failed("the test was not found again")),
        }
    }
}

impl GeneratedTest {
    /// What to know of it before it is used.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let message = format!("no row comes out of what `{}` gives to the model", self.name);
        let warning = Diagnostic::warning(Code::EmptySelection, message);
        let warning = warning.help("change the given rows, or take more of them with `--rows`");
        self.is_empty.then_some(warning).into_iter().collect()
    }

    /// What was done with it.
    pub fn written(&self) -> String {
        format!("wrote the unit test {} into {}", self.name, self.path)
    }

    /// Writes the properties file.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written, or holds something else than what was read.
    pub fn write(&self, workspace: &Workspace) -> Result<(), Diagnostic> {
        let Some(original) = &self.original else {
            let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
            return write_project_file(&workspace.root.join(folder), name, &self.text).map_err(|error| {
                Diagnostic::error(Code::UnreadableFile, format!("`{}` cannot be written: {error}", self.path))
            });
        };
        let edited = EditedText { path: &self.path, original, text: &self.text };
        workspace.replace(edited).map_err(|fault| *fault)
    }
}

/// What the text of a model for the whole table reads, with the columns that count.
fn read_inputs(compiled: &Compiled, model: &TypedModel) -> Result<Vec<ReadInput>, Failure> {
    let Some(rendered) = compiled.loaded.rendered.models.get(&model.name) else { return Ok(Vec::new()) };
    let mut sink = Sink::default();
    let planner = compiled.planner();
    let over = planner.over_given(&rendered.full, model, &compiled.typed, &mut sink);
    let lineage = column_lineage(&over.map_err(|_reported| first_of(&mut sink))?)?;
    let mut read: BTreeMap<&TableName, BTreeSet<&str>> = BTreeMap::new();
    for origin in lineage.columns.iter().flat_map(|column| &column.origins).chain(&lineage.rows) {
        read.entry(&origin.table).or_default().insert(&origin.column);
    }
    let mut inputs: Vec<ReadInput> = Vec::new();
    for reference in &rendered.full.references {
        let target = &reference.target;
        if inputs.iter().any(|input| input.target == *target) {
            continue;
        }
        let Some((table, schema)) = table_of(compiled, target) else { continue };
        let is_read = |name: &str| read.get(&table).is_some_and(|columns| columns.contains(name));
        let names = schema.fields().iter().map(|field| field.name());
        let mut columns: Vec<String> = names.clone().filter(|name| is_read(name)).cloned().collect();
        if columns.is_empty() {
            // Its rows are counted, and a row has some value.
            columns.extend(names.take(1).cloned());
        }
        inputs.push(ReadInput { target: target.clone(), table, columns });
    }
    Ok(inputs)
}

fn table_of(compiled: &Compiled, target: &ReferenceTarget) -> Option<(TableName, SchemaRef)> {
    match target {
        ReferenceTarget::Model(name) => {
            let model = compiled.typed.get(name)?;
            Some((model.table.clone(), Arc::clone(&model.schema)))
        }
        ReferenceTarget::Source(name) => {
            Some((name.clone(), source_schema(compiled.loaded.project.sources.get(name)?)))
        }
        ReferenceTarget::This => None,
    }
}

/// A query over one input of a model.
fn query(compiled: &Compiled, model: &TypedModel, input: &ReadInput, sql: &str) -> Result<Query, Failure> {
    let sql = if sql.contains(" from ") { sql.to_owned() } else { format!("{sql} from {}", input.table) };
    let text = RenderedSql::over(sql, [(&input.table, &input.target)], Span::new(model.file, 0..0));
    let mut sink = Sink::default();
    Query::over_model(compiled, text, model.file, &mut sink).map_err(|_reported| first_of(&mut sink))
}

/// An input as YAML names it.
fn call(target: &ReferenceTarget) -> String {
    match target {
        ReferenceTarget::Model(name) => format!("ref('{name}')"),
        ReferenceTarget::Source(name) => format!("source('{}', '{}')", name.schema, name.table),
        ReferenceTarget::This => "this".to_owned(),
    }
}

/// The lines of a test with what must come out.
fn with_expected(lines: &[String], rows: &str) -> Vec<String> {
    let expected = rows.lines().map(|line| format!("  {line}"));
    lines.iter().cloned().chain(["expect:".to_owned()]).chain(expected).collect()
}

/// Rows as mappings of YAML, each on one line.
fn written_rows(rows: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let mut cells: Vec<Vec<String>> = Vec::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let name = scalar(field.name());
        let values = written_values(column.as_ref(), field.data_type())?;
        cells.push(values.into_iter().map(|value| format!("{name}: {value}")).collect());
    }
    let row = |row: usize| {
        let cells: Vec<&str> = cells.iter().filter_map(|column| column.get(row)).map(String::as_str).collect();
        format!("{{ {} }}", cells.join(", "))
    };
    Ok((0..rows.num_rows()).map(row).collect())
}

fn written_values(column: &dyn Array, data_type: &DataType) -> Result<Vec<String>, ArrowError> {
    if data_type.is_nested() {
        let schema =
            Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new("v", data_type.clone(), true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![arrow::array::make_array(column.to_data())])?;
        let mut json = Vec::new();
        write_rows(RowFormat::Json, &schema, &[batch], &mut json)
            .map_err(|error| ArrowError::from_external_error(Box::new(error)))?;
        let lines = String::from_utf8_lossy(&json).into_owned();
        let value = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            row.get("v").map_or_else(|| "null".to_owned(), serde_json::Value::to_string)
        };
        return Ok(lines.lines().map(value).collect());
    }
    let plain_word = data_type.is_numeric() || data_type == &DataType::Boolean;
    let written = texts(column)?.into_iter().map(|text| match text {
        None => "null".to_owned(),
        Some(text) if plain_word && text.parse::<f64>().map_or(true, f64::is_finite) => text,
        Some(text) => scalar(&text),
    });
    Ok(written.collect())
}

fn texts(column: &dyn Array) -> Result<Vec<Option<String>>, ArrowError> {
    let options = value_options();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row: usize| match column.is_valid(row) {
        true => formatter.value(row).try_to_string().map(Some),
        false => Ok(None),
    };
    (0..column.len()).map(text).collect()
}

/// Whether rows are often joined by columns of a type, and a value has one text.
fn is_key(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Date32)
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("models", |(folder, _)| folder)
}

fn first_of(sink: &mut Sink) -> Failure {
    let said = sink.take().into_iter().next();
    let fault = said.unwrap_or_else(|| Diagnostic::error(Code::RunFailed, "the test cannot be run"));
    // Its places are in texts that nobody has seen.
    Failure::Project(Diagnostic { labels: Vec::new(), ..fault })
}

fn failed(message: &str) -> Failure {
    Failure::Project(Diagnostic::error(Code::RunFailed, message))
}

fn unwritten(error: ArrowError) -> Failure {
    failed(&format!("the rows cannot be written down: {error}"))
}
