//! The ways to select: one file each, and the list of them.

mod access;
mod config;
mod fqn;
mod group;
mod named;
mod package;
mod path;
mod resource_type;
mod result;
mod selector;
mod source;
mod source_status;
mod state;
mod tag;
mod test_name;
mod test_type;
mod version;

use super::pattern::Pattern;
use super::{StoredArtifact, StoredNode, TestNode};
use crate::name::{NodeKind, Tag};
use crate::project::{Model, Project, Resource, Source, UnitTest};
use crate::template::RenderedModel;

/// A node with everything that a method may ask for.
#[derive(Clone, Copy)]
pub(crate) enum Candidate<'a> {
    /// A model, a seed or a snapshot.
    Model {
        project: &'a Project,
        stored: Option<&'a StoredNode>,
        model: &'a Model,
        rendered: &'a RenderedModel,
    },
    Source {
        project: &'a Project,
        stored: Option<&'a StoredNode>,
        source: &'a Source,
    },
    /// An exposure, a metric and their like.
    Resource {
        project: &'a Project,
        stored: Option<&'a StoredNode>,
        resource: &'a Resource,
    },
    Test {
        project: &'a Project,
        stored: Option<&'a StoredNode>,
        test: &'a TestNode,
    },
    UnitTest {
        project: &'a Project,
        stored: Option<&'a StoredNode>,
        test: &'a UnitTest,
    },
}

impl<'a> Candidate<'a> {
    /// The name of the project.
    fn project(&self) -> &'a str {
        match self {
            Candidate::Model { project, .. }
            | Candidate::Source { project, .. }
            | Candidate::Resource { project, .. }
            | Candidate::Test { project, .. }
            | Candidate::UnitTest { project, .. } => &project.name.value,
        }
    }

    /// What the artifacts of an earlier command say of it. `None` if no selector asks for it, or if there is nothing to say.
    fn stored(&self) -> Option<&'a StoredNode> {
        match self {
            Candidate::Model { stored, .. }
            | Candidate::Source { stored, .. }
            | Candidate::Resource { stored, .. }
            | Candidate::Test { stored, .. }
            | Candidate::UnitTest { stored, .. } => *stored,
        }
    }

    fn kind(&self) -> NodeKind {
        match self {
            Candidate::Model { model, .. } => model.kind(),
            Candidate::Source { .. } => NodeKind::Source,
            Candidate::Resource { resource, .. } => resource.kind.node_kind(),
            Candidate::Test { .. } => NodeKind::Test,
            Candidate::UnitTest { .. } => NodeKind::UnitTest,
        }
    }

    fn package(&self) -> &'a str {
        match self {
            Candidate::Model { model, .. } => &model.package,
            Candidate::Source { .. } => self.project(),
            Candidate::Resource { resource, .. } => &resource.package,
            Candidate::Test { test, .. } => &test.package,
            Candidate::UnitTest { test, .. } => &test.package,
        }
    }

    /// Its own name; that of a source is the name of its table.
    fn name(&self) -> &'a str {
        match self {
            Candidate::Model { model, .. } => model.name.as_str(),
            Candidate::Source { source, .. } => source.table.as_str(),
            Candidate::Resource { resource, .. } => &resource.name.value,
            Candidate::Test { test, .. } => &test.name,
            Candidate::UnitTest { test, .. } => &test.id.test,
        }
    }

    /// The package, the folders and the name. `None` for a source, which other words name.
    fn fqn(&self) -> Option<&'a [String]> {
        match self {
            Candidate::Model { model, .. } => Some(&model.fqn),
            Candidate::Source { .. } => None,
            Candidate::Resource { resource, .. } => Some(&resource.fqn),
            Candidate::Test { test, .. } => Some(&test.fqn),
            Candidate::UnitTest { test, .. } => Some(&test.fqn),
        }
    }

    /// The file that holds or declares it. `None` for a source.
    fn path(&self) -> Option<&'a str> {
        match self {
            Candidate::Model { model, .. } => Some(&model.path),
            Candidate::Source { .. } => None,
            Candidate::Resource { resource, .. } => Some(&resource.path),
            Candidate::Test { test, .. } => Some(&test.path),
            Candidate::UnitTest { test, .. } => Some(&test.path),
        }
    }

    fn tags(&self) -> Vec<&'a str> {
        match self {
            Candidate::Model { rendered, .. } => rendered.config.tags.iter().map(Tag::as_str).collect(),
            Candidate::Source { .. } => Vec::new(),
            Candidate::Resource { resource, .. } => resource.tags.iter().map(String::as_str).collect(),
            Candidate::Test { test, .. } => test.tags.iter().map(String::as_str).collect(),
            Candidate::UnitTest { test, .. } => test.tags.iter().map(String::as_str).collect(),
        }
    }
}

