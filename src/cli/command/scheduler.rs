//! `karat scheduler`: gives the work of builds to executors.

use std::net::IpAddr;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::pipeline::{SchedulerSettings, serve_scheduler};

/// There is no authentication: whoever reaches the port can read and write what the executors may.
#[derive(Debug, clap::Args)]
pub(crate) struct SchedulerCommand {
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Port to listen at
    #[arg(long, default_value_t = 50050)]
    port: u16,
}

impl SchedulerCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let SchedulerCommand { bind, port } = self;
        app.console.say("scheduler", &format!("scheduler at {bind}:{port}; Ctrl-C ends it"), json!({"port": port}));
        app.served(serve_scheduler(SchedulerSettings { bind, port }))
    }
}
