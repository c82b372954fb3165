//! Makes the data of the page of a project, of what its lake holds, and of what a run would do.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar::{calendar, standing, state_facts};
use super::layout::{LaidNode, layout};
use super::markdown::rendered as html;
use super::payload::{
    ColumnFacts, FORMAT, OriginFacts, PageNode, PageTest, Payload, ProjectFacts, RunFacts, StepFacts, TableStanding,
};
use crate::analyze::TypedModel;
use crate::analyze::lineage::{ColumnLineage, Origin, column_lineage};
use crate::catalog::Catalog;
use crate::chart::PageChart;
use crate::check::Guards;
use crate::graph::{Dag, NodeId, NodeName};
use crate::incremental::Decision;
use crate::name::{ModelName, NodeKind, TableName, UnitTestName};
use crate::plan::RunPlan;
use crate::project::{Column, DeclaredTest, Model, Project, Resource};
use crate::run_record::{LatestTests, RunRecord, StepStatus, latest_tests};
use crate::span::SourceFiles;
use crate::template::{Rendered, RenderedModel};

/// The layer of what reads tables from outside.
const OUTSIDE: &str = "exposures and metrics";
/// The layer of sources.
const SOURCES: &str = "sources";

/// What a page is made of.
pub(crate) struct SiteInputs<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub dag: &'a Dag,
    pub files: &'a SourceFiles,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    pub guards: &'a Guards,
    /// What was seen of the tables. `None` if nobody has looked.
    pub catalog: Option<&'a Catalog<'a>>,
    /// What a run of everything would do.
    pub plan: Option<&'a RunPlan>,
    /// Why there is no plan, if one was wanted.
    pub unplanned: Option<String>,
    /// The charts that were drawn.
    pub charts: &'a BTreeMap<ModelName, Vec<PageChart>>,
    /// The newest first.
    pub runs: &'a [RunRecord],
    /// When the page is made.
    pub made: String,
}

/// Nodes by their places in the page.
struct Places<'a> {
    nodes: Vec<&'a NodeId>,
    by_node: BTreeMap<&'a NodeId, usize>,
    by_table: BTreeMap<TableName, usize>,
    decisions: BTreeMap<&'a ModelName, &'a Decision>,
    resources: BTreeMap<NodeId, &'a Resource>,
    unit_tests: BTreeMap<&'a ModelName, Vec<&'a str>>,
}

