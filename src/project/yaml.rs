//! YAML with spans (only user of the YAML crate): one document, YAML 1.2's core types, bounded depth and size.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, options};

use super::node::{Node, YamlEntry, YamlKind};
use super::scalar::{Scalar, Typed};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::span::{FileId, Span, Spanned};

/// Deeper nesting is no config, but an attack on the stack.
const MAX_DEPTH: usize = 64;

/// What a file may grow to when its aliases are replaced, in nodes of 64 bytes of text.
const MAX_SIZE: usize = 1_000_000;

/// The one document of a file. An empty file is null.
pub(crate) fn parse(text: &str, file: FileId, sink: &mut Sink) -> Checked<Node> {
    Tree::new(text, file).grow().map_err(|diagnostic| sink.error(*diagnostic))
}

type Grown<T> = Result<T, Box<Diagnostic>>;

/// A finished node with what it costs: how deep it is and how large.
#[derive(Debug, Clone)]
struct YamlPart {
    node: Node,
    depth: usize,
    size: usize,
}

/// A list or mapping that has not ended yet.
struct OpenBlock {
    anchor: usize,
    start: usize,
    end: usize,
    depth: usize,
    size: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<YamlEntry>,
    seen: BTreeMap<String, Span>,
    key: Option<Spanned<String>>,
    merged: Vec<Node>,
}

struct Tree<'a> {
    text: &'a str,
    file: FileId,
    open: Vec<OpenBlock>,
    anchors: BTreeMap<usize, YamlPart>,
    size: usize,
    root: Option<Node>,
}

