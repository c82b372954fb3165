//! SQL to a typed logical plan over declared schemas (only user of sqlparser).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result, TableReference, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use sqlparser::ast::{Query, SetExpr, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Tokenizer};

use super::aliases;
use super::arithmetic::CheckedNumbers;
use super::foreign::warehouse::Warehouse;
use super::foreign::{self, Rewrite, RewriteNotes};
use super::functions::Functions;
use super::input::InputTable;
use super::lateral::without_laterals;
use super::literals;
use super::plan_size;
use super::recursive;
use super::references::{self, nth_of_catalog};
use super::statement::{self, Dialect, MAX_DEPTH, RefusedClause};
use super::sub_queries;
use super::syntax::in_postgresql_types;
use super::time::TimeCasts;
use super::typing::PostgresqlTypes;
use crate::project::{RewriteKind, SqlDialect, SqlReading};
use crate::template::ReferencePlaces;

const TOO_DEEP: &str = "the SQL is nested too deeply";
const TOO_LONG: &str =
    "more than 1000 operators or queries in a row: write `in (…)`, or put parts into models of their own";

/// Each round of planning writes one name of a SELECT list out.
const MOST_NAMES: usize = 200;

/// One SELECT, parsed, in PostgreSQL's words.
#[derive(Debug, Clone)]
pub(crate) struct ParsedStatement {
    statement: Statement,
    /// How it was read.
    reading: SqlReading,
}

