//! The only place that prints: data to stdout, talk to stderr; colour, quiet and JSON are decided here.

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style as TextStyle};
use serde_json::{Value, json};

use crate::diag::{Diagnostic, Severity, Style, render, to_json};
use crate::locked::Locked;
use crate::project::Secret;
use crate::shown::{visible, with_colours};
use crate::span::SourceFiles;

/// How talk is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub const ALL: [LogFormat; 2] = [LogFormat::Text, LogFormat::Json];

    /// By which it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }

    /// What it is, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            LogFormat::Text => "Lines for people",
            LogFormat::Json => "One JSON object a line",
        }
    }
}

/// What a person or a program at the other end can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    pub quiet: bool,
    pub format: LogFormat,
    /// Whether talk has colours.
    pub colour: bool,
    /// Whether data has, which may go into a file while talk goes to a terminal.
    pub data_colour: bool,
    /// Whether a person watches: then progress bars are drawn.
    pub terminal: bool,
    pub width: usize,
    /// Whether warnings stop a command.
    pub warnings_stop: bool,
}

/// What is left out of everything that is said.
type Hidden = Arc<Locked<Vec<Secret>>>;

pub(crate) struct Console<'a> {
    out: Locked<&'a mut (dyn Write + Send)>,
    err: Locked<&'a mut (dyn Write + Send)>,
    hidden: Hidden,
    /// Why data could not be written, the first time that happened.
    lost: Locked<Option<io::Error>>,
    pub manners: Manners,
}

/// What a word on the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Quiet,
    Strong,
}

impl<'a> Console<'a> {
    pub fn new(out: &'a mut (dyn Write + Send), err: &'a mut (dyn Write + Send), manners: Manners) -> Console<'a> {
        Console {
            out: Locked::new(out),
            err: Locked::new(err),
            hidden: Hidden::default(),
            lost: Locked::default(),
            manners,
        }
    }

    /// These secrets are left out of everything that is said from now on. A last guard: servers and libraries repeat in
    /// their errors what they were sent. Data is not touched, because rows are what they are.
    pub fn hide(&self, secrets: impl IntoIterator<Item = Secret>) {
        self.hidden.lock().extend(secrets);
    }

    /// A text as it may be shown.
    pub fn without_secrets(&self, text: &str) -> String {
        without(&self.hidden, text)
    }

    /// Data: what the command was asked for. What could not be written is told when the command ends.
    pub fn data(&self, text: &str) {
        self.with_out(|out| out.write_all(text.as_bytes()));
    }

    /// Data that a person reads: control characters of files, SQL and YAML are shown in it, not sent. Tabs indent SQL.
    pub fn show(&self, text: &str) {
        let shown = if self.manners.data_colour { with_colours } else { |text: &str| visible(text, false) };
        self.data(&text.split('\t').map(shown).collect::<Vec<_>>().join("\t"));
    }

    /// Writes data in pieces.
    pub fn with_out(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut out = self.out.lock();
        // The lock is held over all pieces: two threads never mix their rows.
        let mut watched = Watched { out: &mut **out, failed: None };
        let written = write(&mut watched).and_then(|()| watched.flush());
        // Formats make a text of the error, and then nobody knows a closed pipe from a full disk.
        let failed = watched.failed.or(written.err());
        if let Some(error) = failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            self.lost.lock().get_or_insert(error);
        }
    }

    /// Why data could not be written, if that happened. A reader that went away is no error of ours: `karat ls | head` closes
    /// the pipe early, which is what its user wants.
    pub fn lost(&self) -> Option<io::Error> {
        self.lost.lock().take()
    }

    /// A line of talk; with `--log-format json` it is an object with this event name.
    pub fn say(&self, event: &str, text: &str, facts: Value) {
        if self.manners.quiet {
            return;
        }
        match self.manners.format {
            LogFormat::Text => self.talk(&format!("{text}\n")),
            LogFormat::Json => {
                let mut object = serde_json::Map::from_iter([("event".to_owned(), json!(event))]);
                if let Value::Object(facts) = facts {
                    object.extend(facts);
                }
                self.talk(&format!("{}\n", Value::Object(object)));
            }
        }
    }

    /// Talk for people only: nothing in JSON, nothing when quiet.
    pub fn chat(&self, text: &str) {
        if !self.manners.quiet && self.manners.format == LogFormat::Text {
            self.talk(&format!("{text}\n"));
        }
    }

    /// Diagnostics are said even when quiet; warnings are not.
    pub fn diagnostics(&self, diagnostics: &[Diagnostic], files: &SourceFiles) {
        let style = if self.manners.colour { Style::Colour } else { Style::Plain };
        let loud = |diagnostic: &&Diagnostic| {
            !self.manners.quiet || self.manners.warnings_stop || diagnostic.severity == Severity::Error
        };
        for diagnostic in diagnostics.iter().filter(loud) {
            match self.manners.format {
                LogFormat::Text => self.talk(&format!("{}\n", render(diagnostic, files, style))),
                LogFormat::Json => {
                    self.talk(&format!(
                        "{}\n",
                        json!({"event": "diagnostic", "diagnostic": to_json(diagnostic, files)})
                    ));
                }
            }
        }
    }

    fn talk(&self, text: &str) {
        let mut err = self.err.lock();
        let text = self.without_secrets(text);
        let text = if self.manners.colour { with_colours(&text) } else { visible(&text, false) };
        // Nobody is left who could be told.
        if let Err(error) = err.write_all(text.as_bytes()).and_then(|()| err.flush()) {
            tracing::debug!(%error, "what was said was lost");
        }
    }

    /// Lets the libraries' trace events through to stderr, once a process.
    pub fn trace(&self) {
        let hidden = Arc::clone(&self.hidden);
        let writer = move || Trace { hidden: Arc::clone(&hidden) };
        // Libraries log addresses and headers: secrets are left out of these too.
        let subscriber = tracing_subscriber::fmt().with_writer(writer).with_max_level(tracing::Level::DEBUG);
        if subscriber.try_init().is_err() {
            tracing::debug!("tracing was set up before");
        }
    }

    /// A piece of talk in the colour of its meaning, where colour is wanted.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if self.manners.colour { tone.paint(text) } else { text.to_owned() }
    }

    /// A piece of data in the colour of its meaning, where colour is wanted.
    pub fn paint_data(&self, tone: Tone, text: &str) -> String {
        if self.manners.data_colour { tone.paint(text) } else { text.to_owned() }
    }
}

