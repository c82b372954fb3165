//! Where events go: a server or a file (only user of reqwest).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use reqwest::{Client, Url};

use crate::locked::Locked;
use crate::project::Secret;
use crate::store::LocalBackend;

/// One request may take as long as this.
const LONGEST_REQUEST: Duration = Duration::from_secs(2);
/// So long the end of a run waits for events that are still on their way.
const LONGEST_END: Duration = Duration::from_secs(5);

/// Where events go.
#[derive(Debug)]
pub(super) enum Transport {
    Server { url: Url, key: Option<Secret> },
    File(PathBuf),
}

impl Transport {
    /// What the environment says. Returns `None` if it says nothing.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the variables.
    pub fn of(variables: &BTreeMap<String, String>, folder: &Path) -> Result<Option<Self>, String> {
        let given = |name: &str| variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let either = |one: &str, other: &str| given(one).or_else(|| given(other));
        if given("OPENLINEAGE_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let url = either("OPENLINEAGE__TRANSPORT__URL", "OPENLINEAGE_URL");
        let kind = given("OPENLINEAGE__TRANSPORT__TYPE").map(str::to_ascii_lowercase);
        match kind.as_deref() {
            Some("noop") => Ok(None),
            Some("file") => match given("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH") {
                Some(path) => Ok(Some(Transport::File(folder.join(path)))),
                None => Err("`OPENLINEAGE__TRANSPORT__LOG_FILE_PATH` does not name the file".to_owned()),
            },
            None if url.is_none() => Ok(None),
            None | Some("http") => {
                let endpoint = either("OPENLINEAGE__TRANSPORT__ENDPOINT", "OPENLINEAGE_ENDPOINT");
                let key = either("OPENLINEAGE__TRANSPORT__AUTH__API_KEY", "OPENLINEAGE_API_KEY").map(Secret::new);
                server(url, endpoint.unwrap_or("api/v1/lineage"), key).map(Some)
            }
            Some(other) => Err(format!("`OPENLINEAGE__TRANSPORT__TYPE` is `{other}`, and karat has `http` and `file`")),
        }
    }
}

fn server(url: Option<&str>, endpoint: &str, key: Option<Secret>) -> Result<Transport, String> {
    let url = url.ok_or("`OPENLINEAGE_URL` does not name the server")?;
    let whole = format!("{}/{}", url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
    let url = Url::parse(&whole).map_err(|error| format!("`OPENLINEAGE_URL` is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("`OPENLINEAGE_URL` begins with `http://` or `https://`".to_owned());
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err("`OPENLINEAGE_URL` holds no password: `OPENLINEAGE_API_KEY` is sent as a header".to_owned());
    }
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if key.is_some() && url.scheme() == "http" && !is_here {
        return Err("`OPENLINEAGE_API_KEY` is not sent unencrypted to another machine: use `https://`".to_owned());
    }
    Ok(Transport::Server { url, key })
}

/// Delivers events in their order, on a thread of its own.
pub(super) struct EventSender {
    queue: Locked<Option<Sender<String>>>,
    outcome: Locked<Option<Receiver<Result<(), String>>>>,
}

impl EventSender {
    /// # Errors
    ///
    /// Returns an error if the thread cannot be started.
    pub fn start(transport: Transport) -> io::Result<Self> {
        let (queue, events) = mpsc::channel::<String>();
        let (tell, outcome) = mpsc::channel();
        std::thread::Builder::new().name("openlineage".to_owned()).spawn(move || {
            // Nobody may be left to hear of it.
            let _unheard = tell.send(deliver_all(&transport, &events));
        })?;
        Ok(Self { queue: Locked::new(Some(queue)), outcome: Locked::new(Some(outcome)) })
    }

    /// Whether nothing more is sent.
    pub fn is_finished(&self) -> bool {
        self.queue.lock().is_none()
    }

    pub fn send(&self, event: String) {
        if let Some(queue) = &*self.queue.lock() {
            // After a failure nobody takes events any more; the end says so.
            let _untaken = queue.send(event);
        }
    }

    /// Waits until everything is delivered, for a few seconds at most.
    ///
    /// # Errors
    ///
    /// Returns why not everything was delivered.
    pub fn finish(&self) -> Result<(), String> {
        drop(self.queue.lock().take());
        let Some(outcome) = self.outcome.lock().take() else { return Ok(()) };
        match outcome.recv_timeout(LONGEST_END) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the server did not take all events within {} s", LONGEST_END.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the thread that delivers them ended".to_owned()),
        }
    }
}

/// Delivers events until there are no more. After the first that fails no other is tried: a server that is away would delay each.
fn deliver_all(transport: &Transport, events: &Receiver<String>) -> Result<(), String> {
    match transport {
        Transport::File(path) => {
            let folder = LocalBackend::new(path.parent().unwrap_or(Path::new("")).to_path_buf());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for event in events {
                let line = format!("{event}\n");
                folder.append(&name, line.as_bytes()).map_err(|error| format!("`{}`: {error}", path.display()))?;
            }
            Ok(())
        }
        Transport::Server { url, key } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let client = Client::builder().timeout(LONGEST_REQUEST).redirect(reqwest::redirect::Policy::none());
                let client = client.build().map_err(|error| told(&error))?;
                for event in events {
                    let request = client.post(url.clone()).header("content-type", "application/json").body(event);
                    let request = match key {
                        Some(key) => request.bearer_auth(key.expose()),
                        None => request,
                    };
                    let answer = request.send().await.map_err(|error| told(&error))?;
                    if !answer.status().is_success() {
                        return Err(format!("the server answers {}", answer.status()));
                    }
                }
                Ok(())
            })
        }
    }
}

