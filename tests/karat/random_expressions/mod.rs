//! Random expressions: a grammar of what karat documents, and a seed that makes the same sentences on every machine.
//!
//! `{int}` in a template stands for another expression of that kind, in parentheses unless it is a single word.

mod kinds;
mod words;

use kinds::{KINDS, Kind};
use words::WORDS;

/// A SplitMix64 generator.
pub(crate) struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len())]
    }

    fn expression(&mut self, kind: &Kind, depth: usize) -> String {
        let is_leaf = depth == 0 || (depth < 3 && self.below(4) == 0);
        if is_leaf {
            return self.one_of(kind.leaves).to_owned();
        }
        let template = self.one_of(kind.templates);
        self.filled(template, depth - 1)
    }

    fn filled(&mut self, template: &str, depth: usize) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            text.push_str(before);
            if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == name) {
                text.push_str(self.one_of(words));
            } else {
                let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
                let part = self.expression(kind, depth);
                text.push_str(&if is_closed(&part) { part } else { format!("({part})") });
            }
            rest = after;
        }
        text + rest
    }
}

/// Whether an expression is a word, a literal or a call, so that every operator may stand beside it.
fn is_closed(expression: &str) -> bool {
    let end_of_name = expression.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '.');
    let Some(end) = end_of_name else { return true };
    let rest = expression.split_at(end).1;
    match rest.chars().next() {
        Some('\'') => end == 0 && rest.split('\'').count() == 3 && rest.ends_with('\''),
        Some('(') => end > 0 && end_of_parenthesis(rest) == Some(rest.len() - 1),
        _ => false,
    }
}

/// Where the parenthesis ends that a text begins with. No template has one within a literal.
fn end_of_parenthesis(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(place, letter)| {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(place)
    })
}

/// So many different expressions of the kinds in turn.
pub(crate) fn expressions(seed: u64, kinds: &[&str], count: usize) -> Vec<String> {
    let mut random = Random(seed);
    let mut made: Vec<String> = Vec::new();
    for kind in kinds.iter().cycle() {
        if made.len() == count {
            break;
        }
        let kind = KINDS.iter().find(|known| known.name == *kind).unwrap();
        let depth = 1 + random.below(3);
        let expression = random.expression(kind, depth);
        if !made.contains(&expression) {
            made.push(expression);
        }
    }
    made
}
