//! Every command, one file each.

mod backfill;
mod build;
mod clean;
mod compile;
mod completions;
mod demo;
mod doctor;
mod explain;
mod gc;
mod history;
mod list;
mod plan;
mod query;
mod restore;
mod run;
mod sample_data;
mod snapshot_plans;
mod test;
mod verify;

use super::app::App;
use super::exit::Exit;

macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident($args:path),)*) => {
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $variant($args),)*
        }

        impl Command {
            pub fn run(self, app: &App<'_>) -> Exit {
                match self { $(Command::$variant(args) => args.run(app),)* }
            }
        }
    };
}

commands! {
    /// See karat at work: generate sample data, build and test every model, and show the active users
    Demo(demo::Demo),
    /// Build everything that is out of date
    Run(run::Run),
    /// Show what `run` would build and why, without building anything
    Plan(plan::Plan),
    /// Like `run`, but test every table before it is published
    Build(build::Build),
    /// Rebuild a range of slices in batches, each with its own commit; rerun it to resume where it stopped
    Backfill(backfill::Backfill),
    /// Run the data tests on the current tables
    Test(test::Test),
    /// Prove that incremental equals full refresh: recompute slices and compare
    Verify(verify::Verify),
    /// Check the whole project and write rendered SQL and plans to target/compiled, without reading data
    Compile(compile::Compile),
    /// Compare the compiled models with the plans kept in the folder `plans`
    SnapshotPlans(snapshot_plans::SnapshotPlans),
    /// List the selected models
    Ls(list::List),
    /// Show rows of a model
    Show(query::Show),
    /// Query the tables with SQL, as `ref('model')` or `schema.table`
    Query(query::Query),
    /// List the versions of a table
    History(history::History),
    /// Restore an old version of a table as its newest
    Restore(restore::Restore),
    /// Remove old files that no version or release needs any longer
    Gc(gc::Gc),
    /// Generate the note-taking app's CSV files at any size, dirty records included, from a seed
    SampleData(sample_data::SampleData),
    /// Check versions, machine, project, source files and lake
    Doctor(doctor::Doctor),
    /// Explain an error code and how to fix it
    Explain(explain::Explain),
    /// Remove the compiled files in target/compiled
    Clean(clean::Clean),
    /// Print completions for a shell
    Completions(completions::Completions),
}
