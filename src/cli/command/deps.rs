//! `karat deps`: are the packages here that the project lists, as they are locked?

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::Sink;
use crate::pipeline::{self, DepsRequest, NewPackage, PackageSource};
use crate::span::SourceFiles;

/// Compares the packages of `packages.yml` and `dependencies.yml` with `package-lock.yml` and with what lies in the project,
/// fetches packages of git repositories that are missing, and writes the lock file. A package that was edited is reported
/// and left alone.
#[derive(Debug, clap::Args)]
pub(crate) struct DepsCommand {
    /// Ask every repository for the newest commit of its revision
    #[arg(long)]
    upgrade: bool,
    /// Write the lock file for what lies here, and fetch no files
    #[arg(long, conflicts_with = "upgrade")]
    lock: bool,
    /// Add a package to `packages.yml` first
    #[arg(long, value_name = "PACKAGE[@VERSION]")]
    add_package: Option<String>,
    /// Where the added package comes from
    #[arg(long, value_name = "SOURCE", default_value = "hub", value_parser = ["hub", "git", "local"])]
    source: String,
    #[command(flatten)]
    project: ProjectArgs,
}

impl DepsCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let workspace = app.workspace(&self.project);
        let mut sink = Sink::default();
        let mut files = SourceFiles::default();
        if let Some(package) = self.add_package.as_deref().map(NewPackage::parse) {
            let added =
                pipeline::add_package(&workspace, &package, PackageSource::named(&self.source), &mut files, &mut sink);
            app.tell(&mut sink, &files)?;
            let path = added.map_err(|_reported| Exit::Failed)?;
            let text = format!("added {} to {path}", package.name);
            app.console.say("added", &text, json!({"package": package.name, "path": path}));
        }
        let request = DepsRequest { upgrade: self.upgrade, lock_only: self.lock, vars: self.project.vars.as_deref() };
        let report = pipeline::deps(&workspace, request, &mut files, &mut sink);
        let report = report.map_err(|_reported| app.tell(&mut sink, &files).err().unwrap_or(Exit::Failed))?;
        for package in &report.packages {
            app.console.say("package", &package.to_text(), package.to_json());
        }
        for folder in &report.unlisted {
            let text = format!("  {:12} {folder:24} in no list, and read all the same", "not listed");
            app.console.say("package", &text, json!({"folder": folder, "state": "not listed"}));
        }
        let is_well = !sink.has_errors() && report.is_well();
        app.tell(&mut sink, &files)?;
        app.console.say("summary", &report.summary(), report.summary_json());
        Ok(if is_well { Exit::Done } else { Exit::Failed })
    }
}
