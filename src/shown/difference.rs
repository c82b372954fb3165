//! How two texts differ, line by line, as a unified diff shows it.

/// A line of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiffLine<'t> {
    /// In both texts.
    Same(&'t str),
    /// Only in the old one.
    Old(&'t str),
    /// Only in the new one.
    New(&'t str),
}

/// Lines that lie close together, and where they begin in the two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hunk<'t> {
    old_start: usize,
    new_start: usize,
    pub lines: Vec<DiffLine<'t>>,
}

/// How many lines that did not change are shown around those that did.
const CONTEXT: usize = 3;

/// The pairs of lines that are compared at most. Plans have a few hundred lines; what is larger was not written by us,
/// and is shown as replaced.
const MOST_PAIRS: usize = 4_000_000;

/// The places where the texts differ; none if they have the same lines. How lines end makes no difference: a checkout
/// may have changed that.
pub(crate) fn hunks<'t>(old: &'t str, new: &'t str) -> Vec<Hunk<'t>> {
    grouped(&compared(old, new))
}

impl Hunk<'_> {
    /// `@@ -3,7 +3,8 @@`: the first line and the number of lines in the old text and in the new one.
    pub fn heading(&self) -> String {
        let side = |start: usize, count: usize| {
            // A side without lines is named by the line before it.
            let first = if count == 0 { start } else { start + 1 };
            if count == 1 { first.to_string() } else { format!("{first},{count}") }
        };
        let old = self.lines.iter().filter(|line| !matches!(line, DiffLine::New(_))).count();
        let new = self.lines.iter().filter(|line| !matches!(line, DiffLine::Old(_))).count();
        format!("@@ -{} +{} @@", side(self.old_start, old), side(self.new_start, new))
    }
}

/// Every line of both texts.
fn compared<'t>(old: &'t str, new: &'t str) -> Vec<DiffLine<'t>> {
    let mut old: Vec<&str> = old.lines().collect();
    let mut new: Vec<&str> = new.lines().collect();
    // What both begin and end with is left out of the quadratic part: edits are small.
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let mut lines: Vec<DiffLine<'_>> = old.drain(..before).map(DiffLine::Same).collect();
    new.drain(..before);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let end = old.split_off(old.len() - after);
    new.truncate(new.len() - after);
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        lines.extend(old.into_iter().map(DiffLine::Old));
        lines.extend(new.into_iter().map(DiffLine::New));
    } else {
        lines.extend(aligned(&old, &new));
    }
    lines.extend(end.into_iter().map(DiffLine::Same));
    lines
}

/// The texts beside each other, so that as many lines as possible are the same: a longest common subsequence, whose way
/// through the table of lengths is walked from its end.
fn aligned<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<DiffLine<'t>> {
    let common = common_lengths(old, new);
    let common = |old: usize, new: usize| common.get(old).and_then(|row| row.get(new)).copied().unwrap_or(0);
    let last = |lines: &[&'t str], count: usize| count.checked_sub(1).and_then(|index| lines.get(index).copied());
    let mut left = old.len();
    let mut right = new.len();
    let mut lines = Vec::new();
    loop {
        match (last(old, left), last(new, right)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(DiffLine::Same(old));
                left -= 1;
                right -= 1;
            }
            (Some(old), Some(_)) if common(left - 1, right) > common(left, right - 1) => {
                lines.push(DiffLine::Old(old));
                left -= 1;
            }
            (_, Some(new)) => {
                lines.push(DiffLine::New(new));
                right -= 1;
            }
            (Some(old), None) => {
                lines.push(DiffLine::Old(old));
                left -= 1;
            }
            (None, None) => break,
        }
    }
    lines.reverse();
    lines
}

/// For each number of first lines of both texts, the length of their longest common subsequence.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut above = vec![0; new.len() + 1];
    let mut rows = Vec::with_capacity(old.len() + 1);
    for line in old {
        let mut row = Vec::with_capacity(new.len() + 1);
        row.push(0);
        let mut left = 0;
        for ((diagonal, above), other) in above.iter().zip(above.iter().skip(1)).zip(new) {
            left = if line == other { diagonal + 1 } else { left.max(*above) };
            row.push(left);
        }
        rows.push(std::mem::replace(&mut above, row));
    }
    rows.push(above);
    rows
}

