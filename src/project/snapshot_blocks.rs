//! The blocks `{% snapshot name %} … {% endsnapshot %}` of a file.

use std::ops::Range;

/// One block, by its places in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotBlock {
    pub name: Range<usize>,
    /// What is between its tags.
    pub body: Range<usize>,
}

/// Why blocks do not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SnapshotBlockFault {
    NoName {
        tag: Range<usize>,
    },
    NeverClosed {
        tag: Range<usize>,
    },
    /// A block begins within another one.
    Nested {
        outer: Range<usize>,
        inner: Range<usize>,
    },
    /// An end where no block is open.
    NotOpen {
        tag: Range<usize>,
    },
}

/// The blocks of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SnapshotBlocks {
    pub blocks: Vec<SnapshotBlock>,
    pub fault: Option<SnapshotBlockFault>,
    /// The first text outside of the blocks that is no comment.
    pub outside: Option<Range<usize>>,
}

/// A `{% … %}`, a `{{ … }}` or a comment.
struct BlockTag<'a> {
    place: Range<usize>,
    /// The first word of a statement; empty for anything else.
    word: &'a str,
    /// The place of the second word.
    name: Option<Range<usize>>,
    is_comment: bool,
}

/// Finds the blocks, up to the first fault.
pub(super) fn snapshot_blocks(text: &str) -> SnapshotBlocks {
    let mut found = SnapshotBlocks::default();
    let mut open: Option<(Range<usize>, SnapshotBlock)> = None;
    let mut at = 0;
    while let Some(tag) = next_tag(text, at) {
        if open.is_none() {
            found.notice_outside(text, at..tag.place.start);
        }
        at = tag.place.end;
        match (tag.word, open.take()) {
            ("snapshot", None) => {
                let Some(name) = tag.name else { return found.with(SnapshotBlockFault::NoName { tag: tag.place }) };
                let body = at..at;
                open = Some((tag.place, SnapshotBlock { name, body }));
            }
            ("snapshot", Some((outer, _))) => {
                return found.with(SnapshotBlockFault::Nested { outer, inner: tag.place });
            }
            ("endsnapshot", Some((_, block))) => {
                let body = block.body.start..tag.place.start;
                found.blocks.push(SnapshotBlock { body, ..block });
            }
            ("endsnapshot", None) => return found.with(SnapshotBlockFault::NotOpen { tag: tag.place }),
            // What is in a raw block is no template.
            ("raw", before) => {
                open = before;
                at = end_of_raw(text, at);
            }
            (_, before) => {
                if before.is_none() && !tag.is_comment {
                    found.outside.get_or_insert(tag.place);
                }
                open = before;
            }
        }
    }
    match open {
        Some((tag, _)) => found.with(SnapshotBlockFault::NeverClosed { tag }),
        None => {
            found.notice_outside(text, at..text.len());
            found
        }
    }
}

/// The text with blanks in the place of everything but the body, as a comment that also trims the body.
pub(super) fn only_body(text: &str, body: &Range<usize>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    // Lines stay lines.
    let before = bytes.get_mut(..body.start).unwrap_or_default();
    before.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    write_ends(before, b"{#", b"-#}");
    let after = bytes.get_mut(body.end..).unwrap_or_default();
    after.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    write_ends(after, b"{#-", b"#}");
    String::from_utf8(bytes).unwrap_or_default()
}

/// A text of [`only_body`] without the comments around the body.
pub(super) fn without_fillers(text: &str) -> &str {
    let begin = text.strip_prefix("{#").and_then(|rest| rest.split_once("-#}"));
    let text = begin.filter(|(filler, _)| filler.trim().is_empty()).map_or(text, |(_, rest)| rest);
    let end = text.strip_suffix("#}").and_then(|rest| rest.rsplit_once("{#-"));
    end.filter(|(_, filler)| filler.trim().is_empty()).map_or(text, |(rest, _)| rest)
}

/// Writes over both ends of a text. A tag of a block is longer than both together.
fn write_ends(bytes: &mut [u8], first: &[u8], last: &[u8]) {
    let Some(end) = bytes.len().checked_sub(last.len()).filter(|end| *end >= first.len()) else { return };
    bytes.iter_mut().zip(first).for_each(|(byte, written)| *byte = *written);
    bytes.iter_mut().skip(end).zip(last).for_each(|(byte, written)| *byte = *written);
}

impl SnapshotBlocks {
    fn with(self, fault: SnapshotBlockFault) -> SnapshotBlocks {
        SnapshotBlocks { fault: Some(fault), ..self }
    }

    fn notice_outside(&mut self, text: &str, place: Range<usize>) {
        let between = text.get(place.clone()).unwrap_or_default();
        let trimmed = between.trim_start();
        // A line of SQL that is a comment says nothing either.
        let is_comment = trimmed.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with("--"));
        if !is_comment {
            let start = place.start + between.len() - trimmed.len();
            let line = trimmed.lines().next().map_or(0, |line| line.trim_end().len());
            self.outside.get_or_insert(start..start + line);
        }
    }
}

