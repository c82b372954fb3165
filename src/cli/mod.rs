//! The command line: argv becomes a command, a command becomes an exit code.

mod app;
mod args;
mod command;
mod drive;
mod exit;
mod faults;
mod habits;
mod tables;
#[cfg(test)]
mod tests;
mod world;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

pub use crate::pipeline::Storage;
pub use world::World;

use app::App;
use args::GlobalArgs;
use command::Command;
use exit::Exit;

use crate::diag::{Code, Diagnostic};
use crate::parallel::on_a_deep_stack;
use crate::pipeline::ArtifactRequest;
use crate::project::secrets_of;
use crate::span::SourceFiles;
use crate::terminal::{Console, LogFormat, Manners};

/// dbt for the lakehouse, in one binary: SQL models become partitioned Parquet tables.
#[derive(Debug, Parser)]
#[command(name = "karat", version, about, disable_help_subcommand = true)]
#[command(
    after_help = "Start with `karat demo`. Exit codes: 0 success, 1 error in the project, a model or a test, 2 usage, 3 \
    storage unavailable or a commit's outcome unknown (try again)."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: GlobalArgs,
}

impl CommandLine {
    /// The command line, with the flags of the command among the words.
    fn typed(words: &[OsString]) -> clap::Command {
        let root = CommandLine::command();
        let found = words.iter().skip(1).find_map(|word| root.find_subcommand(word));
        match found.map(|found| found.get_name().to_owned()) {
            Some(name) => Command::with_flags_of(&name, root),
            None => root,
        }
    }

    /// The command line with the flags of all commands.
    fn complete() -> clap::Command {
        let root = CommandLine::command();
        let names: Vec<String> = root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        names.iter().fold(root, |root, name| Command::with_flags_of(name, root))
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let world = World::of_process();
    let mut out = io::stdout();
    let mut err = io::stderr();
    ExitCode::from(run_to(std::env::args_os().collect(), world, &mut out, &mut err))
}

/// Runs one command line in process: data goes to `out`, talk to `err`. Gives the exit code.
pub fn run_to(args: Vec<OsString>, world: World, out: &mut (dyn Write + Send), err: &mut (dyn Write + Send)) -> u8 {
    let command = CommandLine::typed(&args).term_width(world.width.min(100));
    let translated = match habits::translate(args, &world.variables, &command) {
        Ok(translated) => translated,
        Err(error) => return usage(&error, &world, out, err),
    };
    let parsed =
        command.try_get_matches_from(&translated.args).and_then(|matches| CommandLine::from_arg_matches(&matches));
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, &world, out, err),
    };
    let is_text = parsed.global.log_format == LogFormat::Text;
    let manners = Manners {
        quiet: parsed.global.quiet,
        format: parsed.global.log_format,
        colour: world.colour(world.terminal) && is_text,
        data_colour: world.colour(world.data_terminal) && is_text,
        terminal: world.terminal,
        width: world.width,
        warnings_stop: parsed.global.warn_error,
    };
    let console = Console::new(out, err, manners);
    console.hide(secrets_of(&world.variables));
    if parsed.global.debug {
        console.trace();
    }
    translated.note.iter().for_each(|note| console.chat(note));
    let GlobalArgs { target_path, no_write_json: write_nothing, no_partial_parse: types_anew, metrics_file, .. } =
        parsed.global;
    let words = translated.args.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let command = translated.command;
    let artifacts = ArtifactRequest { target_path, write_nothing, metrics_file, types_anew, command, words };
    let app = App { console: &console, world: &world, runtimes: Default::default(), artifacts };
    // Only what could not be written makes an exit code worse: a command that failed stays failed.
    let exit = on_a_deep_stack(|| parsed.command.run(&app));
    match console.lost() {
        Some(error) => app
            .fail(lost(&error), &SourceFiles::default(), if exit == Exit::Done { Exit::Unavailable } else { exit })
            .code(),
        None => exit.code(),
    }
}

/// Nobody must take half of the data for all of it.
fn lost(error: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::Storage, format!("the output cannot be written: {error}"))
        .help("make room where it goes, and run the same command again")
}

/// Help and the version are answers; everything else that clap says is an error in the command line.
fn usage(error: &clap::Error, world: &World, out: &mut (dyn Write + Send), err: &mut (dyn Write + Send)) -> u8 {
    let rendered = error.render();
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let code = if is_answer { Exit::Done.code() } else { Exit::Usage.code() };
    let on_terminal = if is_answer { world.data_terminal } else { world.terminal };
    let mut text = if world.colour(on_terminal) { rendered.ansi().to_string() } else { rendered.to_string() };
    if let Some(tip) = habits::tip(error) {
        text = text.replacen("\n\n", &format!("\n\n  tip: {tip}\n\n"), 1);
    }
    let written = if is_answer {
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    } else {
        err.write_all(text.as_bytes()).and_then(|()| err.flush())
    };
    match written {
        Ok(()) => code,
        // A reader that went away has seen what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Err(_) if code != 0 => code,
        Err(error) => {
            let files = SourceFiles::default();
            let manners = Manners {
                quiet: false,
                format: LogFormat::Text,
                colour: world.colour(world.terminal),
                data_colour: false,
                terminal: world.terminal,
                width: world.width,
                warnings_stop: false,
            };
            Console::new(&mut io::sink(), err, manners).diagnostics(&[lost(&error)], &files);
            Exit::Unavailable.code()
        }
    }
}