impl ParsedStatement {
    /// The statement written out in one way only: comments and white space do not count.
    pub fn normalized(&self) -> String {
        self.statement.to_string()
    }

    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Why a text is not one SELECT.
#[derive(Debug)]
pub(crate) enum NotParsed {
    Syntax(String),
    Empty,
    Several,
    NotASelect(&'static str),
    /// It holds what would not do what it says.
    Refused(Vec<RefusedClause>),
}

/// Parses exactly one SELECT, all of which does what it says; `places` says where its references stand.
pub(crate) fn parse(
    sql: &str,
    places: &ReferencePlaces,
    functions: &Functions,
    reading: impl Into<SqlReading>,
) -> std::result::Result<ParsedStatement, NotParsed> {
    let reading = reading.into();
    let words = Dialect::for_text(sql, reading.dialect);
    let statements = statements(sql, &words);
    let too_deep = || NotParsed::Syntax(TOO_DEEP.to_owned());
    let mut statements = statements.map_err(|error| match error {
        _ if words.is_exhausted() => too_deep(),
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => NotParsed::Syntax(text),
        ParserError::RecursionLimitExceeded => too_deep(),
    })?;
    if statements.len() > 1 {
        return Err(NotParsed::Several);
    }
    let query = match statements.pop() {
        None => return Err(NotParsed::Empty),
        Some(Statement::Query(query)) => query,
        Some(_) => return Err(NotParsed::NotASelect("a statement that is not a SELECT")),
    };
    if let Some(what) = forbidden(&query) {
        return Err(NotParsed::NotASelect(what));
    }
    let mut statement = Statement::Query(query);
    let mut notes = RewriteNotes::new(&reading, false);
    let mut refusals = in_postgresql_words(&mut statement, &mut notes, reading.dialect);
    refusals.append(&mut notes.refused);
    // What could not be rewritten stands as it was, and is not told twice.
    if refusals.is_empty() {
        refusals.extend(statement::refusals(&statement, functions));
    }
    refusals.extend(statement::too_many_uses(&statement));
    if !refusals.is_empty() {
        return Err(NotParsed::Refused(refusals));
    }
    references::tell_apart(&mut statement, sql, places);
    Ok(ParsedStatement { statement, reading })
}

/// Reads a statement in its dialect, and notes what is rewritten. Gives what cannot be.
fn in_postgresql_words(
    statement: &mut Statement,
    notes: &mut RewriteNotes<'_>,
    dialect: SqlDialect,
) -> Vec<RefusedClause> {
    let refusals = match dialect {
        SqlDialect::Postgres => {
            foreign::series_as_rows(statement);
            Vec::new()
        }
        SqlDialect::DuckDb => foreign::duckdb::read(statement, notes),
        SqlDialect::Snowflake => foreign::warehouse::read(statement, Warehouse::Snowflake, notes),
        SqlDialect::BigQuery => foreign::warehouse::read(statement, Warehouse::BigQuery, notes),
        SqlDialect::Spark => foreign::warehouse::read(statement, Warehouse::Spark, notes),
    };
    foreign::note(statement, notes);
    refusals
}

/// What of a text is rewritten before it is planned, in the order of the text; none of a text that cannot be read.
pub(crate) fn rewrites_of(sql: &str, reading: &SqlReading) -> Vec<Rewrite> {
    let mut notes = RewriteNotes::new(reading, true);
    if let Ok(mut statements) = statements(sql, &Dialect::for_text(sql, reading.dialect))
        && let Some(statement) = statements.first_mut()
    {
        in_postgresql_words(statement, &mut notes, reading.dialect);
    }
    notes.made
}

fn statements(sql: &str, dialect: &Dialect) -> std::result::Result<Vec<Statement>, ParserError> {
    // The tokens are looked at before the parser recurses over them: it would need a stack as deep as the statement.
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location()?;
    let fault = |message: &str, at: Location| {
        Err(ParserError::ParserError(format!("{message} at Line: {}, Column: {}", at.line, at.column)))
    };
    if let Some(at) = statement::trailing_junk(&tokens) {
        return fault("a word follows directly after a number", at);
    }
    if let Some(at) = statement::too_deep(&tokens) {
        return fault(TOO_DEEP, at);
    }
    if let Some(at) = statement::too_long(&tokens) {
        return fault(TOO_LONG, at);
    }
    let tokens = statement::without_hints(tokens);
    Parser::new(dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens).parse_statements()
}

/// A text as it was written, before it is read in PostgreSQL's words: to find a place in it.
pub(super) fn first_statement(sql: &str) -> Option<Statement> {
    statements(sql, &Dialect::for_text(sql, SqlDialect::default())).ok()?.into_iter().next()
}

/// What a query may not do, though it begins like a SELECT: change something.
fn forbidden(query: &Query) -> Option<&'static str> {
    match query.body.as_ref() {
        SetExpr::Insert(_) => Some("an INSERT"),
        SetExpr::Update(_) => Some("an UPDATE"),
        SetExpr::Delete(_) => Some("a DELETE"),
        SetExpr::Merge(_) => Some("a MERGE"),
        SetExpr::Select(select) if select.into.is_some() => Some("a SELECT INTO"),
        SetExpr::Query(inner) => forbidden(inner),
        SetExpr::Select(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_) | SetExpr::Table(_) => None,
    }
}

/// The tables that one model may name, by how they stand in its SQL: schema, table, and which reference to it.
pub(crate) type InputTables = BTreeMap<(String, String, u32), Arc<InputTable>>;

/// Plans and type-checks one statement. The plan is not optimized.
pub(crate) fn plan(
    parsed: &ParsedStatement,
    tables: &InputTables,
    functions: &Functions,
    options: &ConfigOptions,
) -> Result<LogicalPlan> {
    plan_and_note(parsed, tables, functions, options).map(|planned| planned.plan)
}

/// A plan, and the names of SELECT lists that were written out for it.
pub(crate) struct NotedPlan {
    pub plan: LogicalPlan,
    pub names: Vec<Rewrite>,
}

/// The same with what had to be written out.
pub(crate) fn plan_and_note(
    parsed: &ParsedStatement,
    tables: &InputTables,
    functions: &Functions,
    options: &ConfigOptions,
) -> Result<NotedPlan> {
    let provider = Provider { tables, functions, options };
    let mut names = Vec::new();
    let SqlReading { dialect, switched_off } = &parsed.reading;
    if dialect.has_lateral_aliases() && !switched_off.contains(&RewriteKind::Aliases) {
        let mut statement = parsed.statement.clone();
        for _ in 0..MOST_NAMES {
            match planned(&statement, &provider) {
                Ok(plan) => return Ok(NotedPlan { plan, names }),
                Err(error) => match aliases::inline(&mut statement, &error) {
                    Some(name) => names.push(name),
                    None => return Err(error),
                },
            }
        }
        return planned(&statement, &provider).map(|plan| NotedPlan { plan, names });
    }
    planned(&parsed.statement, &provider).map(|plan| NotedPlan { plan, names })
}

fn planned(statement: &Statement, provider: &Provider<'_>) -> Result<LogicalPlan> {
    let options = provider.options;
    let parser_options = ParserOptions::new().with_collect_spans(true).with_parse_float_as_decimal(true);
    let planner = SqlToRel::new_with_options(provider, parser_options);
    let statement = in_postgresql_types(statement.clone())?;
    let written = recursive::written_casts(&statement);
    let plan = planner.sql_statement_to_plan(statement)?;
    let plan = without_laterals(plan)?;
    plan_size::check(&plan)?;
    recursive::check(&plan, &written)?;
    let plan = analyzer().execute_and_check(plan, options, |_, _| {})?;
    sub_queries::check(&plan, options)?;
    literals::check(&plan)?;
    Ok(plan)
}

/// The engine's rules of types between karat's own.
fn analyzer() -> Analyzer {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(PostgresqlTypes)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(TimeCasts));
    rules.push(Arc::new(CheckedNumbers));
    Analyzer::with_rules(rules)
}

struct Provider<'a> {
    tables: &'a InputTables,
    functions: &'a Functions,
    options: &'a ConfigOptions,
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let found = match &name {
            TableReference::Bare { .. } => None,
            TableReference::Partial { schema, table } => self.tables.get(&(schema.to_string(), table.to_string(), 1)),
            TableReference::Full { catalog, schema, table } => {
                nth_of_catalog(catalog).and_then(|nth| self.tables.get(&(schema.to_string(), table.to_string(), nth)))
            }
        };
        match found {
            Some(table) => Ok(Arc::clone(table) as Arc<dyn TableSource>),
            None => plan_err!("table '{name}' not found"),
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        _arguments: Vec<datafusion::logical_expr::Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        Err(DataFusionError::Plan(format!("table function '{name}' is not available: use unnest(...)")))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.functions.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.functions.higher_order.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.functions.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.functions.window.keys().cloned().collect()
    }
}
