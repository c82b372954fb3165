//! Constraints of a contract, as properties files write them: on a column, or on the model as a whole.

use super::node::{Node, YamlFields};
use super::resource::Dependency;
use super::resources::dependency;
use super::schema::Keys;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::span::{Span, Spanned};

const KEYS: Keys = Keys::nested(
    "a constraint",
    &["type", "name", "expression", "columns", "to", "to_columns", "warn_unenforced", "warn_unsupported"],
);

/// What rows have to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    NotNull,
    Unique,
    PrimaryKey,
    ForeignKey,
    Check,
    /// What an author writes behind a column for a database to read.
    Custom,
}

impl ConstraintKind {
    const ALL: [Self; 6] = [Self::Check, Self::NotNull, Self::Unique, Self::PrimaryKey, Self::ForeignKey, Self::Custom];

    /// Its word in YAML.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotNull => "not_null",
            Self::Unique => "unique",
            Self::PrimaryKey => "primary_key",
            Self::ForeignKey => "foreign_key",
            Self::Check => "check",
            Self::Custom => "custom",
        }
    }
}

/// A constraint as it is declared.
#[derive(Debug, Clone)]
pub struct Constraint {
    pub kind: ConstraintKind,
    pub name: Option<String>,
    pub expression: Option<Spanned<String>>,
    /// The columns that it is about. A constraint of a column has that one.
    pub columns: Vec<Spanned<String>>,
    /// Whether it stands at a column.
    pub is_of_column: bool,
    /// What a foreign key refers to: `ref('customers')`.
    pub to: Option<Spanned<Dependency>>,
    pub to_columns: Vec<Spanned<String>>,
    /// `to` as it was written.
    pub to_written: Option<String>,
    pub warn_unenforced: bool,
    pub warn_unsupported: bool,
    pub span: Span,
}

/// Reads `constraints:` of a model, or of the column that is named.
pub(super) fn constraints(
    fields: &YamlFields<'_>,
    column: Option<&Spanned<String>>,
    sink: &mut Sink,
) -> Vec<Constraint> {
    let mut found = Vec::new();
    for node in fields.list("constraints", sink) {
        // What is wrong is in the sink.
        found.extend(constraint(node, column, sink));
    }
    found
}

fn constraint(node: &Node, column: Option<&Spanned<String>>, sink: &mut Sink) -> Checked<Constraint> {
    let fields = YamlFields::of(node, "an item of `constraints`", sink)?;
    KEYS.check(&fields, sink);
    let kind = kind(&fields, sink)?;
    let flag = |key: &str, sink: &mut Sink| fields.read(key, Node::expect_bool, sink).unwrap_or(true);
    let columns = match column {
        Some(column) => vec![column.clone()],
        None => named_columns(&fields, "columns", sink),
    };
    let constraint = Constraint {
        kind: kind.value,
        name: fields.read("name", Node::expect_any_text, sink).map(|name| name.value),
        expression: fields.read("expression", Node::expect_any_text, sink),
        columns,
        is_of_column: column.is_some(),
        to: fields.get("to").map(|node| dependency(node, "to", &["ref", "source"], sink)).transpose()?,
        to_columns: named_columns(&fields, "to_columns", sink),
        to_written: fields.get("to").and_then(|to| to.to_json().as_str().map(str::to_owned)),
        warn_unenforced: flag("warn_unenforced", sink),
        warn_unsupported: flag("warn_unsupported", sink),
        span: kind.span,
    };
    constraint.check(sink)?;
    Ok(constraint)
}

/// Columns, of which some may stand in quotes as SQL has them: `'"from"'`.
fn named_columns(fields: &YamlFields<'_>, key: &str, sink: &mut Sink) -> Vec<Spanned<String>> {
    let written = fields.read(key, Node::expect_texts, sink).unwrap_or_default();
    let plain = |name: &str| name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name).to_owned();
    written.into_iter().map(|name| Spanned::new(plain(&name.value), name.span)).collect()
}

fn kind(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<Spanned<ConstraintKind>> {
    let words = || ConstraintKind::ALL.iter().map(|kind| kind.word());
    let Some(written) = fields.text("type", sink) else {
        let diagnostic = Diagnostic::error(Code::InvalidYaml, "a constraint has no `type`").at(fields.place());
        return Err(sink.error(diagnostic.help(format!("its type is one of {}", all_of(words())))));
    };
    match ConstraintKind::ALL.iter().find(|kind| kind.word() == written.value) {
        Some(kind) => Ok(Spanned::new(*kind, written.span)),
        None => {
            let message = format!("no constraint is called `{}`", written.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(written.span);
            let suggested = diagnostic.clone().suggest(&written.value, words());
            Err(sink.error(match suggested.helps.is_empty() {
                true => diagnostic.help(format!("its type is one of {}", all_of(words()))),
                false => suggested,
            }))
        }
    }
}

impl Constraint {
    /// Whether a warning is wanted where it is not checked.
    pub fn warns(&self) -> bool {
        self.warn_unenforced && self.warn_unsupported
    }

    /// Whether it says what it needs to.
    fn check(&self, sink: &mut Sink) -> Checked<()> {
        let (what, help) = match self.kind {
            ConstraintKind::Check if self.expression.is_none() => {
                ("`expression`", "write the condition that holds for each row: `expression: amount >= 0`")
            }
            ConstraintKind::Unique
            | ConstraintKind::PrimaryKey
            | ConstraintKind::NotNull
            | ConstraintKind::ForeignKey
                if self.columns.is_empty() =>
            {
                ("`columns`", "name them: `columns: [id]`")
            }
            ConstraintKind::ForeignKey if self.expression.is_none() && self.to.is_none() => {
                ("`to`", "name the other table: `to: ref('customers')`, with `to_columns: [id]`")
            }
            ConstraintKind::ForeignKey if self.to.is_some() && self.to_columns.len() != self.columns.len() => {
                ("`to_columns` for each of its columns", "name the columns of the other table: `to_columns: [id]`")
            }
            _ => return Ok(()),
        };
        let message = format!("a constraint `{}` has no {what}", self.kind.word());
        Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(self.span).help(help)))
    }
}

#[cfg(test)]
mod tests {
    use crate::project::testing::said;

    #[test]
    fn a_constraint_says_what_it_is_and_what_it_needs() {
        let yaml = "
models:
- name: a
  constraints:
  - {type: primary}
  - {type: check}
  - {columns: [id]}
  - {type: unique}
  columns:
  - {name: id, constraints: [{type: not_nul}, {type: foreign_key}, {type: not_null, nam: x}]}
";
        let model = ("models/a.sql", "select 1 as id");
        let said = said("name: p", &[model, ("models/a.yml", yaml)]);
        let messages: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(
            messages,
            [
                "error[invalid-config]: no constraint is called `primary`",
                "error[invalid-config]: a constraint `check` has no `expression`",
                "error[invalid-yaml]: a constraint has no `type`",
                "error[invalid-config]: a constraint `unique` has no `columns`",
                "error[invalid-config]: no constraint is called `not_nul`",
                "error[invalid-config]: a constraint `foreign_key` has no `to`",
                "error[unknown-key]: `nam` is not a key of a constraint",
            ]
        );
    }
}
