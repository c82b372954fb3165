//! The documentation page, served on this machine and made again when the lake has changed.
//!
//! Two things go on side by side: one looks at the lake as long as somebody asks, the other answers. Requests are so simple that
//! they are read here: GET or HEAD, no body, one answer for each connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::load::Compiled;
use super::site::SeenLake;
use crate::check::Guards;
use crate::diag::{Code, Diagnostic};
use crate::execute::Engine;
use crate::locked::Locked;
use crate::site::{PageData, PageUse, page};
use crate::store::Lake;

/// How long the lake is left alone after a look.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// So long somebody may take to say what they want, and to take it.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);
/// A longer request is none.
const LARGEST_REQUEST: usize = 16 * 1024;
/// So many are answered at the same time.
const AT_ONCE: usize = 32;

/// What serves the page.
pub(crate) struct SiteServer<'a> {
    pub compiled: &'a Compiled,
    pub guards: &'a Guards,
    pub lake: &'a Lake,
    pub engine: &'a Engine,
    /// A text without what nobody may see.
    pub hide: &'a (dyn Fn(&str) -> String + Sync),
}

/// Where it is reached.
pub(crate) struct SiteAddress {
    listener: TcpListener,
    address: SocketAddr,
    /// The name or number that was asked for.
    host: String,
}

/// The page as it was last made.
#[derive(Debug, Clone)]
struct ServedPage {
    /// What the page calls what it shows.
    state: String,
    html: String,
}

/// What is shown, and whether somebody wants to know of changes.
#[derive(Default)]
struct ServedSite {
    page: Locked<Option<ServedPage>>,
    /// Why there is no newer page.
    fault: Locked<Option<String>>,
    is_asked: Notify,
}

impl SiteAddress {
    /// Takes a port of this machine. Within a runtime.
    ///
    /// # Errors
    ///
    /// Returns what to say if the port cannot be had.
    pub async fn bind(host: &str, port: u16) -> Result<Self, Diagnostic> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let taken = |error: io::Error| {
            let message = format!("port {port} of `{host}` cannot be used: {error}");
            Diagnostic::error(Code::Storage, message).help("name another with `--port`; 0 takes one that is free")
        };
        let listener = TcpListener::bind((bare, port)).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        Ok(Self { listener, address, host: bare.to_owned() })
    }

    /// As a browser wants it.
    pub fn url(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("http://{host}:{}/", self.address.port())
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Whether a request means this server: a page of somebody else's may have led a browser here under another name.
    fn is_meant(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_known = ["localhost", "127.0.0.1", "::1"].contains(&name) || name.eq_ignore_ascii_case(&self.host);
        is_known && port == Some(self.address.port())
    }
}

impl SiteServer<'_> {
    /// Serves the page until the future is dropped.
    ///
    /// # Errors
    ///
    /// Returns what to say if the port is lost.
    pub async fn serve(&self, at: &SiteAddress) -> Result<(), Diagnostic> {
        let shown = ServedSite::default();
        tokio::select! {
            () = self.follow(&shown) => Ok(()),
            lost = answer_all(at, &shown) => {
                Err(Diagnostic::error(Code::Storage, format!("no more requests can be taken: {lost}")))
            }
        }
    }

    /// Looks at the lake again and again, as long as somebody asks.
    async fn follow(&self, shown: &ServedSite) {
        loop {
            match self.page().await {
                Ok(page) => {
                    *shown.page.lock() = Some(page);
                    *shown.fault.lock() = None;
                }
                Err(fault) => *shown.fault.lock() = Some(fault),
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            shown.is_asked.notified().await;
        }
    }

    async fn page(&self) -> Result<ServedPage, String> {
        let seen = SeenLake::look(self.compiled, self.lake, self.engine).await.map_err(|failures| {
            failures.iter().map(|failure| failure.diagnostic().message.as_str()).collect::<Vec<_>>().join("; ")
        })?;
        let data = seen.payload(self.compiled, self.guards);
        let data = PageData { json: (self.hide)(&data.json), has_charts: data.has_charts };
        let state = state_of(&data.json);
        let html = page(&data, PageUse::Served(&state)).map_err(|error| error.to_string())?;
        Ok(ServedPage { state, html })
    }
}

/// What tells one state of the data from another; when it was made is no part of it.
fn state_of(json: &str) -> String {
    let mut data: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(project) = data.get_mut("project").and_then(Value::as_object_mut) {
        project.remove("made");
    }
    blake3::hash(data.to_string().as_bytes()).to_hex().chars().take(32).collect()
}

/// Answers requests until the port is lost.
async fn answer_all(at: &SiteAddress, shown: &ServedSite) -> io::Error {
    let lost = Locked::new(None);
    stream::unfold((), |()| async {
        match at.listener.accept().await {
            Ok((connection, _)) => Some((Some(connection), ())),
            // Others may be able to connect.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Some((None, ())),
            Err(error) => {
                *lost.lock() = Some(error);
                None
            }
        }
    })
    .for_each_concurrent(AT_ONCE, |connection| async {
        if let Some(connection) = connection {
            let answered = tokio::time::timeout(LONGEST_REQUEST, answer(&connection, at, shown)).await;
            // Whoever goes away does not want an answer.
            tracing::debug!(?answered, "a request was answered");
        }
    })
    .await;
    lost.take().unwrap_or_else(|| io::Error::other("the port was closed"))
}

