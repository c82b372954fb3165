//! `karat completions`: completions for a shell.

use clap_complete::Shell;

use crate::cli::CommandLine;
use crate::cli::app::App;
use crate::cli::exit::Exit;

/// Writes the completions for a shell to stdout: `karat completions bash > /etc/bash_completion.d/karat`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::complete(), "karat", &mut text);
        app.console.data(&String::from_utf8_lossy(&text));
        Exit::Done
    }
}
