//! `karat demo`: the whole way from CSV files to active users, in one command.

use std::path::Path;

use super::build::build_tested;
use super::chart;
use super::query::{QueryRequest, query};
use super::run::{BuildArgs, at_least_one};
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::name::ModelName;
use crate::pipeline::{Compiled, DemoProject, Shown, Writers, charts_of, write_demo_data};
use crate::sample::what_to_try;
use crate::shown::row_table;
use crate::span::SourceFiles;
use crate::terminal::Tone;

/// Writes the sample data if it is not there, builds all models with their tests, and shows daily and monthly active
/// users. Outside a project it writes the sample project to ./karat-demo first.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoCommand {
    /// The target to use, one of the project's: `minio` puts the tables into a bucket
    #[arg(long, short, help_heading = "Project")]
    target: Option<String>,
    /// Models to build in parallel [default: 2]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    threads: Option<usize>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl DemoCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let refuse = |fault| app.fail(fault, &SourceFiles::default(), Exit::Failed);
        let DemoProject { root, is_new } = DemoProject::find_or_write(&app.world.folder).map_err(refuse)?;
        if is_new {
            app.console.chat("wrote the sample project to ./karat-demo");
        }
        let project =
            ProjectArgs { project_dir: Some(root.clone()), target: self.target.clone(), ..ProjectArgs::default() };
        let loaded = app.load(&project)?;
        // A lake that may not be opened is told before anything is written.
        app.lake(&loaded, Writers::Many)?;
        app.console.chat(&loaded.place());
        let say = |text: &str| app.console.chat(text);
        let no_room = |fault| app.fail(fault, &SourceFiles::default(), Exit::Unavailable);
        write_demo_data(&root, &say).map_err(no_room)?;
        let select = SelectArgs::default();
        let args = BuildArgs {
            project: project.clone(),
            select,
            threads: self.threads,
            engine: self.engine.clone(),
            ..BuildArgs::default()
        };
        let exit = build_tested(app, &args);
        if exit != Exit::Done {
            return Ok(exit);
        }
        let compiled = app.whole(app.load_and_compile(&project)?)?;
        self.show(app, &compiled)?;
        next(app, &root, self.target.as_deref());
        Ok(Exit::Done)
    }

    fn show(&self, app: &App<'_>, compiled: &Compiled) -> Result<(), Exit> {
        // Whoever has edited the sample project may have no such chart.
        let model = ModelName::parse("daily_active_users").expect("the name is valid");
        if let Ok(charts) = charts_of(compiled, &model, Some(model.as_str())) {
            let drawn = chart::draw(app, compiled, &charts, Shown::Released, &self.engine)?;
            app.console.show("\n");
            chart::show(app, &drawn);
        }
        let monthly = "select month, mau, round(avg_dau, 1) as avg_dau, round(100 * stickiness, 1) as stickiness_percent \
                       from {{ ref('monthly_active_users') }} order by month";
        let months = query(app, compiled, all_rows(monthly), &self.engine)?;
        app.console.show(&format!("\n{}\n", app.console.paint_data(Tone::Strong, "Monthly active users")));
        let table = row_table(&months.schema, &months.batches).unwrap_or_default();
        app.console.show(&table);
        Ok(())
    }
}

fn all_rows(sql: &str) -> QueryRequest<'_> {
    QueryRequest { sql, limit: 0, shown: Shown::Released }
}

fn next(app: &App<'_>, root: &Path, target: Option<&str>) {
    let place = if app.world.folder == root { "" } else { " (in ./karat-demo)" };
    // In a clone of the repository karat is run through cargo.
    let karat = if root.join("Cargo.toml").is_file() { "cargo run -q --" } else { "karat" };
    let target = target.map(|target| format!(" --target {target}")).unwrap_or_default();
    app.console.chat(&format!("\nWhat to try next{place}:\n{}", what_to_try(karat, &target)));
}
