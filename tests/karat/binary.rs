//! Smoke tests of the real executable: what cannot be seen in process.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::folder::Folder;

/// The executable, in a folder.
pub(crate) fn executable(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_karat"));
    command.current_dir(folder.root()).stdin(Stdio::null()).env("NO_COLOR", "1").envs(folder.variables());
    command
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_exit_code_tells_a_wrong_project_from_a_wrong_command_line() {
    let folder = Folder::new();
    let code = |words: &[&str]| executable(&folder).args(words).output().unwrap().status.code();
    assert_eq!(code(&["ls"]), Some(1));
    assert_eq!(code(&["lss"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
}

#[test]
fn the_version_is_data() {
    let output = executable(&Folder::new()).arg("--version").output().unwrap();
    let expected = concat!("karat ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), talk(&output).as_str()), (expected, ""));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::with_sample();
    let query = ["query", "select 1 as id"];
    let csv = ["query", "select 1 as id", "--output=csv"];
    for words in [&["ls", "--quiet"][..], &["ls", "--help"], &query, &csv] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = executable(&folder).args(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert!(!talk(&output).contains("panic"), "{}", talk(&output));
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    }
}

/// A full disk behind `>` is told by every command that answers: half of the data must not pass for all of it.
#[cfg(target_os = "linux")]
#[test]
fn data_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\n");
    folder.write("models/orders.sql", "{{ config(materialized='table') }}\nselect 1 as id\n");
    folder.karat(&["run", "--quiet"]);
    let commands: [&[&str]; 14] = [
        &["--help"],
        &["--version"],
        &["ls"],
        &["plan"],
        &["compile", "--select", "orders"],
        &["explain"],
        &["explain", "storage"],
        &["completions", "bash"],
        &["history", "orders"],
        &["history", "orders", "--output", "json"],
        &["show", "orders", "--live"],
        &["query", "select 1 as id", "--output", "csv"],
        &["query", "select 1 as id", "--output", "parquet"],
        &["doctor"],
    ];
    for words in commands {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = executable(&folder).args(words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{words:?}: {}", talk(&output));
        let told = talk(&output);
        assert!(told.contains("error[storage]: the output cannot be written: No space left"), "{words:?}: {told}");
    }
}

#[test]
fn an_argument_that_is_not_utf_8_is_an_error_and_no_panic() {
    let folder = Folder::with_sample();
    let output = executable(&folder).arg("ls").arg(OsStr::from_bytes(b"--select=\xff")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(!talk(&output).contains("panic"), "{}", talk(&output));
}

#[test]
fn a_run_that_is_stopped_leaves_no_version_and_no_file() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "200000", "--days", "60", "--users", "500"]);
    let mut run = executable(&folder);
    run.args(["run", "--log-format", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let (mut line, mut said) = (String::new(), String::new());
    while !is_started(&line, "interactions") {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap() > 0, "the run ended before it could be stopped:\n{said}");
        said.push_str(&line);
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    talk.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");

    let files = folder.files("lake");
    let is_version = |path: &&String| path.starts_with("lake/bronze/interactions/_delta_log/");
    assert_eq!(files.iter().find(is_version), None, "{said}");
    assert_eq!(data_files(&folder), named_files(&folder), "{said}");

    folder.karat(&["run", "--quiet", "--select", "+fct_interactions"]);
    assert!(folder.files("lake").iter().any(|path| path.starts_with("lake/silver/fct_interactions/_delta_log/")));
}

fn is_started(line: &str, model: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|event| event["event"] == "started" && event["model"] == model)
}

/// The data files that lie in the lake.
pub(crate) fn data_files(folder: &Folder) -> BTreeSet<String> {
    folder.files("lake").into_iter().filter(|path| path.ends_with(".parquet")).collect()
}

/// The data files that a version names.
pub(crate) fn named_files(folder: &Folder) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for log in folder.files("lake").iter().filter(|path| path.contains("/_delta_log/") && path.ends_with(".json")) {
        let table = log.split("/_delta_log/").next().unwrap();
        let actions = fs::read_to_string(folder.root().join(log)).unwrap();
        let actions = actions.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        named.extend(
            actions.filter_map(|action| Some(format!("{table}/{}", unescaped(action["add"]["path"].as_str()?)))),
        );
    }
    named
}

/// Paths in a log are URLs: `%20` is a blank.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}
