//! How a command ends, for schedulers.

/// If steps end differently, the worst wins: `Failed` over `Unavailable` over `Done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for was done.
    Done,
    /// The project, a model or a test is wrong: trying again changes nothing.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The storage did not answer, or a commit was lost or is unknown: the same command may work later.
    Unavailable,
    /// Stopped by Ctrl-C or another signal to end; nothing half-built is visible.
    Interrupted,
}

impl Exit {
    /// How a command ends some parts of which ended so; `Done` if there are none.
    pub fn worst(parts: impl IntoIterator<Item = Exit>) -> Exit {
        parts.into_iter().fold(Exit::Done, |worst, part| match (worst, part) {
            (Exit::Failed, _) | (_, Exit::Done) => worst,
            (Exit::Done | Exit::Usage | Exit::Unavailable | Exit::Interrupted, part) => part,
        })
    }

    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 3,
            Exit::Interrupted => 130,
        }
    }
}

/// How a command ends that stops at the first thing that is wrong.
pub(crate) fn done(result: Result<Exit, Exit>) -> Exit {
    match result {
        Ok(exit) | Err(exit) => exit,
    }
}
