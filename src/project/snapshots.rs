//! Snapshots as their files declare them: blocks in SQL files, and relations in properties files.

use std::ops::Range;

use super::files::FoundFile;
use super::node::YamlFields;
use super::snapshot::SnapshotTemplate;
use super::snapshot_blocks::{SnapshotBlockFault, SnapshotBlocks, only_body, snapshot_blocks};
use crate::diag::{Code, Diagnostic, Sink};
use crate::span::{SourceFiles, Span, Spanned};

/// A snapshot where it is declared.
pub(super) struct FoundSnapshot<'a> {
    pub name: Spanned<String>,
    /// The parts of its full name between those of the package and its own.
    pub path: Vec<&'a str>,
    /// The first folder that it lies in.
    pub folder: Option<&'a str>,
    pub found: &'a FoundFile,
    pub template: SnapshotTemplate,
}

/// The blocks of a file. What does not fit together is reported.
pub(super) fn in_blocks<'a>(found: &'a FoundFile, texts: &SourceFiles, sink: &mut Sink) -> Vec<FoundSnapshot<'a>> {
    let text = texts.text(found.file);
    let SnapshotBlocks { blocks, fault, outside } = snapshot_blocks(text);
    let at = |place: Range<usize>| Span::new(found.file, place);
    let has_fault = fault.is_some();
    if let Some(fault) = fault {
        sink.error(block_fault(fault, &at));
    } else if let Some(place) = outside {
        let message = "what is outside of `{% snapshot %}` blocks does nothing";
        let diagnostic = Diagnostic::warning(Code::InvalidConfig, message).at(at(place));
        sink.warn(diagnostic.help("put the query into `{% snapshot name %} … {% endsnapshot %}`"));
    } else if blocks.is_empty() {
        let message = format!("`{}` has no `{{% snapshot %}}` block, and does nothing", found.path);
        sink.warn(Diagnostic::warning(Code::InvalidConfig, message).at(at(0..0)));
    }
    let path = parts(found, ".sql");
    let snapshots = blocks.into_iter().filter(|_| !has_fault).map(|block| {
        let name = at(block.name.clone());
        FoundSnapshot {
            name: Spanned::new(texts.slice(name).to_owned(), name),
            folder: path.split_last().and_then(|(_, folders)| folders.first().copied()),
            path: path.clone(),
            found,
            template: SnapshotTemplate { text: only_body(text, &block.body).into(), name },
        }
    });
    snapshots.collect()
}

fn block_fault(fault: SnapshotBlockFault, at: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let error = |message: &str| Diagnostic::error(Code::TemplateSyntax, message);
    match fault {
        SnapshotBlockFault::NoName { tag } => {
            error("a snapshot has no name").at(at(tag)).help("write `{% snapshot orders_history %}`")
        }
        SnapshotBlockFault::NeverClosed { tag } => {
            error("`{% snapshot %}` is never closed").at(at(tag)).help("end the block with `{% endsnapshot %}`")
        }
        SnapshotBlockFault::Nested { outer, inner } => error("a snapshot begins within another one")
            .at(at(inner))
            .labelled(at(outer), "this one is still open")
            .help("end it with `{% endsnapshot %}`"),
        SnapshotBlockFault::NotOpen { tag } => error("`{% endsnapshot %}` closes nothing").at(at(tag)),
    }
}

/// The snapshots that a properties file declares by naming a relation. The others are described there.
pub(super) fn in_properties<'a>(
    fields: &YamlFields<'_>,
    found: &'a FoundFile,
    texts: &SourceFiles,
    sink: &mut Sink,
) -> Vec<FoundSnapshot<'a>> {
    let mut declared = Vec::new();
    // What is wrong with the list and its items is said when they are described.
    let unsaid = &mut Sink::default();
    for node in fields.list("snapshots", unsaid) {
        let Ok(fields) = YamlFields::of(node, "an item of `snapshots`", unsaid) else { continue };
        let (Some(relation), Ok(name)) = (fields.get("relation"), fields.name("a snapshot", unsaid)) else { continue };
        let Ok(relation) = relation.expect_text("`relation`", sink) else { continue };
        let Some(text) = selecting(&relation, texts) else {
            let message = format!("`relation` cannot be `{}`", relation.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(relation.span);
            sink.error(diagnostic.help("write `ref('model')` or `source('schema', 'table')`, without braces"));
            continue;
        };
        let mut path = parts(found, "");
        path.pop();
        let template = SnapshotTemplate { text: text.into(), name: name.span };
        declared.push(FoundSnapshot { name, folder: path.first().copied(), path, found, template });
    }
    declared
}

/// The query of all rows of a relation, which stands where it is written in its file. Returns `None` if it is no relation.
fn selecting(relation: &Spanned<String>, texts: &SourceFiles) -> Option<String> {
    const BEFORE: &str = "-#}select * from {{ ";
    let call = relation.value.trim();
    let rest = ["ref", "source"].into_iter().find_map(|word| call.strip_prefix(word))?.trim_start();
    let is_call = rest.starts_with('(') && rest.ends_with(')') && !call.contains(['{', '}', '%']);
    // A scalar in quotes has them within its span; one that is folded is written nowhere as it is read.
    let written = texts.slice(relation.span);
    let offset = written.find(call).filter(|_| is_call)?;
    let start = relation.span.range().start + offset;
    let mut before = texts.text(relation.span.file).get(..start)?.as_bytes().to_vec();
    before.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    let begin = before.len().checked_sub(BEFORE.len()).filter(|begin| *begin >= 2)?;
    before.iter_mut().zip(b"{#").for_each(|(byte, written)| *byte = *written);
    before.iter_mut().skip(begin).zip(BEFORE.as_bytes()).for_each(|(byte, written)| *byte = *written);
    Some(format!("{}{call} }}}}", String::from_utf8(before).ok()?))
}

/// The folders and the stem of a file.
fn parts<'a>(found: &'a FoundFile, ending: &str) -> Vec<&'a str> {
    found.below.strip_suffix(ending).unwrap_or(&found.below).split('/').collect()
}
