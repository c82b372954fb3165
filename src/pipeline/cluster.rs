//! The servers of a cluster.

use std::net::IpAddr;
use std::path::PathBuf;

use datafusion::common::DataFusionError;

use crate::cluster::{self, TaskFailure, run_executor, run_scheduler};
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::store::{Lake, temporary_folder};

pub(crate) use crate::cluster::SchedulerSettings;

/// What an executor may use, as a person says it.
pub(crate) struct ExecutorSettings {
    /// `host:port`
    pub scheduler: String,
    pub bind: IpAddr,
    pub port: u16,
    pub advertise: Option<String>,
    pub slots: usize,
    /// Bytes.
    pub memory: usize,
    /// `None` for a temporary folder.
    pub work_dir: Option<PathBuf>,
}

/// Serves as a scheduler until the process is asked to end.
///
/// # Errors
///
/// Returns an error if the address cannot be listened at.
pub(crate) async fn serve_scheduler(settings: SchedulerSettings) -> Result<(), Diagnostic> {
    run_scheduler(settings).await.map_err(|error| failed("the scheduler", &error))
}

/// Serves as an executor over a lake until the process is asked to end.
///
/// # Errors
///
/// Returns an error if there is no scheduler, or an address or a folder cannot be used.
pub(crate) async fn serve_executor(settings: ExecutorSettings, lake: &Lake) -> Result<(), Diagnostic> {
    let address = &settings.scheduler;
    let scheduler = address.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let Some(scheduler) = scheduler else {
        let message = format!("`{address}` is not the address of a scheduler");
        return Err(
            Diagnostic::error(Code::InvalidConfig, message).help("write its host and its port: `10.0.0.5:50050`")
        );
    };
    // What is in a temporary folder goes with it, when the executor has ended.
    let temporary = temporary_folder().map_err(|error| failed("the executor", &error.into()))?;
    let executor = cluster::ExecutorProcess {
        scheduler,
        bind: settings.bind,
        port: settings.port,
        advertise: settings.advertise,
        slots: settings.slots,
        memory: settings.memory,
        work_dir: settings.work_dir.unwrap_or_else(|| temporary.path().to_owned()),
        describe: described,
    };
    run_executor(executor, lake.objects().clone()).await.map_err(|error| failed("the executor", &error))
}

/// What an error of a task means, for the run that waits for it.
fn described(error: &DataFusionError) -> TaskFailure {
    let failure = Failure::from(error);
    let diagnostic = failure.diagnostic();
    TaskFailure {
        code: diagnostic.code.word().to_owned(),
        message: diagnostic.message.clone(),
        notes: diagnostic.notes.clone(),
        helps: diagnostic.helps.clone(),
        may_pass: matches!(failure, Failure::World(_)),
    }
}

fn failed(who: &str, error: &DataFusionError) -> Diagnostic {
    let reason = error.strip_backtrace();
    let reason = reason.strip_prefix("External error: ").unwrap_or(&reason);
    Diagnostic::error(Code::RunFailed, format!("{who} cannot go on: {reason}"))
}
