//! Which rewrites of SQL a project allows, and how its SQL is read.

use std::collections::BTreeSet;

use super::dialect::SqlDialect;
use super::node::{Node, YamlFields};
use crate::diag::{Code, Diagnostic, Sink};

/// A kind of constructs that are written in PostgreSQL's words before they are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RewriteKind {
    /// Names of a SELECT list that stand for their expressions.
    Aliases,
    /// Casts, and the types of a dialect.
    Casts,
    /// `minus`, `fetch first`, `like any`, series as tables.
    Clauses,
    /// Calls of another engine's functions, and subscripts.
    Functions,
    /// Where nulls come in an order that does not say it.
    Nulls,
    /// `/`, `||` and other operators.
    Operators,
    /// `like` and regular expressions.
    Patterns,
}

impl RewriteKind {
    pub const ALL: [RewriteKind; 7] = [
        RewriteKind::Aliases,
        RewriteKind::Casts,
        RewriteKind::Clauses,
        RewriteKind::Functions,
        RewriteKind::Nulls,
        RewriteKind::Operators,
        RewriteKind::Patterns,
    ];

    pub fn word(self) -> &'static str {
        match self {
            RewriteKind::Aliases => "aliases",
            RewriteKind::Casts => "casts",
            RewriteKind::Clauses => "clauses",
            RewriteKind::Functions => "functions",
            RewriteKind::Nulls => "nulls",
            RewriteKind::Operators => "operators",
            RewriteKind::Patterns => "patterns",
        }
    }
}

/// How the SQL of a project is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlReading {
    pub dialect: SqlDialect,
    /// Kinds of rewrites that the project does not want: what would be rewritten is an error.
    pub switched_off: BTreeSet<RewriteKind>,
}

impl From<SqlDialect> for SqlReading {
    fn from(dialect: SqlDialect) -> SqlReading {
        SqlReading { dialect, switched_off: BTreeSet::new() }
    }
}

impl SqlReading {
    /// The keys `dialect` and `rewrites` of the project file.
    pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> SqlReading {
        let mut reading = SqlReading::from(SqlDialect::read(fields, sink));
        let Some(node) = fields.get("rewrites") else { return reading };
        let Ok(entries) = node.expect_mapping("`rewrites`", sink) else { return reading };
        for (key, value) in entries {
            let word = key.value.as_str();
            let Some(kind) = RewriteKind::ALL.into_iter().find(|kind| kind.word() == word) else {
                let known = RewriteKind::ALL.map(RewriteKind::word);
                let diagnostic = Diagnostic::error(Code::UnknownKey, format!("no rewrites are called `{word}`"))
                    .at(key.span)
                    .suggest(word, known)
                    .note(format!("the kinds of rewrites are {}", known.map(|word| format!("`{word}`")).join(", ")));
                sink.error(diagnostic);
                continue;
            };
            if let Ok(false) = Node::expect_bool(value, "a kind of rewrites", sink) {
                reading.switched_off.insert(kind);
            }
        }
        reading
    }
}
