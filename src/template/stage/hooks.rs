//! Hooks, rendered like a part of their model.

use std::sync::Arc;

use super::{TextFile, TextInputs, Variant, sql, subject, text_stage};
use crate::diag::{Checked, Diagnostic, Severity, Sink};
use crate::name::ModelName;
use crate::span::Span;
use crate::template::environment::Engine;
use crate::template::macros::Library;
use crate::template::render::RenderSubject;
use crate::template::{ReferenceTarget, RenderedSql, SourceMap};

/// A hook to render.
#[derive(Debug, Clone, Copy)]
pub struct HookTemplate<'a> {
    pub text: TextFile<'a>,
    /// The model that `this` means. `None` for a hook of a run.
    pub model: Option<&'a ModelName>,
    /// Where the hook was written: what is wrong with it is shown there.
    pub at: Span,
}

/// What a hook becomes.
#[derive(Debug, Clone)]
pub struct RenderedHook {
    pub sql: RenderedSql,
    /// What `log()` and `print()` said.
    pub messages: Vec<String>,
}

/// Renders hooks, and gives for each its text or what is wrong with it.
///
/// # Errors
///
/// Returns an error if the macros cannot be read.
pub fn render_hooks(
    inputs: TextInputs<'_>,
    hooks: &[HookTemplate<'_>],
    sink: &mut Sink,
) -> Checked<Vec<Result<RenderedHook, Vec<Diagnostic>>>> {
    let library = Arc::new(Library::read(inputs.project, inputs.files, sink)?);
    let engine = Engine::new(&library, inputs.files);
    let mut stage = text_stage(inputs, &library, engine);
    let mut all = Vec::with_capacity(hooks.len());
    for hook in hooks {
        let mut prepared = stage.prepare(hook.text.file, inputs.files.text(hook.text.file), hook.text.package);
        let outline = hook.model.and_then(|name| inputs.rendered.outline(name));
        let model = hook.model.and_then(|name| inputs.project.models.get(name)).zip(outline);
        let of_hook = model.map_or(RenderSubject::Text, |(model, outline)| subject(model, &outline.table));
        let mut attempt = stage.attempt(&mut prepared, &of_hook, Variant::Full);
        let messages = std::mem::take(&mut attempt.record.messages);
        let mut faults = std::mem::take(&mut attempt.record.diagnostics);
        faults.retain(|fault| fault.severity == Severity::Error);
        let text = match attempt.text {
            Ok(text) if faults.is_empty() => text,
            Ok(_) => {
                all.push(Err(faults.into_iter().map(|fault| moved(fault, hook.at)).collect()));
                continue;
            }
            Err(fault) => {
                faults.push(*fault);
                all.push(Err(faults.into_iter().map(|fault| moved(fault, hook.at)).collect()));
                continue;
            }
        };
        let mut sql = sql(text, attempt.record, outline.map(|outline| &outline.table));
        sql.map = SourceMap::whole(hook.at);
        for reference in &mut sql.references {
            reference.span = hook.at;
            // For the hook its model is a table like any other.
            if let (ReferenceTarget::This, Some(name)) = (&reference.target, hook.model) {
                reference.target = ReferenceTarget::Model(name.clone());
            }
        }
        all.push(Ok(RenderedHook { sql, messages }));
    }
    Ok(all)
}

/// The text of a hook is a file for the engine alone: a person sees where it was written.
fn moved(fault: Diagnostic, at: Span) -> Diagnostic {
    Diagnostic { labels: Vec::new(), ..fault }.at(at)
}