impl Tone {
    fn paint(self, text: &str) -> String {
        let style = match self {
            Tone::Good => TextStyle::new().fg_color(Some(AnsiColor::Green.into())),
            Tone::Bad => TextStyle::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Warn => TextStyle::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Quiet => TextStyle::new().dimmed(),
            Tone::Strong => TextStyle::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// A writer that keeps its first error as it is.
struct Watched<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Watched<'_> {
    fn keep<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.keep(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.keep(done)
    }
}

fn without(hidden: &Hidden, text: &str) -> String {
    let hidden = hidden.lock();
    hidden.iter().fold(text.to_owned(), |text, secret| secret.hide_in(&text))
}

/// Where trace events go; each is written in one piece.
struct Trace {
    hidden: Hidden,
}

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(without(&self.hidden, &String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody watches.
    const PLAIN: Manners = Manners {
        quiet: false,
        format: LogFormat::Text,
        colour: false,
        data_colour: false,
        terminal: false,
        width: 100,
        warnings_stop: false,
    };

    #[test]
    fn what_people_read_has_colours_and_tabs_and_no_other_control_characters() {
        for (data_colour, expected) in [(true, "\u{1b}[32mok\u{1b}[0m\t␛]0;x␇\n"), (false, "␛[32mok␛[0m\t␛]0;x␇\n")]
        {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let manners = Manners { data_colour, ..PLAIN };
            Console::new(&mut out, &mut err, manners).show("\u{1b}[32mok\u{1b}[0m\t\u{1b}]0;x\u{7}\n");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    /// What is printed of data and talk that hold a secret.
    fn printed(format: LogFormat) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let manners = Manners { format, ..PLAIN };
        let console = Console::new(&mut out, &mut err, manners);
        console.hide([Secret::new("k\"y/of+me"), Secret::new("")]);
        console.data("k\"y/of+me\n");
        console.say("refused", "k\"y/of+me is refused", json!({"reason": "k\"y/of+me is refused"}));
        drop(console);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn data_and_talk_have_colours_each_for_itself() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let manners = Manners { colour: true, terminal: true, ..PLAIN };
        let console = Console::new(&mut out, &mut err, manners);
        assert_eq!(console.paint(Tone::Good, "new"), "\u{1b}[32mnew\u{1b}[0m");
        assert_eq!(console.paint_data(Tone::Good, "+new"), "+new");
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        Console::new(&mut out, &mut err, PLAIN).say("failed", "the header is `\u{1b}[2J`", json!({}));
        assert_eq!(String::from_utf8(err).unwrap(), "the header is `␛[2J`\n");
    }

    #[test]
    fn talk_holds_no_secret_and_data_is_what_it_is() {
        let (data, talk) = printed(LogFormat::Text);
        assert_eq!((data.as_str(), talk.as_str()), ("k\"y/of+me\n", "[hidden] is refused\n"));
        let (_, talk) = printed(LogFormat::Json);
        assert_eq!(talk, "{\"event\":\"refused\",\"reason\":\"[hidden] is refused\"}\n");
    }
}