/// An error with its causes, which say what happened, and without the address, which the user knows.
fn told(error: &reqwest::Error) -> String {
    let mut text =
        if error.is_timeout() { "no answer in time".to_owned() } else { "the server cannot be reached".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        cause = source.source();
        if cause.is_none() {
            text.push_str(&format!(": {source}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match Transport::of(&variables, Path::new("/srv/lake")) {
            Ok(None) => "nowhere".to_owned(),
            Ok(Some(Transport::File(path))) => path.display().to_string(),
            Ok(Some(Transport::Server { url, key })) => format!("{url} {}", key.is_some()),
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn the_environment_says_where_events_go() {
        assert_eq!(of(&[]), "nowhere");
        assert_eq!(of(&[("OPENLINEAGE_URL", "https://marquez:5000/")]), "https://marquez:5000/api/v1/lineage false");
        let with_key = [
            ("OPENLINEAGE_URL", "http://localhost:5000"),
            ("OPENLINEAGE_API_KEY", "k"),
            ("OPENLINEAGE_ENDPOINT", "/x"),
        ];
        assert_eq!(of(&with_key), "http://localhost:5000/x true");
        assert_eq!(of(&[("OPENLINEAGE_URL", "https://a"), ("OPENLINEAGE_DISABLED", "true")]), "nowhere");
        let file = [("OPENLINEAGE__TRANSPORT__TYPE", "file"), ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", "events.json")];
        assert_eq!(of(&file), "/srv/lake/events.json");
    }

    #[test]
    fn a_key_is_never_sent_in_clear_to_another_machine() {
        let given = [("OPENLINEAGE_URL", "http://marquez:5000"), ("OPENLINEAGE_API_KEY", "k")];
        assert!(of(&given).contains("unencrypted"), "{}", of(&given));
        assert!(of(&[("OPENLINEAGE_URL", "https://u:p@marquez")]).contains("holds no password"));
        assert!(of(&[("OPENLINEAGE__TRANSPORT__TYPE", "kafka")]).contains("`http` and `file`"));
        assert!(of(&[("OPENLINEAGE_URL", "ftp://a")]).contains("begins with"));
    }
}
