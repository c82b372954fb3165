//! Takes out of what karat prints what is never twice the same: times, sizes, random names, versions and places.

use std::path::Path;

/// Words before a version number.
const VERSIONED: [&str; 7] = ["karat", "datafusion", "arrow", "parquet", "delta", "delta_kernel", "rust"];

/// Keys of JSON objects whose number is redacted.
const JSON_KEYS: [(&str, &str); 3] = [("milliseconds", "[time]"), ("elapsed", "[time]"), ("bytes", "[bytes]")];

/// The text as a transcript has it.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    let folder = folder.to_str().unwrap();
    text.replace(folder, "[folder]").lines().map(line).collect::<Vec<_>>().join("\n")
}

fn line(text: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let follows_word = done.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_' || last == '.');
        let found = if follows_word { None } else { redaction(rest, &done) };
        match found {
            Some((length, word)) => {
                // A figure is set flush right, so the blanks before it depend on it.
                let is_figure = matches!(word, "[time]" | "[bytes]");
                if is_figure && done.ends_with("  ") && !done.trim_end().is_empty() {
                    done.truncate(done.trim_end().len());
                    done.push(' ');
                }
                done.push_str(word);
                rest = rest.split_at(length).1;
            }
            None => {
                done.push(letter);
                rest = rest.split_at(letter.len_utf8()).1;
            }
        }
    }
    done
}

/// How many bytes are to be replaced here, and by what.
fn redaction(rest: &str, before: &str) -> Option<(usize, &'static str)> {
    moment(rest)
        .or_else(|| identity(rest, before))
        .or_else(|| version(rest, before))
        .or_else(|| json_number(rest, before))
        .or_else(|| figure(rest))
}

/// The clock's time in a run's name, `20260131T235959.123456`, or written out, `2026-01-31 23:59:59`. The data of the cases
/// is from an earlier year.
fn moment(rest: &str) -> Option<(usize, &'static str)> {
    let is_now = rest.get(..4)?.parse::<u32>().is_ok_and(|year| year > 2024);
    let like = |pattern: &str| {
        let same = |(wanted, found): (char, char)| if wanted == '0' { found.is_ascii_digit() } else { wanted == found };
        rest.len() >= pattern.len() && pattern.chars().zip(rest.chars()).all(same)
    };
    let patterns = ["00000000T000000.000000", "0000-00-00 00:00:00", "0000-00-00T00:00:00"];
    let found = patterns.into_iter().find(|pattern| is_now && like(pattern))?;
    Some((found.len(), "[moment]"))
}

/// Operators of the engine that run several times side by side, and are numbered.
const SIDE_BY_SIDE: [&str; 3] = ["Stream[", "Exec[", "Input["];

/// A UUID, sixteen or more hexadecimal digits, or the number of a memory consumer.
fn identity(rest: &str, before: &str) -> Option<(usize, &'static str)> {
    if before.ends_with('#') {
        let digits = count(rest, |letter| letter.is_ascii_digit());
        return (digits > 0 && rest.split_at(digits).1.starts_with("(can spill")).then_some((digits, "[id]"));
    }
    if SIDE_BY_SIDE.iter().any(|operator| before.ends_with(operator)) {
        let digits = count(rest, |letter| letter.is_ascii_digit());
        return (digits > 0).then_some((digits, "id"));
    }
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let length = count(rest, |letter| is_hex(letter) || letter == '-');
    let parts: Vec<usize> = rest.split_at(length).0.split('-').map(str::len).collect();
    if parts == [8, 4, 4, 4, 12] {
        return Some((length, "[id]"));
    }
    let length = count(rest, is_hex);
    let (digits, after) = rest.split_at(length);
    let mixed = digits.contains(|letter: char| letter.is_ascii_digit()) && digits.contains(char::is_alphabetic);
    let ends = !after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    // Sixteen random digits may be numbers by chance.
    let is_file = before.rsplit(['/', ' ', '`', '"']).next().is_some_and(|word| word.starts_with("part-"));
    (length >= 16 && (mixed || is_file) && ends).then_some((length, "[id]"))
}

