//! Models that cannot be rendered: what is known of them all the same.

use std::collections::BTreeMap;

use super::{Attempt, ModelDraft, Stage};
use crate::diag::{Diagnostic, Severity, Sink};
use crate::name::TableName;
use crate::project::{Model, ModelConfig};
use crate::span::Span;
use crate::template::{BrokenModel, ReferencePlaces, Rendered, RenderedModel, RenderedSql, SourceMap};

/// Adds a seed, which has no template.
pub(super) fn add_seed(seed: &Model, table: TableName, rendered: &mut Rendered, sink: &mut Sink) {
    let mut complaints = Sink::default();
    match ModelConfig::of_seed(&seed.settings, &mut complaints) {
        Ok(config) => {
            rendered.models.insert(seed.name.clone(), without_text(seed, table, config));
            sink.append(complaints);
        }
        Err(_) => {
            let outline = without_text(seed, table, ModelConfig::of_unset_seed());
            rendered.broken.insert(seed.name.clone(), BrokenModel { outline, faults: complaints.take() });
        }
    }
}

/// A seed, or what is known of a model that could not be rendered: its text is empty.
fn without_text(model: &Model, table: TableName, config: ModelConfig) -> RenderedModel {
    let full = RenderedSql {
        text: String::new(),
        map: SourceMap::whole(Span::new(model.file, 0..0)),
        references: Vec::new(),
        places: ReferencePlaces::default(),
        test_config: BTreeMap::new(),
    };
    let messages = Vec::new();
    let settings = model.settings.clone();
    RenderedModel { name: model.name.clone(), file: model.file, table, config, settings, full, sliced: None, messages }
}

impl ModelDraft<'_> {
    /// Whether anything is wrong with what was rendered of it.
    fn has_faults(&self) -> bool {
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        let attempts = [Some(&self.attempt), self.sliced.as_ref()];
        let failed = |attempt: &Attempt| attempt.text.is_err() || attempt.record.diagnostics.iter().any(is_error);
        self.config.is_err() || attempts.into_iter().flatten().any(failed)
    }

    /// What is known of a model that cannot be rendered.
    fn outline(&self) -> RenderedModel {
        let mut unsaid = Sink::default();
        let config = match &self.config {
            Ok(config) => config.clone(),
            // What is written outside of the template may still say something.
            Err(_) => {
                let settings = &self.model.settings;
                ModelConfig::of(self.model, settings, &mut unsaid).unwrap_or_else(|_| ModelConfig::unset(self.model))
            }
        };
        let mut outline = without_text(self.model, self.table.clone(), config);
        outline.full.references.clone_from(&self.attempt.record.references);
        outline
    }
}

impl Stage<'_> {
    /// Adds a model with all its texts, or everything that is wrong with it.
    pub(super) fn finish(&mut self, draft: ModelDraft<'_>, rendered: &mut Rendered, sink: &mut Sink) {
        let name = draft.model.name.clone();
        let outline = draft.has_faults().then(|| draft.outline());
        let mut complaints = Sink::default();
        match (self.finished(draft, &mut complaints), outline) {
            (Ok(model), _) => {
                rendered.models.insert(name, model);
                sink.append(complaints);
            }
            (Err(_), outline) => {
                let outline = outline.expect("a draft without faults can be finished");
                rendered.broken.insert(name, BrokenModel { outline, faults: complaints.take() });
            }
        }
    }
}
