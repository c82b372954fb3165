//! The library: what karat does, as functions that neither print nor block, and know no command line.
//!
//! ```text
//!  Workspace ──▶ load ──▶ compile ──▶ observe ──▶ plan ──▶ run ──▶ Done
//!                             │          └──────▶ query, test, verify
//!                             └─▶ Compilation: what could be made of a broken project
//! ```
//!
//! A [`Compilation`] holds what could be made of a project, broken or not: every model that is well, and every
//! diagnostic of the others. An editor asks for one with each key that is pressed, over an
//! [`Overlay`](crate::host::Overlay) of the texts that are not saved yet. What touches a lake is async and ends when it is
//! dropped: files that were not committed are then removed. The command line is one client of this module; [`Session`] is
//! the door for others.

#![warn(missing_docs)]

mod artifacts;
mod charts;
mod clone;
mod clone_totals;
#[cfg(feature = "cluster")]
mod cluster;
mod collection_text;
mod compilation;
mod compiled_files;
mod defer;
mod demo;
mod diagnosis;
mod diff;
mod engine;
mod failure_place;
mod failing_rows;
mod faults;
mod findings;
mod freshness;
mod garbage;
mod generated_test;
mod history;
mod history_rows;
mod hooks;
mod introspection;
mod kept_plans;
mod kept_types;
mod lake;
mod listing;
mod load;
mod migration;
mod openlineage;
mod operation;
mod optimize;
mod other_kinds;
mod packages;
mod planning;
mod preview;
mod profile;
mod query;
mod recorder;
mod register;
mod retry;
mod run_counts;
mod run_metrics;
mod run_records;
mod run_results;
mod run_rows;
mod run_text;
mod selected_tests;
mod session;
mod site;
mod site_server;
mod source_completion;
mod source_inference;
mod status;
mod source_buckets;
mod state;
mod storage;
mod test_texts;
mod testing;
mod unit_tests;
mod verification;
mod verification_summary;

pub use crate::analyze::lineage::{ColumnLineage, ColumnUse, Origin, OutputColumn};
pub(crate) use crate::catalog::{Catalog, ObservationScope, Shown, observe};
pub use crate::delta::Version;
pub(crate) use crate::incremental::Refresh;
pub(crate) use crate::plan::UpkeepOptions;
pub(crate) use crate::register::{QueryEngine, Registration};
pub(crate) use crate::run::{Done, Estimate, RunContext, RunIdentity, RunPace, Standing};
pub(crate) use crate::run::{FileSum, Optimized, OptimizedFiles};
pub(crate) use crate::store::{Health, HealthFinding, KeptRuns, Lake, LocalBackend, Restoration, Restored};
pub(crate) use crate::table::{Conversions, SliceSet};
pub(crate) use artifacts::{ArtifactRequest, Artifacts, remove_artifacts};
pub(crate) use charts::{ChartDrawer, ChartFiles, PlannedChart, charts_of, scope_of_charts};
pub(crate) use clone::{CloneOutcome, CloneRequest, ClonedTable, clone_tables};
pub(crate) use clone_totals::CloneTotals;
#[cfg(feature = "cluster")]
pub(crate) use cluster::{ExecutorSettings, SchedulerSettings, serve_executor, serve_scheduler};
pub(crate) use collection_text::RemovedObjects;
pub use compilation::{Compilation, ModelColumn, compile};
pub(crate) use compiled_files::{explained, write_compiled};
pub(crate) use defer::DeferRequest;
pub(crate) use demo::{DemoProject, write_demo_data};
pub(crate) use diagnosis::{disk_finding, lake_findings, project_finding, source_findings, version_finding};
pub(crate) use diff::{ComparedFacts, DiffRequest, DiffSide, TableMoment, TablePlace};
pub(crate) use engine::{EngineLimits, open_engine};
pub(crate) use faults::{Faults, StoppedModels, Workable};
pub(crate) use findings::verification_diagnostics;
pub(crate) use freshness::{FreshnessAnswer, Questions};
pub(crate) use garbage::GarbageCollection;
pub(crate) use generated_test::{GeneratedTestRequest, generate_test};
pub(crate) use history::{RestoreReport, TableHistory, history, refused_restore, restore};
pub(crate) use hooks::{RunMoment, run_hooks};
pub(crate) use kept_plans::{
    ComparedPlan, PLANS_FOLDER, PlanStanding, accept_plans, compare_plans, kept_plans, path_of_plan, text_of_plan,
};
pub(crate) use kept_types::compile_known_models;
pub(crate) use lake::LakeOpener;
pub use lake::Writers;
pub(crate) use listing::ListedNode;
pub use load::Workspace;
pub(crate) use load::{Compiled, EditedText, Loaded, compile_models, find_project, load, plan_checks};
pub(crate) use migration::{EditedFile, Migration};
pub(crate) use openlineage::LineageEvents;
pub(crate) use operation::Operation;
pub(crate) use optimize::PlannedUpkeep;
pub(crate) use other_kinds::other_kinds;
pub(crate) use packages::{DepsRequest, NewPackage, PackageSource, add_package, deps};
pub(crate) use planning::{BuildRequest, Planned, PlannedBackfill};
pub(crate) use preview::WantedSlice;
pub(crate) use profile::{ProfileRequest, Profiler};
pub(crate) use query::{Query, Rows};
pub(crate) use recorder::RunRecorder;
pub(crate) use register::{RegisterRequest, registration, write_statements};
pub(crate) use retry::Retry;
pub(crate) use run_counts::RunCounts;
pub(crate) use run_records::{EndedRun, RunEnd, runs, runs_named};
pub(crate) use run_results::RecordedRun;
pub(crate) use run_rows::rows_of_runs;
pub(crate) use run_text::run_text;
pub(crate) use selected_tests::TestedSelection;
pub use session::{BuildStatus, BuildSummary, ModelBuild, Plan, Session, SessionError, SessionOptions};
pub(crate) use site::SeenLake;
pub(crate) use site_server::{SiteAddress, SiteServer};
pub(crate) use source_completion::{CompletedSources, EditedProperties};
pub(crate) use source_inference::InferenceRequest;
pub(crate) use status::{ModelStatus, rows_of_status, status};
pub use storage::Storage;
pub(crate) use testing::{TestReport, TestTotals, test};
pub(crate) use unit_tests::run_unit_tests;
pub(crate) use verification::{Verification, verify};
pub(crate) use verification_summary::VerificationSummary;
