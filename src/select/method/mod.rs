//! The ways to select: one file each, and the list of them.

mod config;
mod fqn;
mod package;
mod path;
mod resource_type;
mod source;
mod tag;

use super::pattern::Pattern;
use crate::name::{ModelName, NodeKind};
use crate::project::{Model, Project, Source};
use crate::template::RenderedModel;

/// A node with everything that a method may ask for.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
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
}

impl Node<'_> {
    fn project(&self) -> &str {
        match self {
            Node::Model { project, .. } | Node::Source { project, .. } => &project.name.value,
        }
    }

    fn kind(&self) -> NodeKind {
        match self {
            Node::Model { model, .. } => model.kind(),
            Node::Source { .. } => NodeKind::Source,
        }
    }
}

/// Why a method refuses: a message and a help.
pub(crate) type Refusal = (String, Option<String>);

/// A way to select: the word before the colon.
pub(crate) trait Method: Send + Sync {
    fn name(&self) -> &'static str;

    /// Refuses an argument (`config.argument:`) that the method does not have.
    fn check(&self, argument: Option<&str>) -> Result<(), Refusal> {
        match argument {
            None => Ok(()),
            Some(argument) => {
                let help = format!("write `{}:` and the value", self.name());
                Err((format!("`{}` takes no `.{argument}`", self.name()), Some(help)))
            }
        }
    }

    /// Whether the value is a path, in which `*` stays within a folder.
    fn is_path(&self) -> bool {
        false
    }

    fn matches(&self, pattern: &Pattern, argument: Option<&str>, node: Node<'_>) -> bool;

    /// Values that would match this node, for a suggestion.
    fn values(&self, _node: Node<'_>) -> Vec<String> {
        Vec::new()
    }
}

impl std::fmt::Debug for dyn Method {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Every method, in alphabetical order.
const ALL: [&dyn Method; 8] = [
    &config::Config,
    &path::File,
    &fqn::Fqn,
    &package::Package,
    &path::Path,
    &resource_type::ResourceType,
    &source::FromSource,
    &tag::Tagged,
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
        file if file.ends_with(".sql") || file.ends_with(".csv") => &path::File,
        _ => &fqn::Fqn,
    }
}

/// The model's own name, for the methods that need it.
fn model_name(name: &ModelName) -> String {
    name.as_str().to_owned()
}