impl SiteInputs<'_> {
    /// The data of the page.
    pub fn payload(&self) -> Payload {
        let places = self.places();
        let layers = self.layers(&places);
        let layer_of: BTreeMap<&str, usize> =
            layers.iter().enumerate().map(|(place, layer)| (layer.as_str(), place)).collect();
        let latest = latest_tests(self.runs);
        let mut nodes: Vec<PageNode> = Vec::new();
        for id in &places.nodes {
            let layer = layer_of.get(self.layer(id).as_str()).copied().unwrap_or_default();
            nodes.push(self.node(id, layer, &places, &latest));
        }
        place_nodes(&mut nodes);
        let project = ProjectFacts {
            name: self.project.name.value.clone(),
            version: self.project.version.clone(),
            target: self.project.target.name.clone(),
            karat: env!("CARGO_PKG_VERSION").to_owned(),
            made: self.made.clone(),
            unplanned: self.unplanned.clone(),
        };
        Payload { format: FORMAT, project, layers, nodes, runs: self.runs.iter().map(run_facts).collect() }
    }

    fn places(&self) -> Places<'_> {
        let is_shown =
            |node: &&NodeId| !matches!(node.kind(), NodeKind::UnitTest | NodeKind::Analysis | NodeKind::Test);
        let nodes: Vec<&NodeId> = self.dag.order().iter().filter(is_shown).collect();
        let by_node = nodes.iter().enumerate().map(|(place, node)| (*node, place)).collect();
        let table = |node: &NodeId| match node.model() {
            Some(name) => self.outline(name).map(|outline| outline.table.clone()),
            None => node.source().cloned(),
        };
        let by_table = nodes.iter().enumerate().filter_map(|(place, node)| Some((table(node)?, place))).collect();
        let steps = self.plan.iter().flat_map(|plan| &plan.steps);
        let decisions = steps.map(|step| (&step.model, &step.decision)).collect();
        let resources = NodeId::of_resources(&self.project.resources);
        let mut unit_tests: BTreeMap<&ModelName, Vec<&str>> = BTreeMap::new();
        for UnitTestName { model, test } in self.project.unit_tests.keys() {
            unit_tests.entry(model).or_default().push(test);
        }
        Places { nodes, by_node, by_table, decisions, resources, unit_tests }
    }

    fn outline(&self, name: &ModelName) -> Option<&RenderedModel> {
        self.rendered.outline(name)
    }

    /// The schema of a table; sources, and what reads from outside, have layers of their own.
    fn layer(&self, id: &NodeId) -> String {
        match (id.source(), id.model()) {
            (Some(_), _) => SOURCES.to_owned(),
            (None, Some(name)) => {
                self.outline(name).map_or_else(String::new, |outline| outline.table.schema.to_string())
            }
            (None, None) => OUTSIDE.to_owned(),
        }
    }

    /// The layers in the order of the graph: by how many steps their nodes stand behind a source on average.
    fn layers(&self, places: &Places<'_>) -> Vec<String> {
        let mut depths: Vec<usize> = Vec::new();
        let mut sums: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for id in &places.nodes {
            let parents = self.dag.parents(id).filter_map(|parent| places.by_node.get(parent));
            let depth = parents.filter_map(|parent| depths.get(*parent)).max().map_or(0, |most| most + 1);
            depths.push(depth);
            let sum = sums.entry(self.layer(id)).or_default();
            sum.0 += depth;
            sum.1 += 1;
        }
        let mut layers: Vec<(String, (usize, usize))> = sums.into_iter().collect();
        // Without fractions: one mean is less than another if their cross products are.
        layers.sort_by(|(left, mean), (right, other)| {
            let rank = |layer: &str| match layer {
                SOURCES => 0,
                OUTSIDE => 2,
                _ => 1,
            };
            rank(left).cmp(&rank(right)).then((mean.0 * other.1).cmp(&(other.0 * mean.1))).then(left.cmp(right))
        });
        layers.into_iter().map(|(layer, _)| layer).collect()
    }

    fn node(&self, id: &NodeId, layer: usize, places: &Places<'_>, latest: &LatestTests<'_>) -> PageNode {
        let reads: BTreeSet<usize> =
            self.dag.parents(id).filter_map(|parent| places.by_node.get(parent)).copied().collect();
        let kind = id.kind().word();
        let mut facts = PageNode {
            id: format!("{kind}/{id}"),
            name: id.to_string(),
            kind,
            layer,
            table: None,
            path: None,
            materialized: None,
            description: String::new(),
            tags: Vec::new(),
            columns: Vec::new(),
            rows_from: Vec::new(),
            tests: Vec::new(),
            sql: None,
            compiled: None,
            reads: reads.into_iter().collect(),
            standing: TableStanding::None,
            why: None,
            state: None,
            calendar: None,
            charts: Vec::new(),
            x: 0,
            y: 0.0,
        };
        match &id.name {
            NodeName::Source(name) => self.add_source(&mut facts, name),
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => {
                if let Some(model) = self.project.models.get(name) {
                    self.add_model(&mut facts, model, places);
                    facts.tests = self.tests(name, places, latest);
                }
            }
            NodeName::Resource(_) => {
                if let Some(resource) = places.resources.get(id) {
                    facts.description = html(&resource.description);
                    facts.path = Some(resource.path.clone());
                    facts.tags.clone_from(&resource.tags);
                }
            }
            NodeName::UnitTest(_) => {}
        }
        facts
    }

    fn add_source(&self, facts: &mut PageNode, name: &TableName) {
        let Some(source) = self.project.sources.get(name) else { return };
        facts.table = Some(name.to_string());
        facts.path = Some(source.location.value.clone());
        facts.description = html(&source.description);
        facts.columns = source
            .columns
            .iter()
            .map(|column| ColumnFacts {
                name: column.name.value.clone(),
                r#type: Some(column.data_type.sql_name()),
                description: html(&column.description),
                tests: kinds(&column.tests),
                from: Vec::new(),
            })
            .collect();
    }

    fn add_model(&self, facts: &mut PageNode, model: &Model, places: &Places<'_>) {
        facts.path = Some(model.path.clone());
        facts.description = html(&model.description);
        if model.seed.is_none() {
            facts.sql = Some(model.template(self.files).trim().to_owned());
        }
        if let Some(outline) = self.outline(&model.name) {
            facts.table = Some(outline.table.to_string());
            facts.materialized = Some(outline.config.materialized.word());
            facts.tags = outline.config.tags.iter().map(ToString::to_string).collect();
        }
        let Some(typed) = self.typed.get(&model.name) else {
            facts.standing = TableStanding::Broken;
            facts.columns =
                model.columns.iter().map(|column| column_facts(&column.name.value, None, Some(column))).collect();
            return;
        };
        if model.seed.is_none() {
            facts.compiled = self.outline(&model.name).map(|outline| outline.full.text.trim().to_owned());
        }
        self.add_columns(facts, model, typed, places);
        facts.charts = self.charts.get(&model.name).cloned().unwrap_or_default();
        let state = self.catalog.and_then(|catalog| catalog.state_of(&typed.table));
        let decision = places.decisions.get(&model.name).copied();
        if self.catalog.is_some() {
            facts.standing = standing(typed, state.as_deref(), decision);
        }
        facts.why = decision.map(|decision| decision.why.clone()).filter(|_| facts.standing != TableStanding::None);
        facts.calendar = calendar(typed, state.as_deref(), decision);
        facts.state = state.as_deref().map(state_facts);
    }

    fn add_columns(&self, facts: &mut PageNode, model: &Model, typed: &TypedModel, places: &Places<'_>) {
        let lineage = column_lineage(typed).unwrap_or_else(|error| {
            tracing::warn!(model = %model.name, %error, "its columns cannot be followed");
            ColumnLineage::default()
        });
        let origins = |origins: &BTreeSet<Origin>| -> Vec<OriginFacts> {
            let place = |origin: &Origin| {
                let place = places.by_table.get(&origin.table)?;
                Some(OriginFacts(*place, origin.column.clone(), origin.used_as.word()))
            };
            origins.iter().filter_map(place).collect()
        };
        for column in typed.relation_columns().iter() {
            let declared = model.columns.iter().find(|declared| declared.name.value == column.name);
            let made = lineage.columns.iter().find(|made| made.name == column.name);
            facts.columns.push(ColumnFacts {
                from: made.map(|made| origins(&made.origins)).unwrap_or_default(),
                ..column_facts(&column.name, Some(column.data_type.clone()), declared)
            });
        }
        facts.rows_from = origins(&lineage.rows);
    }

    fn tests(&self, model: &ModelName, places: &Places<'_>, latest: &LatestTests<'_>) -> Vec<PageTest> {
        let batches = self.guards.get(model).into_iter().flatten();
        let checks = batches.flat_map(|batch| &batch.checks);
        let data = checks.map(|check| (check.name.as_str(), "data", Some(check.sql.clone())));
        let units = places.unit_tests.get(model).into_iter().flatten();
        let all = data.chain(units.map(|test| (*test, "unit", None)));
        let facts = all.map(|(name, kind, sql)| {
            // A test in a file of its own guards tables and is declared on none.
            let result = latest.get(&(Some(model.as_str()), name)).or_else(|| latest.get(&(None, name)));
            PageTest {
                name: name.to_owned(),
                kind,
                status: result.map(|result| result.status.word()),
                failures: result.and_then(|result| result.failures).filter(|failures| *failures > 0),
                sql,
            }
        });
        facts.collect()
    }
}