impl<'a> Tree<'a> {
    fn new(text: &'a str, file: FileId) -> Tree<'a> {
        Tree { text, file, open: Vec::new(), anchors: BTreeMap::new(), size: 0, root: None }
    }

    fn grow(mut self) -> Grown<Node> {
        let limits = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(self.text, limits) {
            let (event, span) = next.map_err(|error| self.syntax_error(&error))?;
            let range = span.byte_range().unwrap_or(0..0);
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
            }
            if documents > 1 {
                let message = "a file holds one document, and a second one begins here";
                return Err(self.error(message, range));
            }
            self.take(event, range)?;
        }
        let nothing = Scalar { text: String::new(), typed: Typed::Null };
        Ok(self.root.unwrap_or(Node { span: Span::new(self.file, 0..0), kind: YamlKind::Scalar(nothing) }))
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Grown<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // Quotes make a text of whatever they hold: `"1"` is no number.
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let typed = if is_text { Typed::Text } else { Typed::of(&text) };
                let size = 1 + text.len() / 64;
                let kind = YamlKind::Scalar(Scalar { text: text.into_owned(), typed });
                let node = Node { span: self.scalar_span(range), kind };
                self.finish(YamlPart { node, depth: 1, size }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(anchor, range, Content::Sequence(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(anchor, range, Content::Mapping(OpenMapping::default())),
            Event::SequenceEnd | Event::MappingEnd => self.end(range),
            Event::Alias(anchor) => {
                // The parser knows the anchor, or it would have said so: its value has just not ended yet.
                let Some(part) = self.anchors.get(&anchor) else {
                    return Err(self.error("an alias is inside what it refers to", range));
                };
                let part = YamlPart { node: Node { span: self.span(range), ..part.node.clone() }, ..*part };
                self.put(part)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, range: Range<usize>, content: Content) -> Grown<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(range));
        }
        if let Some(OpenBlock { content: Content::Mapping(OpenMapping { key: None, .. }), .. }) = self.open.last() {
            return Err(
                self.template_help(self.diagnostic("a list or mapping cannot be a key", range.clone()), range.start)
            );
        }
        self.open.push(OpenBlock { anchor, start: range.start, end: range.end, depth: 1, size: 1, content });
        Ok(())
    }

    fn end(&mut self, range: Range<usize>) -> Grown<()> {
        let open = self.open.pop().expect("the parser ends what it began");
        let kind = match open.content {
            Content::Sequence(items) => YamlKind::Sequence(items),
            Content::Mapping(mapping) => YamlKind::Mapping(self.merge(mapping)?),
        };
        // A block ends where the next thing begins, so only a closing bracket may move its end.
        let closes = matches!(self.text.get(range.clone()), Some("]" | "}"));
        let end = if closes { range.end } else { open.end };
        let node = Node { span: self.span(open.start..end), kind };
        self.finish(YamlPart { node, depth: open.depth + 1, size: open.size }, open.anchor)
    }

    /// The entries of a mapping and of those that `<<` brings in, which never replace what is written.
    fn merge(&self, mapping: OpenMapping) -> Grown<Vec<YamlEntry>> {
        let OpenMapping { mut entries, mut seen, merged, .. } = mapping;
        let mut sources = Vec::new();
        for node in merged {
            match node.kind {
                YamlKind::Sequence(items) => sources.extend(items),
                YamlKind::Mapping(_) | YamlKind::Scalar(_) => sources.push(node),
            }
        }
        for source in sources {
            let YamlKind::Mapping(inherited) = source.kind else {
                return Err(self.error("`<<` takes a mapping or a list of mappings", source.span.range()));
            };
            for (key, value) in inherited {
                // What stands in the mapping itself wins over `<<`, and of several merged mappings the first.
                if !seen.contains_key(&key.value) {
                    seen.insert(key.value.clone(), key.span);
                    entries.push((key, value));
                }
            }
        }
        Ok(entries)
    }

    /// Remembers the part if it has an anchor, and puts it where it belongs.
    fn finish(&mut self, part: YamlPart, anchor: usize) -> Grown<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, part.clone());
        }
        self.put(part)
    }

    fn put(&mut self, part: YamlPart) -> Grown<()> {
        let range = part.node.span.range();
        // The depth of an alias is that of what it stands for, where it stands.
        if self.open.len() + part.depth > MAX_DEPTH + 1 {
            return Err(self.too_deep(range));
        }
        // An alias costs as much as what it stands for, every time. Without that, ten lines of aliases of aliases ("billion laughs")
        // would fill the memory.
        self.size += part.size;
        if self.size > MAX_SIZE {
            return Err(self.error("the file is too large when its aliases are replaced", range));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(part.node);
            return Ok(());
        };
        open.depth = open.depth.max(part.depth);
        open.size += part.size;
        open.end = open.end.max(range.end);
        match &mut open.content {
            Content::Sequence(items) => {
                items.push(part.node);
                Ok(())
            }
            Content::Mapping(mapping) => match mapping.key.take() {
                None => self.put_key(part.node),
                Some(key) => {
                    mapping.put_value(key, part.node);
                    Ok(())
                }
            },
        }
    }

    fn put_key(&mut self, node: Node) -> Grown<()> {
        let span = node.span;
        let YamlKind::Scalar(Scalar { text, .. }) = node.kind else {
            return Err(self.error("a list or mapping cannot be a key", span.range()));
        };
        let Some(OpenBlock { content: Content::Mapping(mapping), .. }) = self.open.last_mut() else {
            return Ok(());
        };
        // YAML 1.2 forbids it; most parsers silently take the last one, and a config is lost.
        if let Some(first) = mapping.seen.insert(text.clone(), span) {
            let diagnostic = Diagnostic::error(Code::InvalidYaml, format!("the key `{text}` occurs twice here"));
            return Err(Box::new(diagnostic.at(span).labelled(first, "the first one")));
        }
        mapping.key = Some(Spanned::new(text, span));
        Ok(())
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    /// A block scalar ends with line breaks that nobody needs to see.
    fn scalar_span(&self, range: Range<usize>) -> Span {
        let written = self.text.get(range.clone()).unwrap_or("").trim_end().len();
        self.span(range.start..range.start + written)
    }

    fn diagnostic(&self, message: impl Into<String>, range: Range<usize>) -> Diagnostic {
        Diagnostic::error(Code::InvalidYaml, message).at(self.span(range))
    }

    fn error(&self, message: impl Into<String>, range: Range<usize>) -> Box<Diagnostic> {
        Box::new(self.diagnostic(message, range))
    }

    fn too_deep(&self, range: Range<usize>) -> Box<Diagnostic> {
        self.error(format!("lists and mappings are nested deeper than {MAX_DEPTH} levels"), range)
    }

    fn syntax_error(&self, error: &ScanError) -> Box<Diagnostic> {
        let start = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let range = start..start;
        if let Some(tab) = self.tab_at(start).filter(|_| error.info().contains("tab")) {
            let diagnostic = self.diagnostic("a tab where only spaces are allowed", tab);
            return Box::new(diagnostic.help("indent with spaces"));
        }
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => self.too_deep(range),
            ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
                let diagnostic = self.diagnostic("a tab where only spaces are allowed", range);
                Box::new(diagnostic.help("indent with spaces"))
            }
            ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
                let diagnostic = self.diagnostic("a `:` where none is allowed", range);
                Box::new(diagnostic.help("quote a text that contains `: `, and close every bracket"))
            }
            ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
                let diagnostic = self.diagnostic("a key is missing here, or the line is indented wrongly", range);
                Box::new(diagnostic.help("the keys of a mapping begin in the same column"))
            }
            ErrorKind::UnclosedFlowCollection { open } => {
                let closing = if *open == '[' { ']' } else { '}' };
                let diagnostic = self.diagnostic(format!("the bracket `{open}` is never closed"), range);
                Box::new(diagnostic.help(format!("close it with `{closing}`")))
            }
            ErrorKind::UnclosedQuotedScalar => {
                let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
                let quote = line.get(..1).unwrap_or("\"");
                let diagnostic = self.diagnostic("the quote is never closed", start..start + line.trim_end().len());
                Box::new(diagnostic.help(format!("close it with `{quote}`")))
            }
            ErrorKind::UnknownAnchor => self.error("no anchor before this alias has its name", range),
            _ if error.info().contains("expected '-' indicator") => {
                let word = self.text.get(start..).and_then(|rest| rest.split([':', '\n']).next()).unwrap_or_default();
                let diagnostic = self.diagnostic("a key in the column of the `-` of a list", start..start + word.len());
                Box::new(diagnostic.help("indent it as far as the keys of the item above, which begin behind the `-`"))
            }
            _ => self.template_help(self.diagnostic(error.info(), range), start),
        }
    }

    /// The tab that indents the line of an error, or the line below it: a text that may go on there hides it from the parser.
    fn tab_at(&self, start: usize) -> Option<Range<usize>> {
        let before = self.text.get(..start)?;
        let mut line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        for line in self.text.get(line_start..)?.split_inclusive('\n').take(2) {
            let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
            if let Some(tab) = line.get(..blanks).and_then(|blanks| blanks.find('\t')) {
                return Some(line_start + tab..line_start + blanks);
            }
            line_start += line.len();
        }
        None
    }

    /// `key: {{ var('x') }}` is a mapping in a mapping for YAML, which nobody ever means.
    fn template_help(&self, mut diagnostic: Diagnostic, offset: usize) -> Box<Diagnostic> {
        let before = self.text.get(..offset).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let Some((open, close)) = line.find("{{").zip(line.rfind("}}")).filter(|(open, close)| open < close) else {
            return Box::new(diagnostic);
        };
        // What follows the braces belongs to the value: `{{ x }}_b`.
        let rest = line.get(close + 2..).unwrap_or("");
        let end = rest.find([',', ']', '}']).or_else(|| rest.find(" #")).unwrap_or(rest.len());
        let end = close + 2 + rest.get(..end).map_or(0, |rest| rest.trim_end().len());
        let range = line_start + open..line_start + end;
        let typed = self.text.get(range.clone()).unwrap_or_default();
        if let Some(label) = diagnostic.labels.first_mut() {
            label.span = self.span(range);
        }
        "a template without quotes is a mapping for YAML".clone_into(&mut diagnostic.message);
        Box::new(diagnostic.help(format!("quote it: `\"{typed}\"`")))
    }
}

impl OpenMapping {
    fn put_value(&mut self, key: Spanned<String>, mut value: Node) {
        if key.value == "<<" {
            self.merged.push(value);
            return;
        }
        // A missing value has no place of its own.
        if value.is_null() && value.span.range().is_empty() {
            value.span = key.span;
        }
        self.entries.push((key, value));
    }
}

#[cfg(test)]
mod tests;