/// The next tag at or after a place. Returns `None` if there is none that ends.
fn next_tag(text: &str, from: usize) -> Option<BlockTag<'_>> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.find('{')?;
        let closing = match text.as_bytes().get(start + 1) {
            Some(b'#') => {
                let end = start + text.get(start..)?.find("#}")? + 2;
                return Some(BlockTag { place: start..end, word: "", name: None, is_comment: true });
            }
            Some(b'%') => "%}",
            Some(b'{') => "}}",
            Some(_) | None => {
                at = start + 1;
                continue;
            }
        };
        let end = end_of_tag(text, start + 2, closing)?;
        let inside = start + 2..end - 2;
        let mut words = words(text, inside).into_iter();
        let word = words.next().and_then(|word| text.get(word)).filter(|_| closing == "%}").unwrap_or_default();
        return Some(BlockTag { place: start..end, word, name: words.next(), is_comment: false });
    }
}

/// Where a tag ends whose inside begins at `from`: quotes may hold what would end it.
fn end_of_tag(text: &str, from: usize, closing: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (offset, letter) in text.get(from..)?.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            None if text.get(from + offset..)?.starts_with(closing) => return Some(from + offset + closing.len()),
            None => {}
        }
    }
    None
}

/// The first two words of a tag, without the signs that trim blanks.
fn words(text: &str, inside: Range<usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Option<usize> = None;
    for (offset, letter) in text.get(inside.clone()).unwrap_or_default().char_indices() {
        let is_letter = letter.is_alphanumeric() || letter == '_';
        match open {
            None if is_letter => open = Some(inside.start + offset),
            Some(start) if !is_letter => {
                found.push(start..inside.start + offset);
                open = None;
            }
            None | Some(_) => {}
        }
        if found.len() == 2 {
            break;
        }
    }
    found.extend(open.filter(|_| found.len() < 2).map(|start| start..inside.end));
    found
}

/// The place behind `{% endraw %}`.
fn end_of_raw(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{%")) {
        let inside = at + found + 2;
        let Some(end) = end_of_tag(text, inside, "%}") else { break };
        let first = words(text, inside..end - 2).into_iter().next();
        if first.and_then(|word| text.get(word)) == Some("endraw") {
            return end;
        }
        at = inside;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and bodies, then what is wrong.
    fn found(text: &str) -> String {
        let SnapshotBlocks { blocks, fault, outside } = snapshot_blocks(text);
        let written = |place: Range<usize>| text.get(place).unwrap();
        let mut told: Vec<String> =
            blocks.into_iter().map(|block| format!("{}={}", written(block.name), written(block.body))).collect();
        told.extend(fault.map(|fault| match fault {
            SnapshotBlockFault::NoName { tag } => format!("no name: {}", written(tag)),
            SnapshotBlockFault::NeverClosed { tag } => format!("never closed: {}", written(tag)),
            SnapshotBlockFault::Nested { inner, .. } => format!("nested: {}", written(inner)),
            SnapshotBlockFault::NotOpen { tag } => format!("not open: {}", written(tag)),
        }));
        told.extend(outside.map(|place| format!("outside: {}", written(place))));
        told.join("; ")
    }

    #[test]
    fn a_file_may_have_several_blocks() {
        assert_eq!(
            found("{% snapshot a %}x{% endsnapshot %}\n{%- snapshot b_2 -%} y {%- endsnapshot -%}\n"),
            "a=x; b_2= y "
        );
        assert_eq!(
            found("{# {% snapshot c %} #}-- note\n{% snapshot d %}{{ f('%}') }}{% endsnapshot %}"),
            "d={{ f('%}') }}"
        );
        assert_eq!(
            found("{% snapshot e %}{% raw %}{% endsnapshot %}{% endraw %}{% endsnapshot %}"),
            "e={% raw %}{% endsnapshot %}{% endraw %}"
        );
        assert_eq!(found("{% snapshot f %}{% if a %}b{% endif %}{% endsnapshot %}"), "f={% if a %}b{% endif %}");
    }

    #[test]
    fn blocks_that_do_not_fit_are_found() {
        assert_eq!(found("{% snapshot %}x{% endsnapshot %}"), "no name: {% snapshot %}");
        assert_eq!(found("{% snapshot a %}x"), "never closed: {% snapshot a %}");
        assert_eq!(found("{% snapshot a %}{% snapshot b %}"), "nested: {% snapshot b %}");
        assert_eq!(found("x {% endsnapshot %}"), "not open: {% endsnapshot %}; outside: x");
        assert_eq!(found("select 1\n{% snapshot a %}{% endsnapshot %}"), "a=; outside: select 1");
        assert_eq!(found("{{ config() }}{% snapshot a %}{% endsnapshot %}"), "a=; outside: {{ config() }}");
    }

    #[test]
    fn the_body_stays_where_it_is() {
        let text = "-- é\n{% snapshot a %} body {% endsnapshot %}\nx";
        let blocks = snapshot_blocks(text).blocks;
        let body = blocks[0].body.clone();
        let only = only_body(text, &body);
        assert_eq!(only.len(), text.len());
        assert_eq!(only.get(body.clone()), Some(" body "));
        let before = only.get(..body.start).unwrap();
        let after = only.get(body.end..).unwrap();
        assert_eq!(without_fillers(&only), " body ");
        assert!(before.starts_with("{#") && before.ends_with("-#}"), "{only}");
        assert!(after.starts_with("{#-") && after.ends_with("#}"), "{only}");
    }
}
