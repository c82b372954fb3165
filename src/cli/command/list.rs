//! `karat ls`: the selected models.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::name::ModelName;
use crate::pipeline::Loaded;
use crate::template::RenderedModel;

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

/// Lists the selected models in the order in which they are built.
#[derive(Debug, clap::Args)]
pub(crate) struct ListCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// What to show of each model
    #[arg(long, short, value_name = "FORMAT", default_value = "name")]
    output: ListFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

impl ListCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let listed = app.load(&self.project).and_then(|loaded| {
            let selection = app.select(&loaded, &self.select)?;
            Ok((loaded, selection))
        });
        match listed {
            Ok((loaded, selection)) => {
                let names = loaded.dag.models().filter(|name| selection.contains(name));
                let lines = names.filter_map(|name| Some(format!("{}\n", self.line(&loaded, name)?)));
                let text = lines.collect::<String>();
                match self.output {
                    ListFormat::Name | ListFormat::Path => app.console.show(&text),
                    ListFormat::Json => app.console.data(&text),
                }
                Exit::Done
            }
            Err(exit) => exit,
        }
    }

    fn line(&self, loaded: &Loaded, name: &ModelName) -> Option<String> {
        let model = loaded.project.models.get(name)?;
        let rendered = loaded.rendered.get(name)?;
        Some(match self.output {
            ListFormat::Name => name.to_string(),
            ListFormat::Path => model.path.clone(),
            ListFormat::Json => json!({
                "name": name.as_str(),
                "resource_type": "model",
                "path": model.path,
                "table": rendered.table.to_string(),
                "materialized": rendered.config.materialized.word(),
                "tags": rendered.config.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
                "depends_on": depends_on(rendered),
                "description": model.description,
            })
            .to_string(),
        })
    }
}

fn depends_on(rendered: &RenderedModel) -> Vec<String> {
    use crate::template::ReferenceTarget;
    let targets = rendered.full.references.iter().filter_map(|reference| match &reference.target {
        ReferenceTarget::Model(name) => Some(name.to_string()),
        ReferenceTarget::Source(name) => Some(name.to_string()),
        ReferenceTarget::This => None,
    });
    targets.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}