/// Puts nodes into the picture.
fn place_nodes(nodes: &mut [PageNode]) {
    let laid: Vec<LaidNode> =
        nodes.iter().map(|node| LaidNode { lane: node.layer, parents: node.reads.clone() }).collect();
    for (node, place) in nodes.iter_mut().zip(layout(&laid)) {
        node.x = place.column;
        node.y = place.row;
    }
}

fn column_facts(name: &str, data_type: Option<String>, declared: Option<&Column>) -> ColumnFacts {
    let written = declared.and_then(|declared| declared.data_type.as_ref()).map(|written| written.value.clone());
    ColumnFacts {
        name: name.to_owned(),
        r#type: data_type.or(written),
        description: declared.map(|declared| html(&declared.description)).unwrap_or_default(),
        tests: declared.map(|declared| kinds(&declared.tests)).unwrap_or_default(),
        from: Vec::new(),
    }
}

fn kinds(tests: &[DeclaredTest]) -> Vec<String> {
    tests.iter().map(|test| test.kind.value.clone()).collect()
}

fn run_facts(run: &RunRecord) -> RunFacts {
    let step = |step: &crate::run_record::StepRecord| StepFacts {
        model: step.model.clone(),
        status: step.status.word(),
        why: step.why.clone(),
        started: step.started,
        ended: step.ended,
        rows: step.rows,
    };
    // What stayed as it was fills pages and tells nothing.
    let steps = run.steps.iter().filter(|step| step.status != StepStatus::Unchanged);
    RunFacts {
        id: run.id.clone(),
        line: run.line.clone(),
        started: run.started,
        ended: run.ended,
        status: run.status.word(),
        steps: steps.map(step).collect(),
    }
}
