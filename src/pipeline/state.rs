//! What an earlier command has left in the folder that `--state` names, and what has changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::artifacts::TARGET_PATH;
use super::load::Loaded;
use crate::artifacts::{
    Invocation, ManifestInputs, NodeIds, ResourceIndex, StoredManifest, TestFacts, resource_id, stored_results,
    stored_sources, unit_test_id, write_manifest,
};
use crate::diag::{Code, Diagnostic};
use crate::graph::{NodeId, NodeName};
use crate::project::Resource;
use crate::select::{NodeChange, NodeChanges, StoredArtifact, StoredNode, StoredState};
use crate::store::LocalBackend;
use crate::template::invocation_id;

/// What a stored node says by dbt's ids.
type StoredNodes = BTreeMap<String, StoredNode>;

impl StoredArtifact {
    fn file(self) -> &'static str {
        match self {
            StoredArtifact::Manifest => "manifest.json",
            StoredArtifact::RunResults => "run_results.json",
            StoredArtifact::Sources => "sources.json",
        }
    }

    /// The method that asks for it.
    fn method(self) -> &'static str {
        match self {
            StoredArtifact::Manifest => "state",
            StoredArtifact::RunResults => "result",
            StoredArtifact::Sources => "source_status",
        }
    }

    fn written_by(self) -> &'static str {
        match self {
            StoredArtifact::Manifest => "`karat compile`, `karat build` and their like write it",
            StoredArtifact::RunResults => "`karat build`, `karat run` and `karat test` write it",
            StoredArtifact::Sources => "`karat source freshness` writes it",
        }
    }
}

impl Loaded {
    /// What the artifacts in this folder say of the project's nodes. The folder is relative to the project.
    ///
    /// # Errors
    ///
    /// Returns what to say if there is no folder, or if an artifact is not there or cannot be read.
    pub(super) fn stored_state(
        &self,
        folder: Option<&str>,
        artifacts: &BTreeSet<StoredArtifact>,
    ) -> Result<StoredState, Diagnostic> {
        // Most selections ask for nothing of the past.
        if artifacts.is_empty() {
            return Ok(StoredState::default());
        }
        let mut known = StoredNodes::new();
        for artifact in artifacts {
            let Some(folder) = folder else { return Err(no_folder(*artifact)) };
            match artifact {
                StoredArtifact::Manifest => self.add_changes(folder, &mut known)?,
                StoredArtifact::RunResults => {
                    let text = self.stored_text(folder, *artifact)?;
                    let results = stored_results(&text).map_err(|wrong| unreadable(folder, *artifact, &wrong))?;
                    for (id, result) in results {
                        known.entry(id).or_default().result = Some(result);
                    }
                }
                StoredArtifact::Sources => self.add_fresher(folder, &mut known)?,
            }
        }
        // What a manifest does not know although it is in the graph has changed: missing knowledge never means unchanged.
        let has_changed = NodeChanges { is_new: false, changes: BTreeSet::from([NodeChange::Other]) };
        let unknown = artifacts.contains(&StoredArtifact::Manifest).then_some(has_changed);
        let resources = NodeId::of_resources(&self.project.resources);
        let of_nodes = self.dag.order().iter().map(|node| {
            let stored = self.id_of(node, &resources).and_then(|id| known.get(&id)).cloned().unwrap_or_default();
            let changes = stored.changes.or_else(|| unknown.clone());
            (node.clone(), StoredNode { changes, ..stored })
        });
        let of_nodes = of_nodes.collect();
        Ok(StoredState { of_nodes, of_tests: known.into_iter().filter(|(id, _)| id.starts_with("test.")).collect() })
    }

    /// Compares the project with the stored manifest.
    fn add_changes(&self, folder: &str, known: &mut StoredNodes) -> Result<(), Diagnostic> {
        let artifact = StoredArtifact::Manifest;
        let stored = self.stored_manifest(folder)?;
        let now = self.manifest();
        let now = now.map_err(|error| unreadable(folder, artifact, &format!("cannot be compared: {error}")))?;
        let mut packages: Vec<&str> = self.project.packages.keys().map(String::as_str).collect();
        packages.push(&self.project.name.value);
        for (id, changes) in stored.changes(&now, &packages) {
            known.entry(id).or_default().changes = Some(changes);
        }
        Ok(())
    }

