//! What hands that know dbt type: flags that mean nothing here are taken with one note, and flags may stand in the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::diag::all_of;
use crate::project::dbt_flags::{IGNORED, IGNORED_WITH_VALUE, OF_ENVIRONMENT, OFF, REFUSED, refused_in};

/// A command line as karat has it, and what to say of what was left out.
#[derive(Debug)]
pub(super) struct Translated {
    pub args: Vec<OsString>,
    pub note: Option<String>,
    /// The name of the command.
    pub command: String,
}

/// The command line without what means nothing here, and with what the environment adds.
///
/// # Errors
///
/// Returns a usage error for a flag that would change the rows.
pub(super) fn translate(
    args: Vec<OsString>,
    variables: &BTreeMap<String, String>,
    command: &Command,
) -> Result<Translated, clap::Error> {
    let mut kept: Vec<OsString> = Vec::with_capacity(args.len());
    let mut left_out: Vec<String> = Vec::new();
    let mut rest = args.into_iter().peekable();
    while let Some(arg) = rest.next() {
        let Some(flag) = arg.to_str().and_then(flag_of) else {
            kept.push(arg);
            continue;
        };
        let Flag { name, has_value } = flag;
        if is_known(command, &kept, name) {
            kept.push(arg);
        } else if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            return Err(refusal(&format!("--{name}"), instead));
        } else if OFF.contains(&name) {
            continue;
        } else if is_ignored(name) {
            left_out.push(format!("--{name}"));
        } else if IGNORED_WITH_VALUE.contains(&name) {
            left_out.push(format!("--{name}"));
            if !has_value {
                rest.next_if(|value| !value.to_string_lossy().starts_with('-'));
            }
        } else {
            kept.push(arg);
        }
    }
    refuse_environment(&kept, variables, command)?;
    add_environment(&mut kept, variables, command);
    let note = (!left_out.is_empty()).then(|| note(&left_out));
    let command = sub_command(command, &kept).map_or_else(String::new, |(_, found)| found.get_name().to_owned());
    Ok(Translated { args: kept, note, command })
}

/// What to write for a model that stands on the command line by itself.
pub(super) fn tip(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_selection = error.kind() == ErrorKind::UnknownArgument && !word.starts_with('-');
    is_selection.then(|| format!("models are selected with a flag: '--select {word}'"))
}

fn note(left_out: &[String]) -> String {
    let verb = if left_out.len() == 1 { "does" } else { "do" };
    format!("{} {verb} nothing here", all_of(left_out.iter().map(String::as_str)))
}

struct Flag<'a> {
    name: &'a str,
    has_value: bool,
}

/// `--name`, `--name=value`, and the short forms that only dbt has.
fn flag_of(arg: &str) -> Option<Flag<'_>> {
    if arg == "-x" {
        return Some(Flag { name: "fail-fast", has_value: false });
    }
    let long = arg.strip_prefix("--").filter(|name| !name.is_empty())?;
    Some(match long.split_once('=') {
        Some((name, _)) => Flag { name, has_value: true },
        None => Flag { name: long, has_value: false },
    })
}

fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name) || name.strip_prefix("no-").is_some_and(|plain| IGNORED.contains(&plain))
}

/// Whether the command that was typed has such a flag itself.
fn is_known(command: &Command, typed: &[OsString], name: &str) -> bool {
    let has = |command: &Command| command.get_arguments().any(|argument| argument.get_long() == Some(name));
    has(command) || sub_command(command, typed).is_some_and(|(_, found)| has(found))
}

/// The sub-command among the words, and where it stands.
fn sub_command<'a>(command: &'a Command, typed: &[OsString]) -> Option<(usize, &'a Command)> {
    let words = typed.iter().enumerate().skip(1);
    words.filter_map(|(index, word)| Some((index, command.find_subcommand(word.to_str()?)?))).next()
}

/// What changes rows is refused in the environment too, by commands that build.
fn refuse_environment(
    args: &[OsString],
    variables: &BTreeMap<String, String>,
    command: &Command,
) -> Result<(), clap::Error> {
    let builds = sub_command(command, args).is_some_and(|(_, found)| ["build", "run"].contains(&found.get_name()));
    let mut refused = refused_in(variables).filter(|found| builds && !is_known(command, args, found.flag));
    refused.next().map_or(Ok(()), |found| Err(refusal(&found.name, found.instead)))
}

fn refusal(name: &str, instead: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::UnknownArgument, format!("`{name}` is not available: {instead}\n"))
}

