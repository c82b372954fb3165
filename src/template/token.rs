//! The words and marks inside the tags of a template, with their places: enough to find calls, not to parse.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `{{` or `{%`.
    Open,
    /// `}}` or `%}`.
    Close,
    /// A name, a keyword or a number.
    Word,
    /// A string with its quotes.
    Text,
    /// One character of punctuation.
    Mark(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub fn is(self, mark: u8) -> bool {
        self.kind == TokenKind::Mark(mark)
    }
}

/// A text and the tokens of its tags, which are found once for all that look at them.
#[derive(Debug, Clone)]
pub(super) struct ScannedText<'a> {
    pub text: &'a str,
    pub tokens: Vec<Token>,
}

impl<'a> ScannedText<'a> {
    pub fn of(text: &'a str) -> ScannedText<'a> {
        ScannedText { text, tokens: tokens(text) }
    }
}

/// All tokens inside tags, in order. Comments and raw blocks have none. A text that is no template
/// gives the tokens before the fault: the parser reports it.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    scan(text).tokens
}

/// What is wrong with the tags of a text, as far as it can be seen without parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanFault {
    /// A tag or comment that begins here never ends.
    NeverClosed { open: usize },
    /// A string that begins at `quote` never ends.
    OpenString { quote: usize },
    /// Within the tag that begins at `open` another one begins.
    Nested { open: usize, inner: usize },
    /// A single brace where two close the tag that begins at `open`.
    SingleBrace { open: usize, brace: usize },
    /// The tag that begins at `open` ends where a bracket in it is still open.
    OpenBracket { open: usize, bracket: usize },
}

/// The tokens of a text and the first fault.
pub(super) struct TagScan {
    pub tokens: Vec<Token>,
    pub fault: Option<ScanFault>,
}

pub(super) fn scan(text: &str) -> TagScan {
    let mut scanner = Scanner { text, at: 0, tokens: Vec::new(), fault: None };
    while scanner.next_tag() {}
    TagScan { tokens: scanner.tokens, fault: scanner.fault }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    fault: Option<ScanFault>,
}

