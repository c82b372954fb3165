//! Texts that are rendered once more, to find where an error in what a macro gave was typed.

use std::sync::Arc;

use super::{Stage, TextFile, TextInputs, subject, text_stage};
use crate::diag::Sink;
use crate::template::environment::Engine;
use crate::template::macros::Library;
use crate::template::render::{RenderSubject, Variant};
use crate::template::{RenderedModel, RenderedSql};

/// The same model, whose texts also know where in macros and blocks they were typed. Texts that come out otherwise than before
/// keep the maps that they have.
pub fn trace_model(inputs: TextInputs<'_>, rendered: &RenderedModel) -> RenderedModel {
    let Some(model) = inputs.project.models.get(&rendered.name) else { return rendered.clone() };
    let subject = subject(model, &rendered.table);
    let traced = traced(inputs, |stage| {
        let mut of = |sql: &RenderedSql, variant| {
            let text = model.template(stage.files);
            let place = TextFile { file: model.file, package: &model.package };
            stage.traced(sql, Template { place, text }, &subject, variant)
        };
        let full = of(&rendered.full, Variant::Full);
        let sliced = rendered.sliced.as_ref().map(|sliced| of(sliced, Variant::Sliced));
        RenderedModel { full, sliced, ..rendered.clone() }
    });
    traced.unwrap_or_else(|| rendered.clone())
}

/// The same for a text that is no model.
pub fn trace_text(inputs: TextInputs<'_>, text: TextFile<'_>, rendered: &RenderedSql) -> RenderedSql {
    let template = Template { place: text, text: inputs.files.text(text.file) };
    let traced = traced(inputs, |stage| stage.traced(rendered, template, &RenderSubject::Text, Variant::Full));
    traced.unwrap_or_else(|| rendered.clone())
}

/// A template with its place.
#[derive(Clone, Copy)]
struct Template<'a> {
    place: TextFile<'a>,
    text: &'a str,
}

/// Calls `with` with a stage whose engine traces. Returns `None` if the macros cannot be read, which was reported before.
fn traced<T>(inputs: TextInputs<'_>, with: impl FnOnce(&mut Stage<'_>) -> T) -> Option<T> {
    let library = Library::read(inputs.project, inputs.files, &mut Sink::default()).ok()?;
    let library = Arc::new(library);
    let engine = Engine::tracing(&library, inputs.files);
    Some(with(&mut text_stage(inputs, &library, engine)))
}

impl Stage<'_> {
    fn traced(
        &mut self,
        known: &RenderedSql,
        template: Template<'_>,
        subject: &RenderSubject,
        variant: Variant,
    ) -> RenderedSql {
        let Template { place: TextFile { file, package }, text } = template;
        let mut prepared = self.prepare(file, text, package);
        match self.attempt(&mut prepared, subject, variant).text {
            Ok(again) if again.text == known.text => {
                RenderedSql { map: known.map.clone().with_inner(again.map), ..known.clone() }
            }
            _ => known.clone(),
        }
    }
}
