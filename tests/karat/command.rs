//! A command line of a transcript: karat, or one of the few commands that arrange a case.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::karat;

/// What a command line printed, and its exit code.
pub(crate) struct Done {
    pub(crate) printed: String,
    pub(crate) code: u8,
}

/// Runs a command line in a folder; the error says why it is none.
pub(crate) fn run(line: &str, folder: &Path) -> Result<Done, String> {
    let words = words(line)?;
    let is_assignment = |word: &&String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
    };
    let assigned: Vec<&String> = words.iter().take_while(is_assignment).collect();
    let variables: BTreeMap<String, String> = assigned
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match &words[assigned.len()..] {
        [program, rest @ ..] if program == "karat" => {
            let answer = karat(folder, &variables, rest);
            Ok(Done { printed: answer.printed, code: answer.code })
        }
        rest => {
            arrange(rest, folder).map_err(|message| format!("`{line}`: {message}"))?;
            Ok(Done { printed: String::new(), code: 0 })
        }
    }
}

/// The commands that arrange a case. Paths are relative to its folder.
fn arrange(words: &[String], folder: &Path) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["rm", path] if folder.join(path).is_dir() => fs::remove_dir_all(folder.join(path)),
        ["rm", path] => fs::remove_file(the_one(folder, path)?),
        ["mkdir", path] => fs::create_dir_all(folder.join(path)),
        ["cp", from, to] => {
            crate::folder::copy(&the_one(folder, from)?, &folder.join(to));
            Ok(())
        }
        ["mv", from, to] => fs::rename(the_one(folder, from)?, folder.join(to)),
        ["write", path, text] => fs::write(the_one(folder, path)?, bytes(text)?),
        ["append", path, text] => {
            let path = the_one(folder, path)?;
            let mut whole = fs::read(&path).map_err(|error| error.to_string())?;
            whole.extend(bytes(text)?);
            fs::write(path, whole)
        }
        ["age", path, days] => age(&folder.join(path), days),
        ["link", target, path] => link(target, &folder.join(path)),
        ["ls", path] => return Err(format!("`ls {path}` is no command here; ask karat")),
        _ => return Err("no such command; there are karat, rm, mkdir, cp, mv, write, append, age and link".to_owned()),
    };
    done.map_err(|error| error.to_string())
}

/// The path that is meant: a `*` in its name stands for what a case cannot know, and must fit exactly one.
fn the_one(folder: &Path, path: &str) -> Result<PathBuf, String> {
    let whole = folder.join(path);
    let (Some(parent), Some((before, after))) = (whole.parent(), path.rsplit('/').next().unwrap().split_once('*'))
    else {
        return Ok(whole);
    };
    let entries = fs::read_dir(parent).map_err(|error| error.to_string())?;
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let fitting: Vec<String> = names.filter(|name| name.starts_with(before) && name.ends_with(after)).collect();
    match fitting.as_slice() {
        [one] => Ok(parent.join(one)),
        _ => Err(format!("`{path}` fits {} files and not one", fitting.len())),
    }
}

/// Makes every file of a folder so many days older.
fn age(folder: &Path, days: &str) -> std::io::Result<()> {
    let days: u64 = days.parse().map_err(std::io::Error::other)?;
    let mut files = Vec::new();
    crate::folder::walk(folder, &mut files);
    for file in files {
        let file = fs::File::options().append(true).open(file)?;
        file.set_modified(file.metadata()?.modified()? - std::time::Duration::from_secs(days * 86_400))?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_target: &str, _path: &Path) -> std::io::Result<()> {
    Err(std::io::Error::other("links need a Unix"))
}

/// `\n` is a line end, `\xFF` a byte.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut done = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'\\', [b'n', after @ ..]) => {
                done.push(b'\n');
                after
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).map_err(|error| error.to_string())?;
                done.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?);
                after
            }
            (other, after) => {
                done.push(*other);
                after
            }
        };
    }
    Ok(done)
}

/// Cuts a command line into words as a shell does: blanks, single and double quotes, `\` before a quote or a line end.
pub(crate) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None) if letters.peek() == Some(&'\n') => {
                letters.next();
            }
            ('\\', Some('"') | None) if matches!(letters.peek(), Some('"' | '\'' | '\\')) => {
                word.get_or_insert_default().extend(letters.next());
            }
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if quote.is_some() { Err(format!("`{line}`: a quote is not closed")) } else { Ok(words) }
}

#[test]
fn a_command_line_is_cut_as_a_shell_does() {
    let line = "karat query \"select 'a' as \\\"b\\\"\nfrom c\" --x '{a: \"1\"}' \\\n ''";
    let expected = ["karat", "query", "select 'a' as \"b\"\nfrom c", "--x", "{a: \"1\"}", ""];
    assert_eq!(words(line).unwrap(), expected);
    assert!(words("karat 'x").is_err());
    assert_eq!(bytes("a\\n\\xffb\\y").unwrap(), b"a\n\xffb\\y");
}
