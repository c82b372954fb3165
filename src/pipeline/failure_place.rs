//! Where to look for the cause of a failure that names no place itself.

use super::load::{Compiled, Loaded};
use crate::catalog::is_at;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::name::ModelName;
use crate::span::Span;

/// The failure of a model with a place: that of the source whose file is wrong, or else the beginning of the model.
pub(crate) fn placed(failure: &Failure, compiled: &Compiled, model: &ModelName) -> Failure {
    match failure {
        Failure::Project(diagnostic) => Failure::Project(at_cause(diagnostic, &compiled.loaded, model)),
        Failure::World(diagnostic) => Failure::World(at_cause(diagnostic, &compiled.loaded, model)),
    }
}

fn at_cause(diagnostic: &Diagnostic, loaded: &Loaded, model: &ModelName) -> Diagnostic {
    let diagnostic = diagnostic.clone();
    if !diagnostic.labels.is_empty() {
        return diagnostic;
    }
    if let Some(location) = location_of_file(&diagnostic, loaded) {
        return diagnostic.at(location);
    }
    match loaded.project.models.get(model) {
        Some(found) if found.snapshot.is_some() => diagnostic.at(found.place()),
        Some(found) => {
            let end = loaded.files.text(found.file).lines().next().map_or(0, str::len);
            diagnostic.at(Span::new(found.file, 0..end))
        }
        None => diagnostic,
    }
}

/// The location of the source that a file belongs to. What is wrong with a file is said with its name first.
fn location_of_file(diagnostic: &Diagnostic, loaded: &Loaded) -> Option<Span> {
    // Of a bucket that cannot be read, the path tells whose it is.
    if ![Code::InvalidSourceFile, Code::Storage].contains(&diagnostic.code) {
        return None;
    }
    let file = diagnostic.message.strip_prefix('`')?.split('`').next()?;
    let source = loaded.project.sources.values().find(|source| is_at(&source.location.value, file))?;
    Some(source.location.span)
}
