//! The stages of the front half, one after the other, and the typing of what they give.

use std::collections::BTreeMap;

use crate::analyze::{Planner, TypedModel};
use crate::check::{self, Guarded, Guards};
use crate::diag::{Checked, Partial, Sink};
use crate::graph::{self, Dag};
use crate::host::Host;
use crate::name::ModelName;
use crate::project::{self, LoadRequest, Project};
use crate::span::{SourceFiles, Span};
use crate::template::{self, RenderedModels, TextInputs};

/// A project that was read, rendered and put in order.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub project: Project,
    pub rendered: RenderedModels,
    pub dag: Dag,
}

/// Reads, renders and orders a project. Models that cannot be rendered are left out.
///
/// # Errors
///
/// Returns an error if there is no telling what the project is: its own file or its macros are wrong, or models read
/// each other in a circle.
pub(crate) fn load(
    host: &dyn Host,
    request: &LoadRequest,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<Partial<Loaded>> {
    let found = project::read(host, files, sink)?;
    let project = project::load(&found, files, request, sink)?;
    let Partial { well: rendered, failed } = template::render_models(&project, files, host, sink)?;
    let dag = graph::build(&project, &rendered, sink)?;
    Ok(Partial { well: Loaded { project, rendered, dag }, failed })
}

/// Types every model.
pub(crate) fn plan_models(loaded: &Loaded, sink: &mut Sink) -> Partial<BTreeMap<ModelName, TypedModel>> {
    Planner::new(&loaded.project, &loaded.rendered).models(&loaded.dag, sink)
}

/// Plans the data tests, by the model that each guards.
pub(crate) fn plan_checks(
    loaded: &Loaded,
    typed: &BTreeMap<ModelName, TypedModel>,
    files: &SourceFiles,
    host: &dyn Host,
    sink: &mut Sink,
) -> Checked<Guards> {
    let Loaded { project, rendered, dag } = loaded;
    let planner = Planner::new(project, rendered);
    let order: Vec<ModelName> = dag.models().cloned().collect();
    let inputs = TextInputs { project, rendered, files, host };
    let texts = sink.check_all(&project.singular_tests, |test, sink| {
        let text = template::render_text(inputs, test.file, sink)?;
        Ok((test.name.clone(), text, Span::new(test.file, 0..0)))
    });
    let guarded = Guarded { project, planner: &planner, typed, order: &order };
    check::plan_all(guarded, &texts?, sink)
}
