//! When the disk does not play along: it is full, or a folder may not be read.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use crate::binary::{data_files, named_files};
use crate::folder::Folder;

/// Runs the executable behind a shell command that prepares its surroundings.
fn behind(folder: &Folder, prepare: &str, words: &str) -> Output {
    let script = format!("{prepare}; exec \"$KARAT\" {words}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder.root()).env("KARAT", env!("CARGO_BIN_EXE_karat"));
    shell.stdin(Stdio::null()).output().unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A project whose first table needs some hundred kilobytes.
fn project() -> Folder {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "40000", "--days", "4", "--users", "2000"]);
    folder
}

fn check_stopped(folder: &Folder, output: &Output) {
    let said = talk(output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error[storage]"), "{said}");
    assert!(!said.contains("panic"), "{said}");
    assert_eq!(data_files(folder), named_files(folder), "{said}");
    assert!(
        !folder.files("lake").iter().any(|path| path.starts_with("lake/bronze/interactions/_delta_log/")),
        "{said}"
    );
}

#[test]
fn a_file_that_cannot_grow_ends_the_run_and_leaves_nothing_half_built() {
    let folder = project();
    let output = behind(&folder, "trap '' XFSZ; ulimit -f 16", "run --select interactions");
    check_stopped(&folder, &output);
    // With room again, the same command goes through.
    folder.karat(&["run", "--quiet", "--select", "interactions"]);
}

#[test]
fn a_full_disk_ends_the_run_and_says_so() {
    let folder = project();
    fs::create_dir(folder.root().join("lake")).unwrap();
    let disk = "mount -t tmpfs -o size=96k none lake";
    let inside = |words: &str| {
        let mut command = Command::new("unshare");
        let script =
            format!("{disk} || exit 77; \"$KARAT\" {words}; code=$?; find lake -name '*.parquet' | wc -l; exit $code");
        command.args(["-rm", "sh", "-c", &script]).current_dir(folder.root()).env("KARAT", env!("CARGO_BIN_EXE_karat"));
        command.stdin(Stdio::null()).output()
    };
    let Ok(output) = inside("run --select interactions") else {
        eprintln!("SKIPPED: a full disk needs `unshare`");
        return;
    };
    let said = talk(&output);
    let has_started = !matches!(output.status.code(), Some(1 | 77)) || said.contains("error[");
    if !has_started {
        eprintln!("SKIPPED: a full disk needs the right to mount one: {said}");
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error[storage]") && said.contains("disk is full"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "data files were left\n{said}");
}

#[test]
fn a_folder_that_may_not_be_read_is_named() {
    let folder = Folder::with_sample();
    let locked = folder.root().join("models/silver");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let is_all_powerful = fs::read_dir(&locked).is_ok();
    let answer = folder.try_karat(&["ls"]);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    if is_all_powerful {
        eprintln!("SKIPPED: this user may read every folder");
        return;
    }
    assert_eq!(answer.code, 1, "{}", answer.printed);
    assert!(
        answer.printed.contains("error[unreadable-file]") && answer.printed.contains("models"),
        "{}",
        answer.printed
    );
}
