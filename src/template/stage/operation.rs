//! A macro that is called for what it says, and not for SQL.

use std::sync::Arc;

use super::{TextFile, TextInputs, tell, text_stage};
use crate::diag::{Checked, Sink};
use crate::template::environment::Engine;
use crate::template::macros::Library;
use crate::template::render::{RenderSubject, Variant};

/// Renders a text, and gives what `log()` and `print()` have said meanwhile.
///
/// # Errors
///
/// Returns an error if the macros cannot be read, or the text cannot be rendered.
pub fn messages_of(inputs: TextInputs<'_>, text: TextFile<'_>, sink: &mut Sink) -> Checked<Vec<String>> {
    let library = Arc::new(Library::read(inputs.project, inputs.files, sink)?);
    let engine = Engine::new(&library, inputs.files);
    let mut stage = text_stage(inputs, &library, engine);
    let mut prepared = stage.prepare(text.file, inputs.files.text(text.file), text.package);
    let mut attempt = stage.attempt(&mut prepared, &RenderSubject::Text, Variant::Full);
    tell(std::mem::take(&mut attempt.record.diagnostics), sink)?;
    attempt.text.map_err(|diagnostic| sink.error(*diagnostic))?;
    Ok(std::mem::take(&mut attempt.record.messages))
}
