//! What is switched off, as a manifest lists it beside what is in the graph.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::call_scan::KnownMacros;
use super::manifest::ManifestInputs;
use super::sources::source;
use super::{data_tests, models, resources, unit_tests};
use crate::project::ResourceKind;

/// What is switched off, by ids: models, tests and what YAML declares.
///
/// # Errors
///
/// Returns an error if something cannot be written as JSON.
pub(super) fn disabled(
    inputs: &ManifestInputs<'_>,
    names: &KnownMacros<'_>,
) -> serde_json::Result<BTreeMap<String, Vec<Value>>> {
    let project = inputs.project;
    let mut listed = Listed::default();
    // A model may switch itself off, and is not rendered then.
    let by_themselves = project.models.values().filter(|model| inputs.rendered.outline(&model.name).is_none());
    for model in project.disabled.models.values().chain(by_themselves) {
        let node = models::disabled(inputs, model, names);
        listed.add(&node.unique_id, &node)?;
    }
    for (name, found) in &project.disabled.sources {
        let node = source(inputs, name, found);
        listed.add(&node.unique_id, &node)?;
    }
    let mut tests = Vec::new();
    data_tests::each_disabled(project, &mut |test| tests.push(data_tests::generic(inputs, test, names)));
    data_tests::each_declared(project, &mut |test| {
        if !test.is_of_graph(inputs.rendered) {
            tests.push(data_tests::generic(inputs, test, names));
        }
    });
    for test in &mut tests {
        test.config.fixed.push(("enabled", Value::Bool(false)));
        listed.add(&test.unique_id, test)?;
    }
    for test in project.disabled.unit_tests.values() {
        let described = unit_tests::described(inputs, test);
        listed.add(&described.unique_id, &described)?;
    }
    for resource in &project.disabled.resources {
        if resource.kind == ResourceKind::Analysis {
            let analysis = resources::analysis(inputs, resource, names);
            analysis.iter().try_for_each(|analysis| listed.add(&analysis.unique_id, analysis))?;
        } else {
            let described = resources::described(inputs, resource);
            listed.add(&described.unique_id, &described)?;
        }
    }
    Ok(listed.0)
}

#[derive(Default)]
struct Listed(BTreeMap<String, Vec<Value>>);

impl Listed {
    fn add(&mut self, id: &str, view: &impl Serialize) -> serde_json::Result<()> {
        self.0.entry(id.to_owned()).or_default().push(serde_json::to_value(view)?);
        Ok(())
    }
}
