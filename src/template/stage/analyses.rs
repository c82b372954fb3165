//! Analyses: queries that are rendered like models and never run.

use super::{Stage, Variant};
use crate::diag::{Severity, Sink};
use crate::template::render::RenderSubject;
use crate::template::{Rendered, RenderedAnalysis};

impl Stage<'_> {
    /// Renders the analyses. What is wrong with one is a warning: nothing is built of it.
    pub(super) fn render_analyses(&mut self, rendered: &mut Rendered, sink: &mut Sink) {
        for resource in &self.project.resources {
            let Some(file) = resource.file else { continue };
            let mut prepared = self.prepare(file, self.files.text(file), &resource.package);
            let attempt = self.attempt(&mut prepared, &RenderSubject::Text, Variant::Full);
            let mut faults = attempt.record.diagnostics;
            let text = match attempt.text {
                Ok(text) if faults.iter().all(|fault| fault.severity == Severity::Warning) => Some(text.text),
                Ok(_) => None,
                Err(fault) => {
                    faults.push(*fault);
                    None
                }
            };
            faults.into_iter().for_each(|fault| sink.warn(fault));
            rendered.analyses.insert(file, RenderedAnalysis { text, references: attempt.record.references });
        }
    }
}