/// Why a method does not take an argument or a value, or is none.
#[derive(Debug)]
pub(crate) struct MethodRefusal {
    pub message: String,
    pub help: String,
}

/// A way to select: the word before the colon.
pub(crate) trait Method: Send + Sync {
    fn name(&self) -> &'static str;

    /// Refuses an argument (`config.argument:`) that the method does not have.
    fn check(&self, argument: Option<&str>) -> Result<(), MethodRefusal> {
        match argument {
            None => Ok(()),
            Some(argument) => {
                let help = format!("write `{}:` and the value", self.name());
                Err(MethodRefusal { message: format!("`{}` takes no `.{argument}`", self.name()), help })
            }
        }
    }

    /// Refuses a value that can match nothing, whatever the project is.
    fn check_value(&self, _value: &str) -> Result<(), MethodRefusal> {
        Ok(())
    }

    /// Whether the value is a path, in which `*` stays within a folder.
    fn is_path(&self) -> bool {
        false
    }

    /// Whether it finds tests alone.
    fn is_of_tests(&self) -> bool {
        false
    }

    /// The artifact of an earlier command that it asks for.
    fn artifact(&self) -> Option<StoredArtifact> {
        None
    }

    fn matches(&self, pattern: &Pattern, argument: Option<&str>, node: Candidate<'_>) -> bool;

    /// Values that would match this node, for a suggestion.
    fn values(&self, _node: Candidate<'_>) -> Vec<String> {
        Vec::new()
    }
}

impl std::fmt::Debug for dyn Method {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Every method, in alphabetical order.
const ALL: [&dyn Method; 22] = [
    &access::ByAccess,
    &config::ByConfig,
    &named::EXPOSURE,
    &path::ByFile,
    &fqn::Fqn,
    &group::InGroup,
    &named::METRIC,
    &package::Package,
    &path::Path,
    &resource_type::ResourceType,
    &result::ByResult,
    &named::SAVED_QUERY,
    &selector::NamedInFile,
    &named::SEMANTIC_MODEL,
    &source::FromSource,
    &source_status::BySourceStatus,
    &state::ByState,
    &tag::Tagged,
    &test_name::TestName,
    &test_type::TestType,
    &named::UNIT_TEST,
    &version::ByVersion,
];

pub(super) fn find(name: &str) -> Option<&'static dyn Method> {
    ALL.iter().copied().find(|method| method.name() == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|method| method.name())
}

/// The method of a value without one: a path has a slash, a file its ending, everything else is a name.
pub(super) fn implied(value: &str) -> &'static dyn Method {
    match value {
        path if path.contains('/') => &path::Path,
        file if file.ends_with(".sql") || file.ends_with(".csv") => &path::ByFile,
        _ => &fqn::Fqn,
    }
}

/// A value that is one of a few words.
fn check_word(method: &str, value: &str, words: &[&str]) -> Result<(), MethodRefusal> {
    if words.contains(&value) {
        return Ok(());
    }
    let message = format!("`{method}:` knows no `{value}`");
    let help = format!("it can be {}", crate::diag::any_of(words.iter().copied()));
    Err(MethodRefusal { message, help })
}
