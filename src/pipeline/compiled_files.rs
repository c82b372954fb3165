//! What models become, as files beside the artifacts.

use std::collections::BTreeMap;

use super::load::Compiled;
use crate::compile::{Explained, NotPlanned, explain};
use crate::diag::{Code, Diagnostic};
use crate::name::ModelName;
use crate::store::LocalBackend;

/// Explains the models that are wanted.
///
/// # Errors
///
/// Returns the first model whose plan the engine cannot make.
pub(crate) fn explained(
    compiled: &Compiled,
    wanted: impl Fn(&ModelName) -> bool,
) -> Result<BTreeMap<ModelName, Explained>, NotPlanned> {
    let loaded = &compiled.loaded;
    explain(&loaded.rendered.models, &loaded.files, &compiled.typed, &loaded.project.reading, wanted)
}

/// Writes SQL, plans, scans and windows of these models below `compiled` in a folder that is named like this in the project.
///
/// # Errors
///
/// Returns what to say if a file cannot be written.
pub(crate) fn write_compiled(
    compiled: &Compiled,
    folder: &str,
    explained: &BTreeMap<ModelName, Explained>,
) -> Result<(), Diagnostic> {
    let folder_path = format!("{folder}/compiled");
    let folder = LocalBackend::new(compiled.loaded.workspace.root.join(&folder_path));
    for (name, found) in explained {
        let Some(model) = compiled.loaded.project.models.get(name) else {
            continue;
        };
        let sql = format!("{}{}", found.rewrites, found.sql);
        let stem = model.path.trim_end_matches(".sql");
        let files = [
            (format!("{stem}.sql"), &sql),
            (format!("{stem}.logical.txt"), &found.logical),
            (format!("{stem}.physical.txt"), &found.physical),
            (format!("{stem}.scans.txt"), &found.scans),
        ];
        let windows = found.windows.as_ref().map(|text| (format!("{stem}.windows.txt"), text));
        for (path, text) in files.into_iter().chain(windows) {
            folder.write(&path, text.as_bytes()).map_err(|error| {
                let message = format!("`{folder_path}/{path}` cannot be written: {error}");
                Diagnostic::error(Code::Storage, message)
            })?;
        }
    }
    Ok(())
}
