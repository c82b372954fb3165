//! `karat executor`: carries out the work that a scheduler gives it, over the lake of a target.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs};
use crate::cli::exit::Exit;
use crate::parallel::cores;
use crate::pipeline::{ExecutorSettings, Writers, serve_executor};

/// The lake is that of the project's target, with this machine's own credentials.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecutorCommand {
    #[command(flatten)]
    project: ProjectArgs,
    /// The scheduler
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    scheduler: String,
    /// Address to listen at, at two ports: for rows, and the next one for tasks
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The first of the two ports
    #[arg(long, default_value_t = 50051)]
    port: u16,
    /// Name or address at which the others find it [default: that of --bind]
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// Tasks that run at once, each with its share of the memory [default: one per core]
    #[arg(long, value_name = "N")]
    slots: Option<usize>,
    /// Folder for rows between stages [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl ExecutorCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let ExecutorCommand { project, scheduler, bind, port, advertise, slots, work_dir, engine } = self;
        let lake = match app.load(&project).and_then(|loaded| app.lake(&loaded, Writers::Many)) {
            Ok(lake) => lake,
            Err(exit) => return exit,
        };
        let slots = slots.unwrap_or_else(cores).max(1);
        let text = format!("executor of {scheduler} at {bind}:{port} with {slots} slots; Ctrl-C ends it");
        app.console.say("executor", &text, json!({"port": port, "slots": slots}));
        let memory = engine.memory();
        let settings = ExecutorSettings { scheduler, bind, port, advertise, slots, memory, work_dir };
        app.served(serve_executor(settings, &lake))
    }
}