async fn answer(connection: &TcpStream, at: &SiteAddress, shown: &ServedSite) -> io::Result<()> {
    let request = read_request(connection).await?;
    let answer = match SiteRequest::read(&request) {
        None => SiteAnswer::text("400 Bad Request", "this is not a request that karat understands"),
        Some(request) if !at.is_meant(request.host) => {
            SiteAnswer::text("421 Misdirected Request", &format!("this server answers to {} alone", at.url()))
        }
        Some(request) if !matches!(request.method, "GET" | "HEAD") => {
            SiteAnswer::text("405 Method Not Allowed", "pages are read here")
        }
        Some(request) => shown.answer(request.path),
    };
    let has_body = !request.starts_with(b"HEAD ");
    write_all(connection, &answer.bytes(has_body)).await
}

/// The head of a request, as far as it matters.
struct SiteRequest<'r> {
    method: &'r str,
    path: &'r str,
    host: &'r str,
}

impl<'r> SiteRequest<'r> {
    fn read(bytes: &'r [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let method = words.next()?;
        let target = words.next()?;
        words.next().filter(|version| version.starts_with("HTTP/1."))?;
        let mut hosts = lines.filter_map(|line| line.split_once(':'));
        let (_, host) = hosts.find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
        Some(Self { method, path: target.split('?').next().unwrap_or(target), host: host.trim() })
    }
}

/// An answer.
struct SiteAnswer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl SiteAnswer {
    fn text(status: &'static str, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{text}\n") }
    }

    fn bytes(&self, has_body: bool) -> Vec<u8> {
        let Self { status, kind, body } = self;
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Security-Policy: frame-ancestors 'none'\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let body = if has_body { body.as_bytes() } else { &[] };
        [head.as_bytes(), body].concat()
    }
}

impl ServedSite {
    fn answer(&self, path: &str) -> SiteAnswer {
        self.is_asked.notify_one();
        let page = self.page.lock().clone();
        let fault = self.fault.lock().clone();
        match (path, page) {
            ("/" | "/index.html" | "/docs.html", Some(page)) => {
                SiteAnswer { status: "200 OK", kind: "text/html; charset=utf-8", body: page.html }
            }
            ("/state", Some(page)) => {
                SiteAnswer { status: "200 OK", kind: "text/plain; charset=utf-8", body: page.state }
            }
            ("/" | "/index.html" | "/docs.html" | "/state", None) => {
                let reason = fault.unwrap_or_else(|| "the page is being made: try again in a moment".to_owned());
                SiteAnswer::text("503 Service Unavailable", &reason)
            }
            _ => SiteAnswer::text("404 Not Found", "there is one page here: /"),
        }
    }
}

/// Reads up to the empty line behind the head.
async fn read_request(connection: &TcpStream) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = [0_u8; 4096];
    while !read.windows(4).any(|end| end == b"\r\n\r\n") && read.len() < LARGEST_REQUEST {
        connection.readable().await?;
        match connection.try_read(&mut piece) {
            Ok(0) => break,
            Ok(count) => read.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

async fn write_all(connection: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        connection.writable().await?;
        match connection.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let at = SiteAddress::bind("127.0.0.1", 0).await.unwrap();
            let shown = ServedSite::default();
            *shown.page.lock() = Some(ServedPage { state: "s1".to_owned(), html: "<html>".to_owned() });
            let text = text.replace("PORT", &at.address.port().to_string());
            let client = TcpStream::connect(at.address).await.unwrap();
            let ask = async {
                write_all(&client, text.as_bytes()).await.unwrap();
                let mut answered = Vec::new();
                let mut piece = [0_u8; 4096];
                loop {
                    client.readable().await.unwrap();
                    match client.try_read(&mut piece) {
                        Ok(0) => break,
                        Ok(count) => answered.extend_from_slice(&piece[..count]),
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                    }
                }
                String::from_utf8(answered).unwrap()
            };
            tokio::select! {
                answered = ask => {
                    let (head, body) = answered.split_once("\r\n\r\n").unwrap();
                    format!("{} | {}", head.lines().next().unwrap(), body.trim_end())
                }
                lost = answer_all(&at, &shown) => lost.to_string(),
            }
        })
    }

    #[test]
    fn a_request_under_another_name_is_refused() {
        assert_eq!(status("GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"), "HTTP/1.1 200 OK | <html>");
        assert_eq!(status("GET /state?x=1 HTTP/1.1\r\nhost: localhost:PORT\r\n\r\n"), "HTTP/1.1 200 OK | s1");
        assert!(status("GET / HTTP/1.1\r\nHost: evil.example:PORT\r\n\r\n").starts_with("HTTP/1.1 421"));
        assert!(status("GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n").starts_with("HTTP/1.1 421"));
        assert!(status("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn only_the_page_is_read() {
        assert_eq!(status("HEAD / HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n"), "HTTP/1.1 200 OK | ");
        assert!(status("POST / HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(status("GET /../etc/passwd HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn when_a_page_was_made_is_no_change() {
        let of = |made: &str, name: &str| state_of(&format!(r#"{{"project":{{"name":"{name}","made":"{made}"}}}}"#));
        assert_eq!(of("1", "a"), of("2", "a"));
        assert_ne!(of("1", "a"), of("1", "b"));
    }
}
