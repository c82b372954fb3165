//! What an earlier command has left in the folder that `--state` names, and what has changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use super::artifacts::TARGET_PATH;
use super::load::{Loaded, Workspace, load};
use crate::artifacts::{
    Invocation, ManifestInputs, NodeIds, ResourceIndex, StoredManifest, TestFacts, resource_id, stored_results,
    stored_sources, unit_test_id, write_manifest,
};
use crate::diag::{Code, Diagnostic, Sink};
use crate::graph::{NodeId, NodeName};
use crate::host::{GitFault, GitHost};
use crate::project::Resource;
use crate::select::{NodeChange, NodeChanges, StoredArtifact, StoredNode, StoredState};
use crate::span::SourceFiles;
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

    /// The manifest of the project as it was at a revision of its repository. Nothing is checked out or written.
    fn manifest_at(&self, revision: &str) -> Result<String, Diagnostic> {
        let Workspace { root, host } = &self.workspace;
        let host = GitHost::at(root, revision, Arc::clone(host)).map_err(|fault| no_revision(&fault))?;
        let mut sink = Sink::default();
        let workspace = Workspace::new(root.clone(), host);
        let loaded = load(&workspace, &self.request, &mut SourceFiles::default(), &mut sink);
        let text = match loaded {
            Ok(loaded) => loaded.manifest().map(|manifest| manifest.to_string()).map_err(|error| error.to_string()),
            Err(_reported) => Err(sink.take().into_iter().next().map_or_else(String::new, |fault| fault.message)),
        };
        text.map_err(|wrong| {
            let message = format!("the project cannot be read as it was at `{revision}`: {wrong}");
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message);
            diagnostic.note("submodules and files that git does not track are no part of a revision")
        })
    }

    /// Reads the manifest in a folder, or that of a revision.
    ///
    /// # Errors
    ///
    /// Returns what to say if there is none, or if it cannot be read.
    pub(super) fn stored_manifest(&self, folder: &str) -> Result<StoredManifest, Diagnostic> {
        let artifact = StoredArtifact::Manifest;
        let text = match folder.strip_prefix(REVISION) {
            Some(revision) => self.manifest_at(revision)?,
            None => self.stored_text(folder, artifact)?,
        };
        StoredManifest::parse(&text).map_err(|wrong| unreadable(folder, artifact, &wrong))
    }

    /// Compares how fresh sources are by now with the stored `sources.json`.
    fn add_fresher(&self, folder: &str, known: &mut StoredNodes) -> Result<(), Diagnostic> {
        let artifact = StoredArtifact::Sources;
        let now = self.request.target_path.as_deref().or(self.project.target_path.as_deref()).unwrap_or(TARGET_PATH);
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
        if let Some(revision) = folder.strip_prefix(REVISION) {
            let message = format!("the revision `{revision}` has no `{}`", artifact.file());
            let diagnostic = Diagnostic::error(Code::InvalidSelector, message);
            return Err(diagnostic.help(format!("`{}:` needs a folder: git keeps no results", artifact.method())));
        }
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

/// What stands before a revision in the place of a folder.
pub(super) const REVISION: &str = "git:";

/// Why git does not tell what a revision was.
pub(super) fn no_revision(fault: &GitFault) -> Diagnostic {
    match fault {
        GitFault::Missing => {
            Diagnostic::error(Code::Storage, "git is not installed").help("a folder with `manifest.json` needs no git")
        }
        GitFault::Failed(reason) => {
            let help = "write a branch, a tag or a commit behind `git:`, as `git:main` or `git:HEAD~1`";
            Diagnostic::error(Code::InvalidSelector, reason.clone()).help(help)
        }
    }
}

fn no_folder(artifact: StoredArtifact) -> Diagnostic {
    let message = format!("`{}:` needs the `{}` of an earlier command", artifact.method(), artifact.file());
    let diagnostic = Diagnostic::error(Code::InvalidSelector, message);
    let help = "`--state DIR`, or `KARAT_STATE`, names the folder in which it was kept";
    // git keeps no results of commands.
    let revision = if artifact == StoredArtifact::Manifest { ", or a revision: `--state git:main`" } else { "" };
    diagnostic.help(format!("{help}{revision}"))
}

fn unreadable(folder: &str, artifact: StoredArtifact, what: &str) -> Diagnostic {
    let path = format!("{}/{}", folder.trim_end_matches('/'), artifact.file());
    Diagnostic::error(Code::Storage, format!("`{path}` {what}")).help(artifact.written_by())
}
