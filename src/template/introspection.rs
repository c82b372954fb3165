//! What templates may ask the compiler: the columns of tables, and the rows of queries that the project decides.
//!
//! Dynamic macros write SQL by the columns or the values of what they read. What the lake holds could not answer them: the text of a
//! model would depend on which runs there were. The compiler can, where the answer follows from the project alone: columns follow from
//! the texts of models, and so do the rows of queries over constants and seeds. Models that ask are rendered after those that they ask
//! about have been typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ReferenceTarget, RenderedModels};
use crate::name::TableName;

/// What a template asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which columns a table has.
    Columns(TableName),
    Rows(QuestionQuery),
}

/// A query of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionQuery {
    pub sql: String,
    /// What the template has referred to so far. The query may read some of it.
    pub references: Vec<ReferenceTarget>,
}

/// What the compiler answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Columns(RelationColumns),
    Rows(Arc<QueryRows>),
    /// There is none, and never will be.
    Refused(Refusal),
}

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub help: Option<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    pub name: String,
    /// As PostgreSQL names it: `decimal(18, 2)`.
    pub data_type: String,
}

/// In the order of the table.
pub type RelationColumns = Arc<[RelationColumn]>;

/// The rows of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryRows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// A text, or what prints as one: dates and times.
    Text(String),
}

/// Answers at once, where all models are typed. `None` if there is nothing to be said.
pub type Answers<'a> = &'a dyn Fn(&Question) -> Option<Answer>;

/// Answers while models are being rendered.
pub trait Compiler {
    /// Answers as many of the questions as it can. One has no answer as long as a model that it depends on is not among the
    /// rendered ones, or has an error.
    fn answers(&mut self, rendered: &RenderedModels, asked: BTreeSet<Question>) -> BTreeMap<Question, Answer>;
}

/// Answers nothing: only the declared columns of sources are known.
pub struct NoCompiler;

impl Compiler for NoCompiler {
    fn answers(&mut self, _: &RenderedModels, _: BTreeSet<Question>) -> BTreeMap<Question, Answer> {
        BTreeMap::new()
    }
}
