//! `karat ls`: what is selected.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::check::{CheckBatch, Guards, PlannedCheck};

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::graph::NodeId;
use crate::name::NodeKind;
use crate::pipeline::{Compiled, Loaded};
use crate::select::Selection;
use crate::template::{ReferenceTarget, RenderedModel};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum ListFormat {
    /// Their names
    #[default]
    Name,
    /// Paths of their files
    Path,
    /// One JSON object per line
    Json,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ListedType {
    Model,
    Seed,
    Snapshot,
    Source,
    /// Data tests of what is selected
    Test,
    #[value(name = "unit_test")]
    UnitTest,
    All,
}

impl ListedType {
    fn kinds(self) -> &'static [NodeKind] {
        match self {
            ListedType::Model => &[NodeKind::Model],
            ListedType::Seed => &[NodeKind::Seed],
            ListedType::Snapshot => &[NodeKind::Snapshot],
            ListedType::Source => &[NodeKind::Source],
            ListedType::Test => &[NodeKind::Test],
            ListedType::UnitTest => &[NodeKind::UnitTest],
            ListedType::All => &[
                NodeKind::Source,
                NodeKind::Seed,
                NodeKind::Model,
                NodeKind::Snapshot,
                NodeKind::Test,
                NodeKind::UnitTest,
            ],
        }
    }
}

/// Lists the selected models, seeds and snapshots in the order in which they are built.
#[derive(Debug, clap::Args)]
pub(crate) struct ListCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// What to list [default: models, seeds and snapshots]
    #[arg(long, value_name = "TYPE", num_args = 1.., help_heading = "Selection")]
    resource_type: Vec<ListedType>,
    #[command(flatten)]
    tests: TestArgs,
    /// What to show of each
    #[arg(long, short, value_name = "FORMAT", default_value = "name")]
    output: ListFormat,
    /// With `--output json`: only these keys
    #[arg(long, value_name = "KEY", num_args = 1..)]
    output_keys: Vec<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

/// What is shown of a node.
struct ListedNode {
    name: String,
    path: String,
    json: Value,
}

impl ListCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let kinds = self.kinds();
        let mut listed = Vec::new();
        if kinds.contains(&NodeKind::Test) {
            let (compiled, guards) = app.checks(app.load_and_compile(&self.project)?)?;
            app.warn_of_others(&compiled.loaded, &compiled.faults, &BTreeSet::new())?;
            let selection = self.nodes(app, &compiled.loaded, &kinds, &mut listed)?;
            listed.extend(self.tests(&compiled, &guards, &selection));
        } else {
            self.nodes(app, &app.load(&self.project)?, &kinds, &mut listed)?;
        }
        let mut text = String::new();
        for node in listed {
            text.push_str(&match self.output {
                ListFormat::Name => node.name,
                ListFormat::Path => node.path,
                ListFormat::Json => self.keys_of(node.json).to_string(),
            });
            text.push('\n');
        }
        match self.output {
            ListFormat::Name | ListFormat::Path => app.console.show(&text),
            ListFormat::Json => app.console.data(&text),
        }
        Ok(Exit::Done)
    }

    /// Lists what is selected of these kinds.
    fn nodes(
        &self,
        app: &App<'_>,
        loaded: &Loaded,
        kinds: &[NodeKind],
        listed: &mut Vec<ListedNode>,
    ) -> Result<Selection, Exit> {
        let selection = app.select(loaded, &self.select)?;
        listed.extend(selection.of_kinds(kinds).nodes().iter().filter_map(|node| describe(loaded, node)));
        Ok(selection)
    }

    /// The data tests that go with what is selected, in the order of what they guard.
    fn tests(&self, compiled: &Compiled, guards: &Guards, selection: &Selection) -> Vec<ListedNode> {
        let loaded = &compiled.loaded;
        let tables = self.tests.indirect_selection.tables(selection, &loaded.dag);
        let mut listed = Vec::new();
        for name in loaded.dag.models() {
            let batches = guards.get(name).into_iter().flatten();
            for batch in batches.filter(|batch| loaded.selects_test(&tables, batch, name)) {
                listed.extend(batch.checks.iter().map(|check| describe_test(loaded, batch, check)));
            }
        }
        listed
    }

    /// The object with the keys that were asked for.
    fn keys_of(&self, json: Value) -> Value {
        // dbt takes several in one word as well.
        let wanted: Vec<&str> = self.output_keys.iter().flat_map(|keys| keys.split([' ', ','])).collect();
        match json {
            Value::Object(fields) if !wanted.is_empty() => {
                Value::Object(fields.into_iter().filter(|(key, _)| wanted.contains(&key.as_str())).collect())
            }
            other => other,
        }
    }

    fn kinds(&self) -> Vec<NodeKind> {
        if self.resource_type.is_empty() {
            return vec![NodeKind::Seed, NodeKind::Model, NodeKind::Snapshot];
        }
        self.resource_type.iter().flat_map(|one| one.kinds()).copied().collect()
    }
}

fn describe(loaded: &Loaded, node: &NodeId) -> Option<ListedNode> {
    let project = &loaded.project;
    if let Some(source) = node.source().and_then(|name| project.sources.get(name)) {
        let name = source.name().to_string();
        let path = loaded.files.path(source.span.file).to_owned();
        let json = json!({
            "name": name,
            "resource_type": node.kind().word(),
            "path": path,
            "table": name,
            "description": source.description,
        });
        return Some(ListedNode { name, path, json });
    }
    if let Some(test) = node.unit_test().and_then(|name| project.unit_tests.get(name)) {
        let name = test.id.test.clone();
        let json = json!({
            "name": name,
            "resource_type": node.kind().word(),
            "path": test.path,
            "model": test.id.model.as_str(),
            "tags": test.tags,
            "depends_on": [test.id.model.as_str()],
            "description": test.description,
        });
        return Some(ListedNode { name, path: test.path.clone(), json });
    }
    let name = node.model()?;
    let model = project.models.get(name)?;
    let rendered = loaded.rendered.outline(name)?;
    let json = json!({
        "name": name.as_str(),
        "resource_type": node.kind().word(),
        "path": model.path,
        "table": rendered.table.to_string(),
        "materialized": rendered.config.materialized.word(),
        "tags": rendered.config.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
        "depends_on": depends_on(rendered),
        "description": model.description,
    });
    Some(ListedNode { name: name.to_string(), path: model.path.clone(), json })
}

fn describe_test(loaded: &Loaded, batch: &CheckBatch, check: &PlannedCheck) -> ListedNode {
    let path = loaded.files.path(check.span.file).to_owned();
    let json = json!({
        "name": check.name,
        "resource_type": NodeKind::Test.word(),
        "path": path,
        "depends_on": batch.tables.iter().filter_map(named).collect::<Vec<_>>(),
    });
    ListedNode { name: check.name.clone(), path, json }
}

/// What a reference names; `None` if that is the model itself.
fn named(target: &ReferenceTarget) -> Option<String> {
    match target {
        ReferenceTarget::Model(name) => Some(name.to_string()),
        ReferenceTarget::Source(name) => Some(name.to_string()),
        ReferenceTarget::This => None,
    }
}

fn depends_on(rendered: &RenderedModel) -> Vec<String> {
    let named: BTreeSet<String> =
        rendered.full.references.iter().filter_map(|reference| named(&reference.target)).collect();
    named.into_iter().collect()
}
