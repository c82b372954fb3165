//! The page of events lists all that `--log-format json` says, and nothing else.

use std::collections::BTreeSet;
use std::fs;

use crate::folder::repository;
use crate::source_text::source_files;

/// The words with which an event is said, and the place of its name behind them.
const CALLS: [&str; 2] = [".say(", ".line("];

/// The name that stands first among the arguments of a call.
fn first_text(arguments: &str) -> Option<&str> {
    arguments.trim_start().strip_prefix('"')?.split('"').next()
}

fn said() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["diagnostic".to_owned()]);
    for file in source_files().iter().filter(|file| !file.is_test()) {
        let text = file.text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for call in CALLS {
            names.extend(text.split(call).skip(1).filter_map(first_text).map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_page_of_events_has_each_of_them() {
    let page = fs::read_to_string(repository().join("docs/events.md")).unwrap();
    let (page, _) = page.split_once("## Metrics").unwrap();
    let listed: BTreeSet<String> =
        page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned())).collect();
    assert_eq!(listed, said(), "left: docs/events.md, right: what the source says");
}
