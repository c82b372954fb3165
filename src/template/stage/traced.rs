//! Texts that are rendered once more, to find where an error in what a macro gave was typed.

use std::sync::Arc;

use super::{Stage, TextFile, TextInputs, subject, text_stage};
use crate::diag::Sink;
use crate::template::environment::Engine;
use crate::template::macros::Library;
use crate::template::render::{RenderSubject, Variant};
use crate::template::{RenderedModel, RenderedSql};

/// A rendered text that is no model, and the template that it was rendered from.
#[derive(Debug, Clone, Copy)]
pub struct RenderedText<'a> {
    pub place: TextFile<'a>,
    pub sql: &'a RenderedSql,
}

/// The same models, whose texts also know where in macros and blocks they were typed. Texts that come out otherwise than
/// before keep the maps that they have. All macros are read once for all of them.
pub fn trace_models(inputs: TextInputs<'_>, models: &[&RenderedModel]) -> Vec<RenderedModel> {
    let traced = traced(inputs, |stage| models.iter().map(|rendered| stage.traced_model(rendered)).collect());
    traced.unwrap_or_else(|| models.iter().map(|rendered| (*rendered).clone()).collect())
}

/// The same for texts that are no models.
pub fn trace_texts(inputs: TextInputs<'_>, texts: &[RenderedText<'_>]) -> Vec<RenderedSql> {
    let traced = traced(inputs, |stage| {
        let of = |RenderedText { place, sql }: &RenderedText<'_>| {
            let template = Template { place: *place, text: inputs.files.text(place.file) };
            stage.traced(sql, template, &RenderSubject::Text, Variant::Full)
        };
        texts.iter().map(of).collect()
    });
    traced.unwrap_or_else(|| texts.iter().map(|text| text.sql.clone()).collect())
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
    fn traced_model(&mut self, rendered: &RenderedModel) -> RenderedModel {
        let Some(model) = self.project.models.get(&rendered.name) else { return rendered.clone() };
        let subject = subject(model, &rendered.table);
        let place = TextFile::plain(model.file, &model.package);
        let template = Template { place, text: model.template(self.files) };
        let full = self.traced(&rendered.full, template, &subject, Variant::Full);
        let sliced = rendered.sliced.as_ref();
        let sliced = sliced.map(|sliced| self.traced(sliced, template, &subject, Variant::Sliced));
        RenderedModel { full, sliced, ..rendered.clone() }
    }

    fn traced(
        &mut self,
        known: &RenderedSql,
        template: Template<'_>,
        subject: &RenderSubject,
        variant: Variant,
    ) -> RenderedSql {
        let Template { place: TextFile { file, package, config }, text } = template;
        let mut prepared = self.prepare(file, text, package);
        prepared.test_config = config.cloned().unwrap_or_default();
        match self.attempt(&mut prepared, subject, variant).text {
            Ok(again) if again.text == known.text => {
                RenderedSql { map: known.map.clone().with_inner(again.map), ..known.clone() }
            }
            _ => known.clone(),
        }
    }
}
