//! Diagnostics for machines: one JSON object each.

use serde_json::{Value, json};

use super::{Diagnostic, Role, Severity};
use crate::span::SourceFiles;

/// `{code, severity, message, places: [{path, line, column, end_line, end_column, text, primary}], helps, notes}`.
pub fn to_json(diagnostic: &Diagnostic, files: &SourceFiles) -> Value {
    let places: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let start = files.position(label.span.file, label.span.start as usize);
            let end = files.position(label.span.file, label.span.end as usize);
            json!({
                "path": files.path(label.span.file),
                "line": start.line,
                "column": start.column,
                "end_line": end.line,
                "end_column": end.column,
                "text": label.text,
                "primary": label.role == Role::Primary,
            })
        })
        .collect();
    json!({
        "code": diagnostic.code.word(),
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "places": places,
        "helps": diagnostic.helps,
        "notes": diagnostic.notes,
    })
}