impl Scanner<'_> {
    fn byte(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(offset).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Moves behind the next occurrence of `end`; false if there is none.
    fn skip_past(&mut self, end: &str) -> bool {
        match self.rest().find(end) {
            Some(found) => {
                self.at += found + end.len();
                true
            }
            None => false,
        }
    }

    /// Scans one tag; false at the end of the text or at a fault.
    fn next_tag(&mut self) -> bool {
        let Some(brace) = self.rest().find('{') else {
            return false;
        };
        self.at += brace;
        let closing = match self.byte(self.at + 1) {
            Some(b'#') => {
                let open = self.at;
                return self.skip_past("#}") || self.fails(ScanFault::NeverClosed { open });
            }
            Some(b'{') => b'}',
            Some(b'%') => b'%',
            // A lone brace is text.
            Some(_) | None => {
                self.at += 1;
                return true;
            }
        };
        let first = self.tokens.len();
        self.push(TokenKind::Open, 2);
        // `{%-` trims the blanks before the tag: a part of the opening, not a minus.
        if matches!(self.byte(self.at), Some(b'-' | b'+')) {
            self.at += 1;
        }
        self.scan_tag(closing) && self.skip_raw_block(first)
    }

    /// Keeps the first fault; always false.
    fn fails(&mut self, fault: ScanFault) -> bool {
        self.fault.get_or_insert(fault);
        false
    }

    /// If the tag that begins at the token `first` is `{% raw %}`, its content is no template.
    fn skip_raw_block(&mut self, first: usize) -> bool {
        let is_raw = match self.tokens.get(first..) {
            Some([_, word, _]) => self.text.get(word.range()) == Some("raw"),
            Some(_) | None => false,
        };
        if !is_raw {
            return true;
        }
        while self.skip_past("{%") {
            if self.rest().trim_start_matches(['-', '+']).trim_start().starts_with("endraw") {
                return self.skip_past("%}");
            }
        }
        let open = self.tokens.get(first).map_or(self.at, |token| token.start);
        self.fails(ScanFault::NeverClosed { open })
    }

    fn scan_tag(&mut self, closing: u8) -> bool {
        let mut brackets: Vec<usize> = Vec::new();
        let open = self.tokens.last().map_or(self.at, |token| token.start);
        while let Some(byte) = self.byte(self.at) {
            // `}}` may also close two dicts: only outside brackets does it end the tag.
            if byte == closing && brackets.is_empty() && self.byte(self.at + 1) == Some(b'}') {
                self.push(TokenKind::Close, 2);
                return true;
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'\'' | b'"' => {
                    let Some(length) = self.string_length(byte) else {
                        return self.fails(ScanFault::OpenString { quote: self.at });
                    };
                    self.push(TokenKind::Text, length);
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                    let rest = self.rest().bytes();
                    let length = rest.take_while(|letter| letter.is_ascii_alphanumeric() || *letter == b'_').count();
                    self.push(TokenKind::Word, length);
                }
                mark => {
                    self.notice_brace(mark, closing, open, &brackets);
                    match mark {
                        b'(' | b'[' | b'{' => brackets.push(self.at),
                        b')' | b']' | b'}' => drop(brackets.pop()),
                        _ => {}
                    }
                    self.push(TokenKind::Mark(mark), 1);
                }
            }
        }
        self.fails(ScanFault::NeverClosed { open })
    }

    /// Keeps a brace in mind that cannot be meant: the parser will stumble over it, or over what comes later.
    fn notice_brace(&mut self, mark: u8, closing: u8, open: usize, brackets: &[usize]) {
        let inner = self.at;
        let next = self.byte(inner + 1);
        // `}}` within `(` and `%}` anywhere are the end of the tag, and no part of an expression.
        let is_end = mark == closing && next == Some(b'}');
        let unclosed = brackets.last().copied().filter(|bracket| is_end && self.byte(*bracket) != Some(b'{'));
        if let Some(bracket) = unclosed {
            self.fails(ScanFault::OpenBracket { open, bracket });
        } else if mark == b'{' && matches!(next, Some(b'{' | b'%')) {
            self.fails(ScanFault::Nested { open, inner });
        } else if mark == b'}' && brackets.is_empty() {
            self.fails(ScanFault::SingleBrace { open, brace: inner });
        }
    }

    /// The length of the string that begins here, with its quotes.
    fn string_length(&self, quote: u8) -> Option<usize> {
        let mut escaped = false;
        for (offset, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                // As in Python: the next character, whatever it is, does not end the string.
                b'\\' => escaped = true,
                end if end == quote => return Some(offset + 1),
                _ => {}
            }
        }
        None
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        self.tokens.push(Token { kind, start: self.at, end: self.at + length });
        self.at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| text.get(token.range()).unwrap()).collect()
    }

    #[test]
    fn only_tags_have_tokens() {
        assert_eq!(words("select ref('a') {# ref('b') #} {{ ref('c') }}"), ["{{", "ref", "(", "'c'", ")", "}}"]);
        assert_eq!(words("{% raw %}{{ x }}{%- endraw -%}{{ y }}"), ["{%", "raw", "%}", "{{", "y", "}}"]);
    }

    #[test]
    fn quotes_and_braces_do_not_end_a_tag() {
        assert_eq!(words("{{ '}}' ~ \"\\\"}}\" }}"), ["{{", "'}}'", "~", "\"\\\"}}\"", "}}"]);
        assert_eq!(words("{{ {'a': {}} }}"), ["{{", "{", "'a'", ":", "{", "}", "}", "}}"]);
    }

    #[test]
    fn a_fault_ends_the_tokens() {
        assert_eq!(words("{{ a 'open }}"), ["{{", "a"]);
        assert_eq!(words("{{ a"), ["{{", "a"]);
        assert_eq!(words("ä {{ 'ö' }} {"), ["{{", "'ö'", "}}"]);
        for text in ["{{ a(b }} c", "{% a(b %} c", "{{ [a(b), c }}"] {
            assert!(matches!(scan(text).fault, Some(ScanFault::OpenBracket { open: 0, .. })), "{text}");
        }
        for text in ["{{ {'a': {'b': (1)}} }}", "{% set a = 1 % 2 %}"] {
            assert_eq!(scan(text).fault, None, "{text}");
        }
    }
}
