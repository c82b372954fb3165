//! `karat explain`: what an error code means.

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::diag::{Code, Diagnostic};
use crate::span::SourceFiles;

/// Tells what an error code means, why it matters and how to fix it. Without a code, lists them all.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainCommand {
    /// The word in brackets after `error`, such as unknown-ref
    code: Option<String>,
}

impl ExplainCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let Some(word) = self.code else {
            let lines = Code::ALL.iter().map(|code| format!("{:24} {}\n", code.word(), code.summary()));
            app.console.data(&lines.collect::<String>());
            return Exit::Done;
        };
        match Code::parse(&word) {
            Some(code) => {
                app.console.data(code.page());
                Exit::Done
            }
            None => {
                let known = Code::ALL.iter().map(|code| code.word());
                let diagnostic = Diagnostic::error(Code::InvalidName, format!("no error has the code `{word}`"));
                let diagnostic = diagnostic.suggest(&word, known).help("`karat explain` lists all codes");
                app.fail(diagnostic, &SourceFiles::default(), Exit::Usage)
            }
        }
    }
}
