//! Models that ask for the columns of others, rendered after those.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ModelDraft, Stage, subject};
use crate::diag::{Code, Diagnostic, Partial, Sink};
use crate::name::TableName;
use crate::project::ModelConfig;
use crate::span::Span;
use crate::template::RenderedModels;
use crate::template::columns::ColumnTyping;
use crate::template::render::{Need, Variant};

impl ModelDraft<'_> {
    /// The table whose columns must be known before the model can be rendered.
    fn waits_for(&self) -> Option<&TableName> {
        let attempts = [Some(&self.attempt), self.sliced.as_ref()];
        attempts.into_iter().flatten().find_map(|attempt| match &attempt.record.need {
            Some(Need::Columns(table)) if attempt.text.is_err() => Some(table),
            Some(Need::Columns(_) | Need::Variable(_) | Need::Macros(_)) | None => None,
        })
    }
}

impl Stage<'_> {
    /// Finishes all models, in rounds: each types what the waiting ones ask for, of the models that were finished before. A
    /// round makes the columns of at least one more table known, so there are no more rounds than tables.
    pub(super) fn finish_in_order(
        &mut self,
        drafts: Vec<ModelDraft<'_>>,
        seeds: Partial<RenderedModels>,
        typing: &mut dyn ColumnTyping,
        sink: &mut Sink,
    ) -> Partial<RenderedModels> {
        let mut rendered = seeds;
        let mut waiting = drafts;
        for draft in &mut waiting {
            self.render_sliced(draft);
        }
        loop {
            let (still, ready): (Vec<ModelDraft<'_>>, Vec<ModelDraft<'_>>) =
                waiting.into_iter().partition(|draft| draft.waits_for().is_some());
            for draft in ready {
                let name = draft.model.name.clone();
                match self.finish(draft, sink) {
                    Ok(model) => {
                        rendered.well.insert(name, model);
                    }
                    Err(reported) => rendered.failed = Some(reported),
                }
            }
            if still.is_empty() {
                return rendered;
            }
            let wanted: BTreeSet<TableName> = still.iter().filter_map(ModelDraft::waits_for).cloned().collect();
            let known = typing.columns(&rendered.well, &wanted);
            if known.is_empty() {
                for draft in still {
                    rendered.failed = self.finish(explained(draft, &wanted), sink).err().or(rendered.failed);
                }
                return rendered;
            }
            let answered: BTreeSet<TableName> = known.keys().cloned().collect();
            Arc::make_mut(&mut self.facts).columns.extend(known);
            waiting = still.into_iter().map(|draft| self.again(draft, &answered)).collect();
        }
    }

    /// The text for slices or a batch, if the model has one. One that never asks has one text for both, and is rendered once.
    fn render_sliced(&mut self, draft: &mut ModelDraft<'_>) {
        let is_incremental = draft.config.as_ref().is_ok_and(|config| config.materialized.is_incremental());
        if draft.attempt.record.asked_incremental && is_incremental {
            let subject = subject(draft.model, &draft.table);
            draft.sliced = Some(self.attempt(&mut draft.prepared, &subject, Variant::Sliced));
        }
    }

    /// Renders a model once more if what it waits for is known by now.
    fn again<'m>(&mut self, mut draft: ModelDraft<'m>, answered: &BTreeSet<TableName>) -> ModelDraft<'m> {
        if !draft.waits_for().is_some_and(|table| answered.contains(table)) {
            return draft;
        }
        let subject = subject(draft.model, &draft.table);
        draft.attempt = self.attempt(&mut draft.prepared, &subject, Variant::Full);
        // The render before may have ended in front of a `config()`.
        draft.complaints = Sink::default();
        let before = std::mem::replace(
            &mut draft.config,
            ModelConfig::resolve(&draft.attempt.record.settings, &mut draft.complaints),
        );
        if let (Ok(before), Ok(config)) = (before, &draft.config)
            && (before.enabled != config.enabled || draft.model.table(config.schema.as_ref()) != draft.table)
        {
            let message = "`config()` says where the model stands only after it has asked for the columns of another";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(Span::new(draft.model.file, 0..0));
            draft.attempt.record.diagnostics.push(diagnostic.help("write `config()` at the top of the model"));
        }
        draft.sliced = None;
        self.render_sliced(&mut draft);
        draft
    }
}

/// Says why the columns that a model waits for are not known.
fn explained<'m>(mut draft: ModelDraft<'m>, wanted: &BTreeSet<TableName>) -> ModelDraft<'m> {
    let own = draft.table.clone();
    let Some(table) = draft.waits_for().cloned() else { return draft };
    let help = if wanted.contains(&own) {
        format!("`{own}` and `{table}` ask for each other's columns: name the columns in one of them")
    } else {
        format!("mend `{table}` first, or declare the columns if it is a source")
    };
    let attempts = [Some(&mut draft.attempt), draft.sliced.as_mut()];
    for diagnostic in attempts.into_iter().flatten().filter_map(|attempt| attempt.text.as_mut().err()) {
        **diagnostic = (**diagnostic).clone().help(help.clone());
    }
    draft
}
