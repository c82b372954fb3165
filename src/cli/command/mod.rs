//! Every command, one file each.

mod backfill;
mod build;
mod chart;
mod clean;
mod clone;
mod compile;
mod completions;
mod demo;
mod deps;
mod diff;
mod docs;
mod doctor;
#[cfg(feature = "cluster")]
mod executor;
mod explain;
mod gc;
mod history;
mod list;
mod migrate;
mod optimize;
mod parse;
mod plan;
mod profile;
mod query;
mod register;
mod restore;
mod retry;
mod run;
mod run_operation;
mod runs;
mod sample_data;
#[cfg(feature = "cluster")]
mod scheduler;
mod seed;
mod snapshot;
mod snapshot_plans;
mod source;
mod status;
mod test;
mod verify;

use clap::builder::Resettable;

use super::app::App;
use super::args::SelectArgs;
use super::exit::Exit;

macro_rules! commands {
    ($($(#[$attribute:meta])* $variant:ident($args:path),)*
     ; cluster: $($(#[$about:meta])* $server:ident: $server_args:path,)*) => {
        #[derive(Debug, clap::Subcommand)]
        #[command(defer = true)]
        pub(crate) enum Command {
            $($(#[$attribute])* $variant($args),)*
            $($(#[$about])* #[cfg(feature = "cluster")] $server($server_args),)*
        }

        impl Command {
            pub fn run(self, app: &App<'_>) -> Exit {
                match self {
                    $(Command::$variant(args) => args.run(app),)*
                    $(#[cfg(feature = "cluster")] Command::$server(args) => args.run(app),)*
                }
            }

            /// The command line with the flags of the command that has this name. Those of the others wait until somebody asks:
            /// forty commands have some five hundred flags, which would be half of the time that `karat ls` takes to begin.
            pub fn with_flags_of(name: &str, root: clap::Command) -> clap::Command {
                // `sample-data` is `SampleData`.
                let letters = name.replace('-', "");
                $(if letters.eq_ignore_ascii_case(stringify!($variant)) {
                    return root.mut_subcommand(name, with_flags::<$args>);
                })*
                $(#[cfg(feature = "cluster")] if name == in_kebab_case(stringify!($server)) {
                    return root.mut_subcommand(name, with_flags::<$server_args>);
                })*
                root
            }
        }
    };
}

/// A command with its flags, which come before those that all commands share, as its help shows them.
fn with_flags<Args: clap::Args>(waiting: clap::Command) -> clap::Command {
    let about = waiting.get_about().cloned();
    Args::augment_args(waiting.defer(|command| command)).about(Resettable::from(about)).long_about(None)
}

impl Command {
    /// Lets a command that builds or tests work on something else. Where it defers to stays as it was.
    pub fn select(&mut self, wanted: Vec<String>) {
        let selected = match self {
            Command::Run(run) => &mut run.what.select,
            Command::Build(build) => &mut build.what.select,
            Command::Seed(seed) => &mut seed.select,
            Command::Snapshot(snapshot) => &mut snapshot.select,
            Command::Test(test) => &mut test.select,
            _ => return,
        };
        *selected = SelectArgs { select: wanted, state: selected.state.take(), ..SelectArgs::default() };
    }
}

commands! {
    /// See karat at work: generate sample data, build and test every model, and show the active users
    Demo(demo::DemoCommand),
    /// Build everything that is out of date
    Run(run::RunCommand),
    /// Show what `run` would build and why, without building anything
    Plan(plan::PlanCommand),
    /// Like `run`, but test every table before it is published
    Build(build::BuildCommand),
    /// Rebuild a range of slices in batches, each with its own commit; rerun it to resume where it stopped
    Backfill(backfill::BackfillCommand),
    /// Load seeds, the CSV files of the project, into their tables
    Seed(seed::SeedCommand),
    /// Take snapshots: keep the versions that the rows of their queries have
    Snapshot(snapshot::SnapshotCommand),
    /// Run the data tests on the current tables
    Test(test::TestCommand),
    /// Prove that incremental equals full refresh: recompute slices and compare
    Verify(verify::VerifyCommand),
    /// Check the whole project and write rendered SQL and plans to target/compiled, without reading data
    Compile(compile::CompileCommand),
    /// Read the project and check its names, configs and templates
    Parse(parse::ParseCommand),
    /// Check and fetch the packages of the project
    Deps(deps::DepsCommand),
    /// Say what of a dbt project runs as it is, what differs, and what must be edited
    Migrate(migrate::MigrateCommand),
    /// Do again what the last command did not finish
    Retry(retry::RetryCommand),
    /// Say how fresh sources are, or declare files as a source
    Source(source::SourceCommand),
    /// Write a page of the project, and manifest.json and catalog.json, which other tools read
    Docs(docs::DocsCommand),
    /// Call a macro, and show what it says
    RunOperation(run_operation::RunOperationCommand),
    /// Compare the compiled models with the plans kept in the folder `plans`
    SnapshotPlans(snapshot_plans::SnapshotPlansCommand),
    /// List the selected models
    #[command(visible_alias = "list")]
    Ls(list::ListCommand),
    /// Show rows of a model
    Show(query::ShowCommand),
    /// Draw the charts of a model, in the terminal or as SVG
    Chart(chart::ChartCommand),
    /// Show statistics of the columns of a model
    Profile(profile::ProfileCommand),
    /// Query the tables with SQL, as `ref('model')` or `schema.table`
    Query(query::QueryCommand),
    /// Print statements that make the tables visible in another engine
    Register(register::RegisterCommand),
    /// Write a file of views with which DuckDB opens the tables
    Attach(register::AttachCommand),
    /// Show how fresh, complete and tested every model is
    Status(status::StatusCommand),
    /// List what runs have done, or show one of them
    Runs(runs::RunsCommand),
    /// List the versions of a table
    History(history::HistoryCommand),
    /// Copy tables of another target, as it has released them, into this one
    Clone(clone::CloneCommand),
    /// Compare two states of a table: targets, releases or versions
    Diff(diff::DiffCommand),
    /// Restore an old version of a table as its newest
    Restore(restore::RestoreCommand),
    /// Put small files of tables together, without a change of their rows
    Optimize(optimize::OptimizeCommand),
    /// Remove old files that no version or release needs any longer
    Gc(gc::GcCommand),
    /// Generate the note-taking app's CSV files at any size, dirty records included, from a seed
    SampleData(sample_data::SampleDataCommand),
    /// Check versions, machine, project, source files and lake
    #[command(alias = "debug")]
    Doctor(doctor::DoctorCommand),
    /// Explain an error code and how to fix it
    Explain(explain::ExplainCommand),
    /// Remove compiled files and artifacts
    Clean(clean::CleanCommand),
    /// Print completions for a shell
    Completions(completions::CompletionsCommand),
    ; cluster:
    /// Run the scheduler of a cluster, which gives the work of builds to executors
    Scheduler: scheduler::SchedulerCommand,
    /// Run an executor of a cluster, which does the work that a scheduler gives it
    Executor: executor::ExecutorCommand,
}
