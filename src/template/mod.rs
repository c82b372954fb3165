//! Templates become SQL: every model is rendered without a look at the lake, and every byte keeps its origin.

mod blocks;
mod call_place;
mod definition;
mod environment;
mod fault;
mod filter;
mod function;
mod introspection;
mod invocation;
mod macro_block;
mod macros;
mod operators;
mod own_tags;
mod private_read;
mod reference_name;
mod render;
mod rendered;
mod rewrite;
mod source_map;
mod stage;
mod syntax_fault;
mod token;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

pub use introspection::{
    Answer, Answers, Cell, Compiler, NoCompiler, QueryRows, Question, QuestionQuery, Refusal, RelationColumn,
    RelationColumns,
};
pub use invocation::invocation_id;
pub use macro_block::{MacroBlock, macro_blocks};
pub(crate) use private_read::PrivateRead;
pub use reference_name::{ReferenceName, ReferencePlaces};
pub use rendered::{BrokenModel, Rendered, RenderedAnalysis};
pub use source_map::SourceMap;
pub use stage::{
    HookTemplate, RenderedHook, RenderedTest, RenderedText, TextFile, TextInputs, messages_of, render_hooks,
    render_models, render_tested, render_text, render_texts, settle_rivals, test_names, test_schemas, trace_models,
    trace_texts,
};

use crate::day::Window;
use crate::name::{ModelName, TableName};
use crate::project::{Dependency, ModelConfig, Project, Settings};
use crate::span::{FileId, Span, Spanned};

/// The text that a template gives.
#[derive(Debug, Clone)]
pub struct RenderedSql {
    pub text: String,
    pub map: SourceMap,
    /// In the order in which they were called.
    pub references: Vec<Reference>,
    /// Where they stand in the text.
    pub places: ReferencePlaces,
    /// What a test says of itself by `config()`.
    pub test_config: BTreeMap<String, Spanned<serde_json::Value>>,
}

impl RenderedSql {
    /// A text of ours over these tables: whatever is wrong with it lies at one place.
    pub fn over<'a>(
        text: String,
        tables: impl IntoIterator<Item = (&'a TableName, &'a ReferenceTarget)>,
        span: Span,
    ) -> Self {
        let references = tables.into_iter().map(|(table, target)| Reference {
            name: ReferenceName::first(table.clone()),
            target: target.clone(),
            window: None,
            on_change: None,
            through: None,
            span,
        });
        Self {
            text,
            map: SourceMap::whole(span),
            references: references.collect(),
            places: ReferencePlaces::default(),
            test_config: BTreeMap::new(),
        }
    }
}

/// A table that a text reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The table, and which call for it this is: each may have its own window.
    pub name: ReferenceName,
    pub target: ReferenceTarget,
    /// How far around its slice the call says that it reads.
    pub window: Option<Window>,
    /// What a change of the table does, if it has no event time.
    pub on_change: Option<OnChange>,
    /// The source that was named, if its rows are those of a seed or a model.
    pub through: Option<TableName>,
    /// The call in the template; for a call inside a macro, the call of the macro.
    pub span: Span,
}

/// What a change of a table without an event time does to the slices that were made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OnChange {
    /// They stay as they are: a new slice is made of what the table says now.
    #[default]
    Ignore,
    /// They are all computed again.
    Rebuild,
}

impl OnChange {
    pub const ALL: [OnChange; 2] = [OnChange::Ignore, OnChange::Rebuild];

    pub fn word(self) -> &'static str {
        match self {
            OnChange::Ignore => "ignore",
            OnChange::Rebuild => "rebuild",
        }
    }
}

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceTarget {
    Model(ModelName),
    Source(TableName),
    /// The model's own table.
    This,
}

impl ReferenceTarget {
    /// The table that YAML names by `ref()` or `source()`. Returns `None` if it names no table.
    pub fn named_by(named: &Dependency, project: &Project) -> Option<Self> {
        match named {
            Dependency::Model { name, version } => {
                Some(ReferenceTarget::Model(project.referred(name, version.as_deref())?))
            }
            other => Some(ReferenceTarget::Source(other.source()?)),
        }
    }
}

/// A model after its template was rendered.
#[derive(Debug, Clone)]
pub struct RenderedModel {
    pub name: ModelName,
    pub file: FileId,
    pub table: TableName,
    pub config: ModelConfig,
    /// The configs of all layers as they were written, the model's own on top.
    pub settings: Settings,
    pub full: RenderedSql,
    /// The text for a run over a range, if an incremental model asked `is_incremental()`.
    pub sliced: Option<RenderedSql>,
    /// What `log()` and `print()` said.
    pub messages: Vec<String>,
}

/// Every model that is enabled, by name.
pub type RenderedModels = BTreeMap<ModelName, RenderedModel>;