/// The lines that changed, with what stands around them.
fn grouped<'t>(lines: &[DiffLine<'t>]) -> Vec<Hunk<'t>> {
    let mut hunks: Vec<Hunk<'t>> = Vec::new();
    let mut open: Option<Hunk<'t>> = None;
    // Lines that did not change, since the last one that did.
    let mut quiet: Vec<&'t str> = Vec::new();
    let mut old = 0;
    let mut new = 0;
    for line in lines {
        if let DiffLine::Same(text) = line {
            quiet.push(text);
            old += 1;
            new += 1;
            continue;
        }
        // Hunks whose context would touch become one, as in `diff -u`.
        let is_far = quiet.len() > 2 * CONTEXT;
        if let Some(hunk) = open.take_if(|_| is_far) {
            hunks.push(closed(hunk, &quiet));
        }
        let shown = if open.is_some() { quiet.len() } else { quiet.len().min(CONTEXT) };
        let hunk =
            open.get_or_insert_with(|| Hunk { old_start: old - shown, new_start: new - shown, lines: Vec::new() });
        hunk.lines.extend(quiet.drain(..).rev().take(shown).collect::<Vec<_>>().into_iter().rev().map(DiffLine::Same));
        hunk.lines.push(*line);
        match line {
            DiffLine::Old(_) => old += 1,
            _ => new += 1,
        }
    }
    hunks.extend(open.map(|hunk| closed(hunk, &quiet)));
    hunks
}

/// With the lines behind its last change.
fn closed<'t>(mut hunk: Hunk<'t>, behind: &[&'t str]) -> Hunk<'t> {
    hunk.lines.extend(behind.iter().take(CONTEXT).map(|line| DiffLine::Same(line)));
    hunk
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let mut text = String::new();
        for hunk in hunks(&old.replace(' ', "\n"), &new.replace(' ', "\n")) {
            text.push_str(&format!("{}\n", hunk.heading()));
            for line in hunk.lines {
                text.push_str(&match line {
                    DiffLine::Same(line) => format!(" {line}\n"),
                    DiffLine::Old(line) => format!("-{line}\n"),
                    DiffLine::New(line) => format!("+{line}\n"),
                });
            }
        }
        text
    }

    #[test]
    fn a_changed_line_is_shown_with_three_around_it() {
        assert_eq!(
            shown("a b c d e f g h i", "a b c d X f g h i"),
            "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n"
        );
    }

    #[test]
    fn changes_far_from_each_other_are_two_hunks() {
        let (old, new) = ("1 2 3 4 5 6 7 8 9", "X 2 3 4 5 6 7 8 9 Y");
        assert_eq!(shown(old, new), "@@ -1,4 +1,4 @@\n-1\n+X\n 2\n 3\n 4\n@@ -7,3 +7,4 @@\n 7\n 8\n 9\n+Y\n");
        assert_eq!(shown("1 2 3 4 5 6 7 8", "X 2 3 4 5 6 7 Y").matches("@@ -").count(), 1);
    }

    #[test]
    fn a_side_without_lines_is_named_by_the_line_before() {
        assert_eq!(shown("", "a b"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(shown("a", ""), "@@ -1 +0,0 @@\n-a\n");
    }

    #[test]
    fn how_lines_end_makes_no_difference() {
        assert_eq!(hunks("a\r\nb\r\n", "a\nb"), []);
    }

    #[test]
    fn what_is_too_large_to_be_compared_is_replaced() {
        let (old, new) = ("a\n".repeat(3_000), format!("b\n{}c\n", "a\n".repeat(2_000)));
        let lines = compared(&old, &new);
        assert_eq!(lines.len(), 5_002);
        assert!(!lines.iter().any(|line| matches!(line, DiffLine::Same(_))));
    }

    proptest! {
        /// The lines give both texts back, and as many as possible are the same.
        #[test]
        fn every_line_of_both_texts_is_there_once(
            old in proptest::collection::vec("[abc]", 0..12),
            new in proptest::collection::vec("[abc]", 0..12),
        ) {
            let (old_text, new_text) = (old.join("\n"), new.join("\n"));
            let lines = compared(&old_text, &new_text);
            let side = |wanted: fn(&DiffLine<'_>) -> bool| {
                lines.iter().filter(|line| wanted(line)).map(|line| match line {
                    DiffLine::Same(text) | DiffLine::Old(text) | DiffLine::New(text) => (*text).to_owned(),
                }).collect::<Vec<_>>()
            };
            prop_assert_eq!(side(|line| !matches!(line, DiffLine::New(_))), old.clone());
            prop_assert_eq!(side(|line| !matches!(line, DiffLine::Old(_))), new.clone());
            prop_assert_eq!(side(|line| matches!(line, DiffLine::Same(_))).len(), most_in_common(&old, &new));
        }
    }

    /// The same by trying all ways.
    fn most_in_common(old: &[String], new: &[String]) -> usize {
        let (Some((first, old_rest)), Some((other, new_rest))) = (old.split_first(), new.split_first()) else {
            return 0;
        };
        if first == other {
            return 1 + most_in_common(old_rest, new_rest);
        }
        most_in_common(old_rest, new).max(most_in_common(old, new_rest))
    }
}
