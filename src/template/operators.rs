//! What the template engine does not read as Jinja2 does: rewritten before it is parsed.
//!
//! `'%s' % x` and sums of dates become calls, a unary plus and the condition of a `do` are written otherwise, and the
//! condition of a loop is asked when its turn comes, not before the first.

use super::blocks::{StatementBlock, blocks};
use super::token::{Token, TokenKind};
use crate::text_edit::TextEdit;

/// The functions that operators become.
pub(super) const MODULO: &str = "__modulo";
pub(super) const PLUS: &str = "__plus";
pub(super) const MINUS: &str = "__minus";

/// Words between operands.
const KEYWORDS: [&str; 8] = ["and", "else", "if", "in", "is", "not", "or", "recursive"];

/// Words of texts that work with dates.
const OF_DATES: [&str; 3] = ["run_started_at", "modules", "timedelta"];

/// The text, its tokens, and for each bracket its partner.
struct Operators<'a> {
    text: &'a str,
    tokens: &'a [Token],
    partners: Vec<Option<usize>>,
}

/// What is rewritten of a text. Most texts have nothing of the kind, and cost one look at their tokens.
pub(super) fn rewritten_operators(text: &str, tokens: &[Token], closing: &[Option<usize>]) -> Vec<TextEdit> {
    let is_rewritten = |token: &Token| match token.kind {
        TokenKind::Mark(mark) => matches!(mark, b'%' | b'+' | b'-'),
        TokenKind::Word => matches!(text.get(token.range()), Some("do" | "for" | "previtem" | "nextitem")),
        TokenKind::Text | TokenKind::Open | TokenKind::Close => false,
    };
    if tokens.iter().any(is_rewritten) { Operators::new(text, tokens, closing).pieces() } else { Vec::new() }
}