fn add_environment(args: &mut Vec<OsString>, variables: &BTreeMap<String, String>, command: &Command) {
    let Some((index, found)) = sub_command(command, args) else { return };
    let mut added: Vec<OsString> = Vec::new();
    for (variable, flag, takes_value) in OF_ENVIRONMENT {
        let argument = found.get_arguments().chain(command.get_arguments()).find(|one| one.get_long() == Some(flag));
        let Some(argument) = argument else { continue };
        let value = ["KARAT_", "DBT_"].iter().find_map(|prefix| variables.get(&format!("{prefix}{variable}")));
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if is_typed(args, argument) {
            continue;
        }
        match takes_value {
            true => added.push(format!("--{flag}={}", in_karats_words(flag, value)).into()),
            // Of a flag that switches something off, the variable has the opposite.
            false if is_true(value) != flag.starts_with("no-") => added.push(format!("--{flag}").into()),
            false => {}
        }
    }
    args.splice(index + 1..index + 1, added);
}

/// dbt has more words for the format of its log.
fn in_karats_words<'a>(flag: &str, value: &'a str) -> &'a str {
    match (flag, value) {
        ("log-format", "default" | "debug") => "text",
        _ => value,
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "t", "yes", "y", "on"].contains(&value.to_ascii_lowercase().as_str())
}

/// Whether a flag was typed, in any of its spellings.
fn is_typed(args: &[OsString], argument: &clap::Arg) -> bool {
    let longs = argument.get_long().into_iter().chain(argument.get_all_aliases().unwrap_or_default());
    let longs: Vec<String> = longs.map(|name| format!("--{name}")).collect();
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    args.iter().filter_map(|arg| arg.to_str()).any(|arg| {
        let name = arg.split('=').next().unwrap_or(arg);
        longs.iter().any(|long| long == name) || short.as_deref().is_some_and(|short| arg.starts_with(short))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CommandLine;

    fn translated(line: &str, variables: &[(&str, &str)]) -> (String, Option<String>) {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let command = CommandLine::typed(&args);
        let found = translate(args, &variables, &command).unwrap();
        let words: Vec<&str> = found.args.iter().filter_map(|arg| arg.to_str()).collect();
        (words.join(" "), found.note)
    }

    #[test]
    fn flags_that_mean_nothing_here_are_left_out_with_one_note() {
        let (line, note) =
            translated("karat --no-use-colors compile -x --log-path . --select a --no-defer --log-level=info", &[]);
        assert_eq!(line, "karat compile --select a");
        assert_eq!(translated("karat build -x", &[]).0, "karat build -x");
        let note = note.unwrap();
        assert_eq!(note, "`--no-use-colors`, `--fail-fast`, `--log-path` and `--log-level` do nothing here");
        assert_eq!(translated("karat run -s a", &[]), ("karat run -s a".to_owned(), None));
    }

    #[test]
    fn a_flag_that_would_change_rows_is_refused() {
        let args = ["karat", "test", "--empty"].map(OsString::from).to_vec();
        let error = translate(args, &BTreeMap::new(), &CommandLine::complete()).unwrap_err();
        assert!(error.to_string().contains("karat compile"), "{error}");
        let sample = BTreeMap::from([("DBT_SAMPLE".to_owned(), "3 days".to_owned())]);
        let translated =
            |line: [&str; 2]| translate(line.map(OsString::from).to_vec(), &sample, &CommandLine::complete());
        assert!(translated(["karat", "run"]).unwrap_err().to_string().contains("`DBT_SAMPLE` is not available"));
        assert!(translated(["karat", "ls"]).is_ok());
    }

    #[test]
    fn the_environment_sets_flags_that_were_not_typed() {
        let variables =
            [("DBT_TARGET", "prod"), ("KARAT_THREADS", "4"), ("DBT_FULL_REFRESH", "1"), ("DBT_QUIET", "no")];
        assert_eq!(translated("karat run", &variables).0, "karat run --full-refresh --target=prod --threads=4");
        assert_eq!(translated("karat run -t dev -f", &variables).0, "karat run --threads=4 -t dev -f");
        assert_eq!(translated("karat run --defer", &[("DBT_DEFER", "0")]).0, "karat run --no-defer --defer");
        assert_eq!(translated("karat run", &[("KARAT_DEFER", "true")]).0, "karat run --defer");
        assert_eq!(translated("karat explain", &variables).0, "karat explain");
        assert_eq!(translated("karat ls", &[("DBT_LOG_FORMAT", "debug")]).0, "karat ls --log-format=text");
    }
}
