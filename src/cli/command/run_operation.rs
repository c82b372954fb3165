//! `karat run-operation`: call a macro.

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::Sink;
use crate::pipeline::Operation;

/// Calls a macro, and shows what it says by `log()` and `print()`. Nothing is written: a macro that makes or changes tables
/// is an error.
#[derive(Debug, clap::Args)]
pub(crate) struct RunOperationCommand {
    /// The macro: `name`, or `package.name`
    #[arg(value_name = "MACRO")]
    macro_name: String,
    /// Its arguments, as a mapping in YAML or JSON
    #[arg(long, value_name = "YAML")]
    args: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

impl RunOperationCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(app.load_and_compile(&self.project).and_then(|compiled| {
            let operation = Operation { macro_name: &self.macro_name, arguments: self.args.as_deref() };
            let mut files = compiled.loaded.files.clone();
            let mut sink = Sink::default();
            let said = operation.messages(&compiled, &mut files, &mut sink);
            app.tell(&mut sink, &files)?;
            let said = said.map_err(|_reported| Exit::Failed)?;
            said.iter().for_each(|message| app.console.show(&format!("{message}\n")));
            Ok(Exit::Done)
        }))
    }
}
