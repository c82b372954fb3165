//! Why a template cannot be parsed, in the words of whoever wrote it: what is open, and where it was opened.

use std::ops::Range;

use super::blocks::{BlockFault, StatementTag, blocks};
use super::token::{ScanFault, Token, TokenKind, scan};
use crate::diag::{Code, Diagnostic};
use crate::span::{FileId, Span};

/// What is wrong with this text, if it is one of the usual mistakes. The parser's own words say where it gave up, which is often
/// the last line.
pub(super) fn explain(text: &str, file: FileId) -> Option<Diagnostic> {
    let scanned = scan(text);
    let explainer = Explainer { text, file, tokens: &scanned.tokens };
    let string = scanned.tokens.iter().find(|token| explainer.runs_on(**token));
    match (scanned.fault, string) {
        (Some(ScanFault::OpenString { quote }), _) => Some(explainer.open_string(quote)),
        (_, Some(string)) => Some(explainer.open_string(string.start)),
        (Some(fault), None) => Some(explainer.tag(fault)),
        (None, None) => blocks(text, &scanned.tokens).fault.map(|fault| explainer.block(fault)),
    }
}

struct Explainer<'a> {
    text: &'a str,
    file: FileId,
    tokens: &'a [Token],
}

impl Explainer<'_> {
    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    /// Whether a string goes on where its tag should have ended: its first quote or its last one is another than was meant.
    fn runs_on(&self, token: Token) -> bool {
        let text = self.text.get(token.range()).unwrap_or_default();
        token.kind == TokenKind::Text && text.contains('\n') && (text.contains("}}") || text.contains("%}"))
    }

    /// The text from a place to the end of its line.
    fn line(&self, start: usize) -> &str {
        self.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default()
    }

    fn open_string(&self, quote: usize) -> Diagnostic {
        let line = self.line(quote);
        let mark = line.get(..1).unwrap_or("'");
        let other = if mark == "'" { "\"" } else { "'" };
        // What was meant may end at the other quote.
        let length = line.get(1..).and_then(|rest| rest.find(other)).map_or(line.len(), |at| at + 2);
        let message = format!("the text that begins with `{mark}` never ends");
        let diagnostic = Diagnostic::error(Code::TemplateSyntax, message).at(self.span(quote..quote + length));
        match line.get(1..).is_some_and(|rest| rest.contains(other)) {
            true => diagnostic.help(format!("close it with `{mark}`, not with `{other}`")),
            false => diagnostic.help(format!("close it with `{mark}`")),
        }
    }

    fn tag(&self, fault: ScanFault) -> Diagnostic {
        let error = |message: String| Diagnostic::error(Code::TemplateSyntax, message);
        match fault {
            ScanFault::NeverClosed { open } => self.never_closed(open),
            ScanFault::OpenString { quote } => self.open_string(quote),
            ScanFault::OpenBracket { open, bracket } => self.open_bracket(open, bracket..bracket + 1),
            ScanFault::Nested { open, inner } if self.line(open).len() < inner - open => self.never_closed(open),
            ScanFault::Nested { open, inner } => {
                let word = self.text.get(inner..inner + 2).unwrap_or("{{");
                let outer = self.text.get(open..open + 2).unwrap_or("{{");
                error(format!("`{word}` stands within `{outer}`"))
                    .at(self.span(inner..inner + 2))
                    .labelled(self.span(open..open + 2), "this is still open")
                    .help("within braces, names stand alone: write `ref(x)`, not `ref({{ x }})`")
            }
            ScanFault::SingleBrace { open, brace } => {
                let closing = self.closing(open);
                error(format!("`}}` where `{closing}` should be"))
                    .at(self.span(brace..brace + 1))
                    .labelled(self.span(open..open + 2), "opened here")
                    .help(format!("close it with `{closing}`"))
            }
        }
    }

    fn closing(&self, open: usize) -> &'static str {
        match self.text.get(open..open + 2) {
            Some("{#") => "#}",
            Some("{%") => "%}",
            Some(_) | None => "}}",
        }
    }

    /// A bracket that is open where its tag ends.
    fn open_bracket(&self, open: usize, place: Range<usize>) -> Diagnostic {
        let bracket = self.text.get(place.clone()).unwrap_or("(");
        let closing = if bracket == "[" { "]" } else { ")" };
        let message = format!("`{bracket}` is never closed");
        let diagnostic = Diagnostic::error(Code::TemplateSyntax, message).at(self.span(place));
        diagnostic.help(format!("close it with `{closing}` before `{}`", self.closing(open)))
    }

    fn never_closed(&self, open: usize) -> Diagnostic {
        let word = self.text.get(open..open + 2).unwrap_or("{{");
        let closing = self.closing(open);
        let first = self.tokens.iter().position(|token| token.start == open).unwrap_or(self.tokens.len());
        let rest = self.tokens.get(first + 1..).unwrap_or_default();
        let brackets = open_brackets(rest);
        let end = open + self.line(open).trim_end().len();
        let diagnostic = Diagnostic::error(Code::TemplateSyntax, format!("`{word}` is never closed"));
        diagnostic.at(self.span(open..end.max(open + 2))).help(format!("close it with `{brackets}{closing}`"))
    }

    fn block(&self, fault: BlockFault<'_>) -> Diagnostic {
        let error = |message: String| Diagnostic::error(Code::TemplateSyntax, message);
        match fault {
            BlockFault::NeverClosed(tag) => error(format!("`{{% {} %}}` is never closed", tag.word))
                .at(self.tag_span(tag))
                .help(format!("close it with `{{% end{} %}}`", tag.word)),
            BlockFault::Mismatched { open, found } => {
                error(format!("`{{% {} %}}` where `{{% end{} %}}` should be", found.word, open.word))
                    .at(self.tag_span(found))
                    .labelled(self.tag_span(open), "this block is still open")
                    .help(format!("close it with `{{% end{} %}}` first", open.word))
            }
            BlockFault::NotOpen(tag) => {
                let block = tag.word.strip_prefix("end").unwrap_or("if");
                error(format!("`{{% {} %}}` closes nothing: no `{{% {block} %}}` is open", tag.word))
                    .at(self.tag_span(tag))
                    .help(format!("remove it, or begin the block with `{{% {block} … %}}`"))
            }
        }
    }

    fn tag_span(&self, tag: StatementTag<'_>) -> Span {
        let place = |index: usize| self.tokens.get(index);
        let start = place(tag.open).map_or(0, |token| token.start);
        self.span(start..place(tag.close).map_or(start, |token| token.end))
    }
}

/// The brackets that close what is open.
fn open_brackets(tokens: &[Token]) -> String {
    let mut open = Vec::new();
    for token in tokens {
        match token.kind {
            TokenKind::Mark(b'(') => open.push(')'),
            TokenKind::Mark(b'[') => open.push(']'),
            TokenKind::Mark(b')' | b']') => drop(open.pop()),
            _ => {}
        }
    }
    let closing: String = open.iter().rev().collect();
    if closing.is_empty() { closing } else { format!("{closing} ") }
}
