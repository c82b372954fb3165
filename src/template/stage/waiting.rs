//! Models that ask the compiler about others, rendered after those.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ModelDraft, Stage, subject};
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::TableName;
use crate::project::ModelConfig;
use crate::span::Span;
use crate::template::Rendered;
use crate::template::introspection::{Compiler, Question};
use crate::template::render::{Need, Variant};

/// A chain of so many questions, each of which depends on the answer to the one before, is a loop.
const MOST_ROUNDS: usize = 1_000;

impl ModelDraft<'_> {
    /// What it waits for, and the columns of what it has referred to so far.
    fn questions(&self) -> Vec<Question> {
        let Some(first) = self.waits_for() else { return Vec::new() };
        let mut questions = vec![first.clone()];
        if let Question::Columns(_) = first {
            let attempts = [Some(&self.attempt), self.sliced.as_ref()];
            let references = attempts.into_iter().flatten().flat_map(|attempt| &attempt.record.references);
            questions.extend(references.map(|reference| Question::Columns(reference.name.table.clone())));
        }
        questions
    }

    /// What must be answered before the model can be rendered.
    fn waits_for(&self) -> Option<&Question> {
        let attempts = [Some(&self.attempt), self.sliced.as_ref()];
        attempts.into_iter().flatten().find_map(|attempt| match &attempt.record.need {
            Some(Need::Answer(question)) if attempt.text.is_err() => Some(question),
            Some(Need::Answer(_) | Need::Variable(_) | Need::Macros(_) | Need::Nodes) | None => None,
        })
    }
}

impl Stage<'_> {
    /// Finishes all models, in rounds: each answers what the waiting ones ask, by the models that were finished before. A
    /// round answers at least one more question.
    pub(super) fn finish_in_order(
        &mut self,
        drafts: Vec<ModelDraft<'_>>,
        rendered: &mut Rendered,
        compiler: &mut dyn Compiler,
        sink: &mut Sink,
    ) {
        let mut waiting = drafts;
        for draft in &mut waiting {
            self.render_sliced(draft);
        }
        for round in 0.. {
            let (still, ready): (Vec<ModelDraft<'_>>, Vec<ModelDraft<'_>>) =
                waiting.into_iter().partition(|draft| draft.waits_for().is_some());
            for draft in ready {
                self.finish(draft, rendered, sink);
            }
            if still.is_empty() {
                return;
            }
            // Whoever asks about one table mostly goes on with the next that it refers to: together they take one round.
            let asked: BTreeSet<Question> = still.iter().flat_map(ModelDraft::questions).collect();
            let answers = compiler.answers(&rendered.models, asked);
            let answered: BTreeSet<Question> = answers.keys().cloned().collect();
            Arc::make_mut(&mut self.facts).answers.extend(answers);
            if answered.is_empty() || round >= MOST_ROUNDS {
                let waiting: BTreeSet<TableName> = still.iter().map(|draft| draft.table.clone()).collect();
                for draft in still {
                    self.finish(explained(draft, &waiting), rendered, sink);
                }
                return;
            }
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
    fn again<'m>(&mut self, mut draft: ModelDraft<'m>, answered: &BTreeSet<Question>) -> ModelDraft<'m> {
        if !draft.waits_for().is_some_and(|question| answered.contains(question)) {
            return draft;
        }
        let subject = subject(draft.model, &draft.table);
        draft.attempt = self.attempt(&mut draft.prepared, &subject, Variant::Full);
        // The render before may have ended in front of a `config()`.
        draft.complaints = Sink::default();
        let before = std::mem::replace(
            &mut draft.config,
            ModelConfig::of(draft.model, &draft.attempt.record.settings, &mut draft.complaints),
        );
        if let (Ok(before), Ok(config)) = (before, &draft.config)
            && (before.enabled != config.enabled
                || before.schema != config.schema
                || before.target_schema != config.target_schema
                || before.alias.as_ref().map(|alias| &alias.value) != config.alias.as_ref().map(|alias| &alias.value))
        {
            let message = "`config()` says where the model stands only after it has asked about another one";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(Span::new(draft.model.file, 0..0));
            draft.attempt.record.diagnostics.push(diagnostic.help("write `config()` at the top of the model"));
        }
        draft.sliced = None;
        self.render_sliced(&mut draft);
        draft
    }
}

/// Says why there is no answer to what a model asks.
fn explained<'m>(mut draft: ModelDraft<'m>, waiting: &BTreeSet<TableName>) -> ModelDraft<'m> {
    let own = &draft.table;
    let help = match draft.waits_for() {
        Some(Question::Columns(table)) if waiting.contains(table) => {
            format!("`{own}` and `{table}` ask for each other's columns: name the columns in one of them")
        }
        Some(Question::Columns(table)) => format!("mend `{table}` first, or declare the columns if it is a source"),
        Some(Question::Rows(_)) => "mend the models that the query reads first".to_owned(),
        None => return draft,
    };
    let attempts = [Some(&mut draft.attempt), draft.sliced.as_mut()];
    for diagnostic in attempts.into_iter().flatten().filter_map(|attempt| attempt.text.as_mut().err()) {
        **diagnostic = (**diagnostic).clone().help(help.clone());
    }
    draft
}
