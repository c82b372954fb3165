//! `karat demo`: the whole way from CSV files to active users, in one command.

use std::path::{Path, PathBuf};

use super::build::build_tested;
use super::chart;
use super::query::{QueryRequest, query};
use super::run::{BuildArgs, at_least_one};
use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::diag::{Code, Diagnostic};
use crate::figures::grouped;
use crate::name::ModelName;
use crate::parallel::cores;
use crate::pipeline::{Compiled, LocalBackend, Shown, Writers, charts_of, find_project};
use crate::sample::{PROJECT_FILES, SampleOptions, what_to_try, write};
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
        let root = self.project(app)?;
        let project =
            ProjectArgs { project_dir: Some(root.clone()), target: self.target.clone(), ..ProjectArgs::default() };
        let loaded = app.load(&project)?;
        // A lake that may not be opened is told before anything is written.
        app.lake(&loaded, Writers::Many)?;
        app.console.chat(&loaded.place());
        write_data(app, &root)?;
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

    /// The project to run: the one around the current folder if it is the sample project, else a fresh copy.
    fn project(&self, app: &App<'_>) -> Result<PathBuf, Exit> {
        if let Some(root) = find_project(&app.world.folder) {
            if root.join("models/gold/daily_active_users.sql").is_file() {
                return Ok(root);
            }
            let message = "this folder is inside a project that is not the sample project";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message)
                .help("call `karat demo` in an empty folder: it writes the sample project to ./karat-demo");
            return Err(app.fail(diagnostic, &SourceFiles::default(), Exit::Failed));
        }
        let root = app.world.folder.join("karat-demo");
        if find_project(&root).is_none() {
            let folder = LocalBackend::new(root.clone());
            for (path, text) in PROJECT_FILES {
                folder.write(path, text.as_bytes()).map_err(|error| cannot_write(app, &root.join(path), &error))?;
            }
            let ignored = "/data/\n/lake/\n/target/\n";
            folder
                .write(".gitignore", ignored.as_bytes())
                .map_err(|error| cannot_write(app, &root.join(".gitignore"), &error))?;
            app.console.chat("wrote the sample project to ./karat-demo");
        }
        Ok(root)
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

fn write_data(app: &App<'_>, root: &Path) -> Result<(), Exit> {
    let data = root.join("data");
    if data.join("manifest.json").is_file() {
        return Ok(());
    }
    let options = SampleOptions { threads: cores(), ..SampleOptions::default() };
    app.console.chat(&format!("writing {} records of sample data to data/", grouped(options.rows)));
    match write(&options, &LocalBackend::new(data.clone())) {
        Ok(_manifest) => Ok(()),
        Err(error) => Err(cannot_write(app, &data, &error)),
    }
}

fn cannot_write(app: &App<'_>, path: &Path, error: &std::io::Error) -> Exit {
    let diagnostic = Diagnostic::error(Code::Storage, format!("`{}` cannot be written: {error}", path.display()));
    app.fail(diagnostic.help("make room or make the folder writable"), &SourceFiles::default(), Exit::Unavailable)
}

fn next(app: &App<'_>, root: &Path, target: Option<&str>) {
    let place = if app.world.folder == root { "" } else { " (in ./karat-demo)" };
    // In a clone of the repository karat is run through cargo.
    let karat = if root.join("Cargo.toml").is_file() { "cargo run -q --" } else { "karat" };
    let target = target.map(|target| format!(" --target {target}")).unwrap_or_default();
    app.console.chat(&format!("\nWhat to try next{place}:\n{}", what_to_try(karat, &target)));
}