    /// Reads the manifest in a folder.
    ///
    /// # Errors
    ///
    /// Returns what to say if there is none, or if it cannot be read.
    pub(super) fn stored_manifest(&self, folder: &str) -> Result<StoredManifest, Diagnostic> {
        let artifact = StoredArtifact::Manifest;
        let text = self.stored_text(folder, artifact)?;
        StoredManifest::parse(&text).map_err(|wrong| unreadable(folder, artifact, &wrong))
    }

    /// Compares how fresh sources are by now with the stored `sources.json`.
    fn add_fresher(&self, folder: &str, known: &mut StoredNodes) -> Result<(), Diagnostic> {
        let artifact = StoredArtifact::Sources;
        let now = self.project.target_path.as_deref().unwrap_or(TARGET_PATH);
        let read = |folder: &str| {
            let text = self.stored_text(folder, artifact)?;
            stored_sources(&text).map_err(|wrong| unreadable(folder, artifact, &wrong))
        };
        let before = read(folder)?;
        for (id, newest) in read(now)? {
            known.entry(id.clone()).or_default().is_fresher = before.get(&id).is_none_or(|before| newest > *before);
        }
        Ok(())
    }

    fn stored_text(&self, folder: &str, artifact: StoredArtifact) -> Result<String, Diagnostic> {
        let mut text = String::new();
        let file = LocalBackend::new(self.workspace.root.join(folder)).open(artifact.file(), u64::MAX);
        match file.and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("`{folder}` has no `{}`", artifact.file());
                let diagnostic = Diagnostic::error(Code::Storage, message).help(artifact.written_by());
                Err(diagnostic.help("the folder is relative to the project's"))
            }
            Err(error) => Err(unreadable(folder, artifact, &format!("cannot be read: {error}"))),
        }
    }

    /// The manifest of the project as it is, as far as nothing must be compiled for it.
    fn manifest(&self) -> serde_json::Result<serde_json::Value> {
        let host = self.host();
        let now = host.now();
        let id = invocation_id(&self.project.name.value, host.logical_time());
        let inputs = ManifestInputs {
            project: &self.project,
            rendered: &self.rendered,
            files: &self.files,
            resources: ResourceIndex::new(&self.project.resources),
            typed: &BTreeMap::new(),
            tests: &TestFacts::new(),
            invocation: &Invocation::new(id, now, now, host.variables()),
            target_path: "",
        };
        let mut written = Vec::new();
        write_manifest(&inputs, &mut written).map_err(serde_json::Error::io)?;
        serde_json::from_slice(&written)
    }

    /// dbt's id of a node of the graph.
    fn id_of(&self, node: &NodeId, resources: &BTreeMap<NodeId, &Resource>) -> Option<String> {
        let ids = NodeIds::new(&self.project);
        match &node.name {
            NodeName::Source(name) => Some(ids.of_source(name)),
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => ids.of_name(name),
            NodeName::UnitTest(name) => self.project.unit_tests.get(name).map(|test| unit_test_id(&self.project, test)),
            NodeName::Resource(_) => resources.get(node).copied().map(resource_id),
        }
    }
}

fn no_folder(artifact: StoredArtifact) -> Diagnostic {
    let message = format!("`{}:` needs the `{}` of an earlier command", artifact.method(), artifact.file());
    let diagnostic = Diagnostic::error(Code::InvalidSelector, message);
    diagnostic.help("`--state DIR`, or `KARAT_STATE`, names the folder in which it was kept")
}

fn unreadable(folder: &str, artifact: StoredArtifact, what: &str) -> Diagnostic {
    let path = format!("{}/{}", folder.trim_end_matches('/'), artifact.file());
    Diagnostic::error(Code::Storage, format!("`{path}` {what}")).help(artifact.written_by())
}