/// Three numbers with dots between them, after the name of a program.
fn version(rest: &str, before: &str) -> Option<(usize, &'static str)> {
    let length = count(rest, |letter| letter.is_ascii_digit() || letter == '.');
    let numbers = rest.split_at(length).0.split('.').filter(|number| !number.is_empty()).count();
    let word = before.trim_end_matches([' ', '/', ':', 'v', '`']);
    let word = word.rsplit([' ', '`', '"', '(']).next().unwrap_or("").to_lowercase();
    (numbers == 3 && VERSIONED.contains(&word.as_str())).then_some((length, "[version]"))
}

/// The number after `"bytes":` and the like.
fn json_number(rest: &str, before: &str) -> Option<(usize, &'static str)> {
    let key = before.trim_end().strip_suffix("\":")?;
    let (_, word) = JSON_KEYS.iter().find(|(known, _)| key.ends_with(&format!("\"{known}")))?;
    let length = count(rest, |letter| letter.is_ascii_digit() || letter == '.');
    (length > 0).then_some((length, word))
}

/// `1.23 s`, `2 m 05 s`, `17 ms`; `12 B`, `1.5 MB`. A round number of seconds or megabytes is no measurement.
fn figure(rest: &str) -> Option<(usize, &'static str)> {
    let whole = count(rest, |letter| letter.is_ascii_digit());
    let after = rest.split_at(whole).1;
    let decimals = after.strip_prefix('.').map_or(0, |after| count(after, |letter| letter.is_ascii_digit()));
    if whole == 0 {
        return None;
    }
    let length = if decimals > 0 { whole + 1 + decimals } else { whole };
    let after = rest.split_at(length).1;
    let blanks = usize::from(after.starts_with(' '));
    let after = after.split_at(blanks).1;
    let letters = count(after, char::is_alphabetic);
    let (unit, after) = after.split_at(letters);
    let minutes = || {
        let seconds = count(after.strip_prefix(' ')?, |letter| letter.is_ascii_digit());
        after.split_at(seconds + 1).1.starts_with(" s").then_some(seconds + 3)
    };
    match (unit, decimals > 0) {
        ("s" | "ms" | "µs" | "us" | "ns", true) | ("ms" | "µs" | "us" | "ns", false) => {
            Some((length + blanks + unit.len(), "[time]"))
        }
        ("cores", false) => Some((length + blanks + unit.len(), "[cores]")),
        ("m", false) => Some((length + blanks + unit.len() + minutes()?, "[time]")),
        ("B", _) | ("kB" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB", true) => {
            Some((length + blanks + unit.len(), "[bytes]"))
        }
        _ => None,
    }
}

/// How many bytes of letters like this the text begins with.
fn count(text: &str, like: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !like(letter)).unwrap_or(text.len())
}

#[test]
fn what_changes_from_run_to_run_is_redacted_and_the_rest_is_not() {
    let redacted = |text| redact(text, Path::new("/somewhere/else"));
    for (text, expected) in [
        ("built  a      12 rows   1.5 kB    0.03 s", "built  a      12 rows [bytes] [time]"),
        ("built in 2 m 05 s", "built in [time]"),
        ("ok  machine  2 cores, 8.1 GB", "ok  machine  [cores], [bytes]"),
        ("at /somewhere/else/lake", "at [folder]/lake"),
        ("part-0123456789abcdef0123-1.parquet", "part-[id]-1.parquet"),
        ("day=1/part-[id]-0-0123456701234567.parquet", "day=1/part-[id]-0-[id].parquet"),
        ("karat 0.1.0 on DataFusion 55.2.0", "karat [version] on DataFusion [version]"),
        ("{\"bytes\":812,\"rows\":812,\"milliseconds\":7}", "{\"bytes\":[bytes],\"rows\":812,\"milliseconds\":[time]}"),
        ("app 5.7.3, 30 minutes, 800MB, day 2023-01-31, id 12", "app 5.7.3, 30 minutes, 800MB, day 2023-01-31, id 12"),
        ("20260131T235959.123456  2026-01-31 23:59:59  2023-01-31 23:59:59", "[moment]  [moment]  2023-01-31 23:59:59"),
        ("AggregateStream[1] and [1]", "AggregateStream[id] and [1]"),
        ("Sort#17(can spill: false) consumed 2.0 MB", "Sort#[id](can spill: false) consumed [bytes]"),
    ] {
        assert_eq!(redacted(text), expected);
    }
}
