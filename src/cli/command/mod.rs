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
    /// Show karat at work: sample data, all models with their tests, and the active users in the terminal
    Demo(demo::DemoCommand),
    /// Build what is not up to date
    Run(run::RunCommand),
    /// Show what run would build, and why, without building it
    Plan(plan::PlanCommand),
    /// Like run, but every table is tested before anybody can see it
    Build(build::BuildCommand),
    /// Rebuild a range of slices in batches, each of which commits alone; called again, it goes on where it stopped
    Backfill(backfill::BackfillCommand),
    /// Run the data tests on the tables as they are
    Test(test::TestCommand),
    /// Show that incremental equals full refresh: compute slices again, and compare
    Verify(verify::VerifyCommand),
    /// Check the whole project and write rendered SQL and plans to target/compiled; reads no data
    Compile(compile::CompileCommand),
    /// Compare what models compile to with the plans that are kept in the folder plans
    SnapshotPlans(snapshot_plans::SnapshotPlansCommand),
    /// List the selected models
    Ls(list::ListCommand),
    /// Show rows of a model
    Show(query::ShowCommand),
    /// Run SQL over the tables: `ref('model')` or `schema.table`
    Query(query::QueryCommand),
    /// List the versions of a table
    History(history::HistoryCommand),
    /// Make an old version of a table its newest
    Restore(restore::RestoreCommand),
    /// Remove old files that no version or release needs any more
    Gc(gc::GcCommand),
    /// Write the note-taking app's CSV files at any size, dirt included, from a seed
    SampleData(sample_data::SampleDataCommand),
    /// Check project, target and versions
    Doctor(doctor::DoctorCommand),
    /// Tell what an error code means and how to fix it
    Explain(explain::ExplainCommand),
    /// Remove the target folder with compiled files
    Clean(clean::CleanCommand),
    /// Write the completions for a shell
    Completions(completions::CompletionsCommand),
}
