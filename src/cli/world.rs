//! What a command line sees of the world around it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use crate::pipeline::Storage;

/// The current folder, the environment and the terminal: given, so that a test can give its own.
#[derive(Debug, Clone)]
pub struct World {
    /// The current folder.
    pub folder: PathBuf,
    /// The file of the program, if that can be told: what one build of it has found out, another does not believe.
    pub program: Option<PathBuf>,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// Whether a person watches the talk.
    pub terminal: bool,
    /// Whether a person watches the data.
    pub data_terminal: bool,
    /// The width of the terminal, in characters.
    pub width: usize,
    /// What stands between karat and the objects of a lake.
    pub storage: Storage,
}

impl World {
    /// The world of this process. Variables that are not UTF-8 are left out: no name or value of ours is such.
    pub(super) fn of_process() -> World {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let width = usize::from(terminal_size::terminal_size().map_or(100, |(width, _)| width.0));
        World {
            // One that has been removed has no name.
            folder: std::env::current_dir().unwrap_or_else(|_| ".".into()),
            program: std::env::current_exe().ok(),
            variables: variables.collect(),
            terminal: std::io::stderr().is_terminal(),
            data_terminal: std::io::stdout().is_terminal(),
            width,
            storage: Storage::default(),
        }
    }

    /// Whether colour is wanted where this is: on a terminal, unless `NO_COLOR` is set or it is a dumb one.
    pub(super) fn colour(&self, on_terminal: bool) -> bool {
        let set = |name: &str| self.variables.get(name).is_some_and(|value| !value.is_empty());
        on_terminal && !set("NO_COLOR") && self.variables.get("TERM").is_none_or(|term| term != "dumb")
    }
}