impl<'a> Operators<'a> {
    /// `closing` has for each opening bracket the one that closes it.
    fn new(text: &'a str, tokens: &'a [Token], closing: &[Option<usize>]) -> Operators<'a> {
        let mut partners = closing.to_vec();
        for (open, close) in closing.iter().enumerate().filter_map(|(open, close)| Some((open, (*close)?))) {
            if let Some(partner) = partners.get_mut(close) {
                *partner = Some(open);
            }
        }
        Operators { text, tokens, partners }
    }

    fn pieces(&self) -> Vec<TextEdit> {
        let has_dates = OF_DATES.iter().any(|word| self.text.contains(word));
        let mut pieces = Vec::new();
        // The later of two operators holds the earlier, so what it writes comes first.
        for (place, token) in self.tokens.iter().enumerate().rev() {
            match token.kind {
                TokenKind::Mark(b'+') if self.is_unary(place) => pieces.push(TextEdit::instead(token.range(), "")),
                TokenKind::Mark(b'%') => pieces.extend(self.call(place, MODULO).into_iter().flatten()),
                TokenKind::Mark(b'+') if has_dates => pieces.extend(self.call(place, PLUS).into_iter().flatten()),
                TokenKind::Mark(b'-') if has_dates => pieces.extend(self.call(place, MINUS).into_iter().flatten()),
                TokenKind::Word => {
                    pieces.extend(self.conditional_do(place));
                    pieces.extend(self.neighbour(place).into_iter().flatten());
                }
                TokenKind::Mark(_) | TokenKind::Text | TokenKind::Open | TokenKind::Close => {}
            }
        }
        pieces.extend(self.lazy_conditions());
        pieces
    }

    fn token(&self, place: usize) -> Option<Token> {
        self.tokens.get(place).copied()
    }

    fn word(&self, place: usize) -> Option<&str> {
        let token = self.token(place).filter(|token| token.kind == TokenKind::Word)?;
        self.text.get(token.range())
    }

    /// Whether no value ends before this place.
    fn is_unary(&self, place: usize) -> bool {
        let Some(before) = place.checked_sub(1).and_then(|before| self.token(before)) else {
            return true;
        };
        match before.kind {
            TokenKind::Open => true,
            TokenKind::Mark(mark) => !matches!(mark, b')' | b']' | b'}'),
            TokenKind::Word => self.is_keyword(place - 1),
            TokenKind::Text | TokenKind::Close => false,
        }
    }

    /// A word between operands, or the first of a statement.
    fn is_keyword(&self, place: usize) -> bool {
        let begins = place.checked_sub(1).and_then(|before| self.token(before));
        let is_statement =
            begins.is_some_and(|open| open.kind == TokenKind::Open && self.text.get(open.range()) == Some("{%"));
        // `x.in` is an attribute.
        let is_attribute = begins.is_some_and(|before| before.is(b'.'));
        is_statement || !is_attribute && self.word(place).is_some_and(|word| KEYWORDS.contains(&word))
    }

    /// The call that a binary operator becomes.
    fn call(&self, place: usize, name: &str) -> Option<[TextEdit; 3]> {
        let operator = self.token(place)?;
        // `-%}` and `+%}` trim blanks.
        let is_trim = self.token(place + 1).is_none_or(|next| next.kind == TokenKind::Close);
        if is_trim || self.is_unary(place) {
            return None;
        }
        let is_product = name == MODULO;
        let first = self.token(self.start_of_left(place, is_product)?)?;
        let last = self.token(self.end_of_right(place, is_product)?)?;
        Some([
            TextEdit::before(first.start, format!("{name}(")),
            TextEdit::instead(operator.range(), ","),
            TextEdit::before(last.end, ")".to_owned()),
        ])
    }

    /// The first token of the operand before an operator.
    fn start_of_left(&self, place: usize, is_product: bool) -> Option<usize> {
        let mut start = place;
        while let Some(before) = start.checked_sub(1) {
            let token = self.token(before)?;
            match token.kind {
                TokenKind::Open | TokenKind::Close => break,
                TokenKind::Word if self.is_keyword(before) => break,
                TokenKind::Mark(b')' | b']' | b'}') => start = self.partner(before)?,
                TokenKind::Mark(b'(' | b'[' | b'{' | b',' | b':' | b'=' | b'<' | b'>' | b'!') => break,
                TokenKind::Mark(b'+' | b'-') if is_product && !self.is_unary(before) => break,
                TokenKind::Mark(b'~') if is_product => break,
                TokenKind::Word | TokenKind::Text | TokenKind::Mark(_) => start = before,
            }
        }
        (start < place).then_some(start)
    }

    /// The last token of the operand behind an operator.
    fn end_of_right(&self, place: usize, is_product: bool) -> Option<usize> {
        let mut end = place;
        loop {
            let next = end + 1;
            let token = self.token(next)?;
            match token.kind {
                TokenKind::Open | TokenKind::Close => break,
                TokenKind::Word if self.is_keyword(next) => break,
                TokenKind::Mark(b'(' | b'[' | b'{') => end = self.partner(next)?,
                TokenKind::Mark(b')' | b']' | b'}' | b',' | b':' | b'=' | b'<' | b'>' | b'!') => break,
                TokenKind::Mark(b'+' | b'-') if end > place && !self.is_unary(next) => break,
                // A power binds tighter than a product.
                TokenKind::Mark(b'*') if is_product && self.token(next + 1).is_some_and(|after| after.is(b'*')) => {
                    end = next + 1;
                }
                TokenKind::Mark(b'*' | b'/' | b'%' | b'~') if is_product => break,
                TokenKind::Word | TokenKind::Text | TokenKind::Mark(_) => end = next,
            }
        }
        (end > place).then_some(end)
    }

    fn partner(&self, place: usize) -> Option<usize> {
        self.partners.get(place).copied().flatten()
    }

    /// `{% do x if y %}` becomes an assignment, which takes any expression.
    fn conditional_do(&self, place: usize) -> Option<TextEdit> {
        let token = self.token(place).filter(|_| self.word(place) == Some("do") && self.is_keyword(place))?;
        let mut next = place + 1;
        loop {
            let inner = self.token(next)?;
            match inner.kind {
                TokenKind::Close | TokenKind::Open => return None,
                TokenKind::Mark(b'(' | b'[' | b'{') => next = self.partner(next)? + 1,
                TokenKind::Word if self.word(next) == Some("if") => {
                    return Some(TextEdit::instead(token.range(), "set __done ="));
                }
                TokenKind::Word | TokenKind::Text | TokenKind::Mark(_) => next += 1,
            }
        }
    }

    /// `loop.previtem` is nothing at the first turn, and `loop.nextitem` at the last: to compare it is no error.
    fn neighbour(&self, place: usize) -> Option<[TextEdit; 2]> {
        let first = place.checked_sub(2).filter(|first| self.word(*first) == Some("loop"))?;
        if !matches!(self.word(place), Some("previtem" | "nextitem")) || !self.token(place - 1)?.is(b'.') {
            return None;
        }
        let is_asked =
            self.word(place + 1) == Some("is") || self.token(place + 1)?.is(b'.') || self.token(place + 1)?.is(b'|');
        let [begin, end] = [self.token(first)?.start, self.token(place)?.end];
        (!is_asked)
            .then(|| [TextEdit::before(begin, "(".to_owned()), TextEdit::before(end, "|default(none))".to_owned())])
    }

    /// The condition of a loop whose turns change what it asks about stands within the loop.
    fn lazy_conditions(&self) -> Vec<TextEdit> {
        if !self.text.contains("for") {
            return Vec::new();
        }
        let found = blocks(self.text, self.tokens);
        let loops = found.closed.iter().filter(|block| block.begin.word == "for" && !block.has_else);
        loops.filter_map(|block| self.lazy_condition(block)).flatten().collect()
    }

    fn lazy_condition(&self, block: &StatementBlock<'_>) -> Option<[TextEdit; 2]> {
        let condition = (block.begin.open..block.begin.close)
            .find(|place| self.word(*place) == Some("if") && self.is_outside_brackets(block.begin.open, *place))?;
        let words = |from: usize, to: usize| (from..to).filter_map(|place| self.word(place));
        // `loop` would count the turns that the condition leaves out.
        let body = (block.begin.close, block.end.open);
        let changes = words(body.0, body.1).any(|word| matches!(word, "do" | "set"));
        if !changes || words(block.begin.open, body.1).any(|word| matches!(word, "loop" | "recursive")) {
            return None;
        }
        let condition = self.token(condition)?;
        let end = self.token(block.end.open)?;
        let trims = self.text.get(end.end..).is_some_and(|rest| rest.starts_with('-'));
        let closing = if trims { "{%- endif %}" } else { "{% endif %}" };
        Some([TextEdit::before(condition.start, "%}{% ".to_owned()), TextEdit::before(end.start, closing.to_owned())])
    }

    fn is_outside_brackets(&self, from: usize, place: usize) -> bool {
        let mut next = from;
        while next < place {
            let is_bracket =
                self.token(next).is_some_and(|token| matches!(token.kind, TokenKind::Mark(b'(' | b'[' | b'{')));
            next = if is_bracket { self.partner(next).unwrap_or(next) + 1 } else { next + 1 };
        }
        next == place
    }
}
