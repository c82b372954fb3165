//! What to say where a selection has only what a command does not work on.

use crate::diag::{Code, Diagnostic};
use crate::name::NodeKind;
use crate::select::Selection;

/// What to say of a selection that a command can do nothing with.
pub(crate) fn other_kinds(selection: &Selection, kinds: &[NodeKind]) -> Diagnostic {
    let names = kinds.iter().map(|kind| format!("{kind}s"));
    let message = format!("the selection has no {}", names.collect::<Vec<_>>().join(" or "));
    let diagnostic = Diagnostic::error(Code::EmptySelection, message);
    let of_kind = |kind: NodeKind| {
        let mut nodes = selection.nodes().iter();
        nodes.find(|node| node.kind() == kind).filter(|_| !kinds.contains(&kind))
    };
    if let Some(resource) = selection.nodes().iter().find(|node| node.resource().is_some()) {
        let selector = format!("{}:{resource}", resource.kind());
        return diagnostic.help(format!("`--select +{selector}` selects what it reads"));
    }
    match (of_kind(NodeKind::Seed), of_kind(NodeKind::Snapshot)) {
        (Some(seed), _) => {
            diagnostic.help(format!("`{seed}` is a seed: `karat seed` loads it, and so does `karat build`"))
        }
        (None, Some(snapshot)) => {
            diagnostic.help(format!("`{snapshot}` is a snapshot: `karat snapshot` takes it, and so does `karat build`"))
        }
        (None, None) => diagnostic.help("`karat run` and `karat build` build models"),
    }
}
