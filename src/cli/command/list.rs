//! `karat ls`: what is selected.

use crate::check::StoredByDefault;
use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs, TestArgs};
use crate::cli::exit::{Exit, done};
use crate::name::NodeKind;
use crate::pipeline::{ListedNode, StoppedModels};
use crate::select::kinds_named;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum ListFormat {
    /// Their names
    #[default]
    Name,
    /// Paths of their files
    Path,
    /// One JSON object per line
    Json,
}

/// Lists the selected models, seeds and snapshots in the order in which they are built.
#[derive(Debug, clap::Args)]
pub(crate) struct ListCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// What to list [default: models, seeds and snapshots, and the kinds that a selector names, as `exposure:` does]
    #[arg(long, value_name = "TYPE", num_args = 1.., help_heading = "Selection", value_parser = kind_words())]
    resource_type: Vec<String>,
    #[command(flatten)]
    tests: TestArgs,
    /// What to show of each
    #[arg(long, short, value_name = "FORMAT", default_value = "name")]
    output: ListFormat,
    /// With `--output json`: only these keys
    #[arg(long, value_name = "KEY", num_args = 1..)]
    output_keys: Vec<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

const ALL_KINDS: &str = "all";

/// dbt's words for the kinds of nodes.
fn kind_words() -> clap::builder::PossibleValuesParser {
    NodeKind::ALL.into_iter().map(NodeKind::word).chain([ALL_KINDS]).collect::<Vec<_>>().into()
}

impl ListCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let kinds = self.kinds();
        if kinds.contains(&NodeKind::Test) {
            let (compiled, guards) = app.checks(app.load_and_compile(&self.project)?, StoredByDefault::default())?;
            app.warn_of_others(&compiled.loaded, &compiled.faults, &StoppedModels::default())?;
            let selected = app.select_tests(&compiled, &self.select, self.tests, &guards)?;
            let mut listed = compiled.loaded.listed(&selected.selection, &kinds);
            listed.extend(compiled.loaded.listed_tests(&selected.guards));
            self.show(app, &listed);
        } else {
            let loaded = app.load(&self.project)?;
            let selection = app.select(&loaded, &self.select)?;
            self.show(app, &loaded.listed(&selection, &kinds));
        }
        Ok(Exit::Done)
    }

    fn show(&self, app: &App<'_>, listed: &[ListedNode<'_>]) {
        let mut text = String::new();
        for item in listed {
            match self.output {
                ListFormat::Name => text.push_str(&item.name()),
                ListFormat::Path => text.push_str(item.path()),
                ListFormat::Json => text.push_str(&item.json_with(&self.output_keys).to_string()),
            }
            text.push('\n');
        }
        match self.output {
            ListFormat::Name | ListFormat::Path => app.console.show(&text),
            ListFormat::Json => app.console.data(&text),
        }
    }

    fn kinds(&self) -> Vec<NodeKind> {
        if self.resource_type.is_empty() {
            let named = kinds_named(&self.select.select);
            return NodeKind::BUILT.into_iter().chain(named).collect();
        }
        let is_asked = |word: &str| self.resource_type.iter().any(|asked| asked == word || asked == ALL_KINDS);
        NodeKind::ALL.into_iter().filter(|kind| is_asked(kind.word())).collect()
    }
}
