//! Charts of models: checked with the project, and drawn of the tables as they are.

mod draw;
mod page;
mod plan;
mod values;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use draw::ChartDrawer;
pub(crate) use page::{ChartsOfModels, page_charts};
pub(crate) use plan::{PlannedChart, chart_faults};

use super::load::Compiled;
use crate::analyze::Input;
use crate::catalog::{ObservationScope, Shown};
use crate::chart::{Chart, svg};
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::store::LocalBackend;

/// The charts of a model, or the one of them that is named.
///
/// # Errors
///
/// What to say if the model has none, or none of that name.
pub(crate) fn charts_of<'a>(
    compiled: &'a Compiled,
    model: &ModelName,
    name: Option<&str>,
) -> Result<Vec<PlannedChart<'a>>, Diagnostic> {
    let all = charts_of_model(compiled, model);
    if all.is_empty() {
        let message = format!("the model `{model}` declares no charts");
        let help = "declare one below `charts:` of the model in a properties file: `docs/reference.md` shows how";
        return Err(Diagnostic::error(Code::InvalidConfig, message).help(help));
    }
    let Some(name) = name else { return Ok(all) };
    let found: Vec<PlannedChart<'a>> = all.iter().filter(|chart| chart.declared.name.value == name).copied().collect();
    if found.is_empty() {
        let known: Vec<&str> = all.iter().map(|chart| chart.declared.name.value.as_str()).collect();
        let message = format!("no chart of `{model}` is called `{name}`");
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message);
        return Err(crate::project::known_keys(diagnostic, name, &known));
    }
    Ok(found)
}

/// The charts of a model that is well.
fn charts_of_model<'a>(compiled: &'a Compiled, name: &ModelName) -> Vec<PlannedChart<'a>> {
    let Some(model) = compiled.typed.get(name) else { return Vec::new() };
    let declared = compiled.loaded.project.models.get(name).map(|model| model.charts.as_slice()).unwrap_or_default();
    // What is wrong with a chart is a fault of its model, and was said.
    let unsaid = &mut Sink::default();
    declared.iter().filter_map(|chart| plan::planned(model, chart, unsaid).ok()).collect()
}

/// Every chart of the project whose model is well.
fn all_charts(compiled: &Compiled) -> Vec<PlannedChart<'_>> {
    compiled.loaded.dag.models().flat_map(|name| charts_of_model(compiled, name)).collect()
}

/// What charts read.
pub(crate) fn scope_of_charts(compiled: &Compiled, charts: &[PlannedChart<'_>], shown: Shown) -> ObservationScope {
    let mut inputs: BTreeSet<Input> = BTreeSet::new();
    for chart in charts {
        match chart.model.config.materialized.is_stored() {
            true => {
                inputs.insert(Input::Model(chart.model.name.clone()));
            }
            // Whoever reads a view reads what the view reads.
            false => inputs.extend(chart.model.inputs().iter().cloned()),
        }
    }
    ObservationScope::of_inputs(&compiled.typed, &inputs, shown)
}

/// Where charts are written as SVG: a file, or a folder with a file for each.
#[derive(Debug, Clone)]
pub(crate) struct ChartFiles {
    /// The folder that paths are relative to.
    base: PathBuf,
    to: PathBuf,
    is_folder: bool,
}

impl ChartFiles {
    /// # Errors
    ///
    /// What to say if there are several charts for one file.
    pub fn new(base: &Path, to: &Path, charts: &[PlannedChart<'_>]) -> Result<Self, Diagnostic> {
        let is_svg = to.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg"));
        if is_svg && charts.len() > 1 {
            let names: Vec<&str> = charts.iter().map(|chart| chart.declared.name.value.as_str()).collect();
            let message = format!("`{}` is one file, and there are {} charts", to.display(), charts.len());
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message);
            let help = format!("choose one with `--chart`: {}; or name a folder", names.join(", "));
            return Err(diagnostic.help(help));
        }
        Ok(Self { base: base.to_path_buf(), to: to.to_path_buf(), is_folder: !is_svg })
    }

    /// Where a chart is written, as it was named.
    pub fn path(&self, chart: &Chart) -> PathBuf {
        match self.is_folder {
            true => self.to.join(format!("{}.{}.svg", chart.model, chart.name)),
            false => self.to.clone(),
        }
    }

    /// Writes charts as SVG, each file whole or not at all.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be written.
    pub fn write(&self, charts: &[Chart]) -> Result<(), Diagnostic> {
        for chart in charts {
            let path = self.path(chart);
            write_whole(&self.base.join(&path), &svg(chart)).map_err(|error| {
                let message = format!("`{}` cannot be written: {error}", path.display());
                Diagnostic::error(Code::Storage, message).help("make the folder writable, or name another with `--out`")
            })?;
        }
        Ok(())
    }
}

/// Writes a file, whole or not at all.
pub(super) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it is not the name of a file"))?;
    let folder = LocalBackend::new(path.parent().unwrap_or(Path::new("")).to_path_buf());
    folder.write_at_once(&name.to_string_lossy(), text.as_bytes())
}
