//! The sample project with its data, written where somebody wants to see karat at work.

use std::io;
use std::path::{Path, PathBuf};

use super::load::find_project;
use crate::diag::{Code, Diagnostic};
use crate::figures::grouped;
use crate::parallel::cores;
use crate::sample::{PROJECT_FILES, SampleOptions, write};
use crate::store::LocalBackend;

/// The sample project in a folder.
pub(crate) struct DemoProject {
    pub root: PathBuf,
    /// Whether it was just written.
    pub is_new: bool,
}

impl DemoProject {
    /// The project around a folder if it is the sample project, else a copy below the folder, which is written if it is not there.
    ///
    /// # Errors
    ///
    /// Returns what to say if another project lies around the folder, or the copy cannot be written.
    pub fn find_or_write(folder: &Path) -> Result<Self, Diagnostic> {
        if let Some(root) = find_project(folder) {
            if root.join("models/gold/daily_active_users.sql").is_file() {
                return Ok(Self { root, is_new: false });
            }
            let message = "this folder is inside a project that is not the sample project";
            return Err(Diagnostic::error(Code::InvalidConfig, message)
                .help("call `karat demo` in an empty folder: it writes the sample project to ./karat-demo"));
        }
        let root = folder.join("karat-demo");
        let is_new = find_project(&root).is_none();
        if is_new {
            let to = LocalBackend::new(root.clone());
            let ignored = (".gitignore", "/data/\n/lake/\n/target/\n");
            for (path, text) in PROJECT_FILES.iter().copied().chain([ignored]) {
                to.write(path, text.as_bytes()).map_err(|error| cannot_write(&root.join(path), &error))?;
            }
        }
        Ok(Self { root, is_new })
    }
}

/// Writes the data of the sample project, if it is not there; `say` hears of it first.
///
/// # Errors
///
/// Returns what to say if it cannot be written.
pub(crate) fn write_demo_data(root: &Path, say: &dyn Fn(&str)) -> Result<(), Diagnostic> {
    let data = root.join("data");
    if data.join("manifest.json").is_file() {
        return Ok(());
    }
    let options = SampleOptions { threads: cores(), ..SampleOptions::default() };
    say(&format!("writing {} records of sample data to data/", grouped(options.rows)));
    match write(&options, &LocalBackend::new(data.clone())) {
        Ok(_manifest) => Ok(()),
        Err(error) => Err(cannot_write(&data, &error)),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::Storage, format!("`{}` cannot be written: {error}", path.display()));
    diagnostic.help("make room or make the folder writable")
}
