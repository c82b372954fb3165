//! The ways to select: one file each, and the list of them.

mod config;
mod fqn;
mod package;
mod path;
mod resource_type;
mod source;
mod tag;
mod test_type;
mod unit_test;

use super::pattern::Pattern;
use crate::name::{ModelName, NodeKind};
use crate::project::{Model, Project, Source, UnitTest};
use crate::template::RenderedModel;

/// A node with everything that a method may ask for.
#[derive(Clone, Copy)]
pub(crate) enum Candidate<'a> {
    /// A model or a seed.
    Model {
        project: &'a Project,
        model: &'a Model,
        rendered: &'a RenderedModel,
    },
    Source {
        project: &'a Project,
        source: &'a Source,
    },
    UnitTest {
        project: &'a Project,
        test: &'a UnitTest,
    },
}

impl Candidate<'_> {
    fn project(&self) -> &str {
        match self {
            Candidate::Model { project, .. }
            | Candidate::Source { project, .. }
            | Candidate::UnitTest { project, .. } => &project.name.value,
        }
    }

    fn kind(&self) -> NodeKind {
        match self {
            Candidate::Model { model, .. } => model.kind(),
            Candidate::Source { .. } => NodeKind::Source,
            Candidate::UnitTest { .. } => NodeKind::UnitTest,
        }
    }
}

/// Why a method does not take an argument, or is none.
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

    /// Whether the value is a path, in which `*` stays within a folder.
    fn is_path(&self) -> bool {
        false
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
const ALL: [&dyn Method; 10] = [
    &config::ByConfig,
    &path::ByFile,
    &fqn::Fqn,
    &package::Package,
    &path::Path,
    &resource_type::ResourceType,
    &source::FromSource,
    &tag::Tagged,
    &test_type::TestType,
    &unit_test::UnitTestNamed,
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

/// The model's own name, for the methods that need it.
fn model_name(name: &ModelName) -> String {
    name.as_str().to_owned()
}
