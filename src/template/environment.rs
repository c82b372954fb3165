//! The template engine, set up once for all templates of a project.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, OutputSpan, OutputSpanKind, UndefinedBehavior, Value};

use super::fault;
use super::filter;
use super::function::{Root, unknown_method};
use super::macros::{Library, MacroFile};
use super::reference_name::{ReferencePlaces, Unmarked};
use super::render::Render;
use super::rewrite::{LOAD, RewrittenText};
use super::source_map::{MapPiece, PieceKind, SourceMap};
use super::trace::{Tracer, UnmarkedText};
use crate::diag::{Code, Diagnostic};
use crate::project::DBT_PACKAGE;
use crate::span::{FileId, SourceFiles, Span, Spanned};

/// The work that one template may cause: some million steps, or some hundred million bytes.
const FUEL: u64 = 4_000_000;
/// The longest text that a template may render to.
pub(super) const LONGEST_TEXT: usize = 16 * 1024 * 1024;

/// The engine with all macro files of the project and its packages parsed.
pub(super) struct Engine<'a> {
    environment: Environment<'a>,
    library: &'a Library,
    files: &'a SourceFiles,
    /// The macro files that cannot be parsed, by index.
    pub broken: Arc<BTreeMap<usize, Diagnostic>>,
    tracer: Option<Tracer>,
}

/// A template that was read and rewritten, but not parsed yet.
#[derive(Debug)]
pub(super) struct Prepared {
    pub file: FileId,
    pub rewritten: RewrittenText,
    /// The macro files that it needs, by index.
    pub imports: Vec<usize>,
    /// The package that it belongs to.
    pub package: String,
    /// The config of a data test, as far as YAML says it.
    pub test_config: BTreeMap<String, Spanned<serde_json::Value>>,
}

/// What a render gives.
#[derive(Debug)]
pub(super) struct Text {
    pub text: String,
    pub map: SourceMap,
    pub places: ReferencePlaces,
    /// The first expression that names `this`.
    pub this: Option<Span>,
}

impl<'a> Engine<'a> {
    /// Parses all macro files of the project and its packages.
    pub fn new(library: &'a Library, files: &'a SourceFiles) -> Engine<'a> {
        Engine::with_tracer(library, files, None)
    }

    /// One whose texts have maps that lead into macros and blocks.
    pub fn tracing(library: &'a Library, files: &'a SourceFiles) -> Engine<'a> {
        Engine::with_tracer(library, files, Some(Tracer::default()))
    }

    fn with_tracer(library: &'a Library, files: &'a SourceFiles, tracer: Option<Tracer>) -> Engine<'a> {
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        // A name that does not exist is an error where it is printed; `is defined` and `default()` may ask for it.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method);
        // dbt's marks for the type that a rendered text has in YAML. In SQL it is a text all the same.
        for filter in ["as_bool", "as_native", "as_number", "as_text"] {
            environment.add_filter(filter, |value: Value| value);
        }
        environment.set_debug(true);
        // A loop that never ends is an error after a bounded number of steps, the same on every machine.
        environment.set_fuel(Some(FUEL));
        filter::add_to(&mut environment);
        // It would print the values of variables, which may be secrets.
        environment.remove_global("debug");
        let mut engine = Engine { environment, library, files, broken: Arc::default(), tracer };
        let mut broken = BTreeMap::new();
        for (index, file) in library.files.iter().enumerate() {
            // dbt's own macros are well, so they are parsed when the first template needs them.
            if file.package != DBT_PACKAGE
                && let Err(fault) = engine.parse(file)
            {
                broken.insert(index, fault);
            }
        }
        Engine { broken: Arc::new(broken), ..engine }
    }

    fn parse(&mut self, file: &'a MacroFile) -> Result<(), Diagnostic> {
        let rewritten = self.library.rewritten(file);
        let added = match &self.tracer {
            None => self.environment.add_template(&file.path, &rewritten.text),
            Some(tracer) => self.environment.add_template_owned(file.path.clone(), tracer.marked(rewritten, file.file)),
        };
        added.map_err(|error| {
            let range = error.range().map(|range| rewritten.original(range));
            let span = Span::new(file.file, range.unwrap_or(0..0));
            fault::syntax(&error, self.files.text(file.file), span)
        })
    }

    /// Parses the macro files that a template needs and that were not parsed yet.
    pub fn parse_needed(&mut self, imports: &[usize]) -> Result<(), Diagnostic> {
        let library = self.library;
        let whole = imports.iter().filter(|index| !self.broken.contains_key(index));
        let files: Vec<&MacroFile> = whole.filter_map(|index| library.files.get(*index)).collect();
        for file in files {
            if self.environment.get_template(&file.path).is_err() {
                self.parse(file)?;
            }
        }
        Ok(())
    }

    /// Parses and renders a template whose macro files were parsed. The record of `render` holds everything but the text.
    pub fn render(&self, prepared: &Prepared, render: &Arc<Render>) -> Result<Text, Diagnostic> {
        // Imports stand in front of the template, not in a template of their own: macros then see the render that called them.
        let prefix = self.import_tags(&prepared.imports);
        let text = &prepared.rewritten.text;
        let marked = self.tracer.as_ref().map(|tracer| tracer.marked(&prepared.rewritten, prepared.file));
        let source = format!("{prefix}{}", marked.as_ref().unwrap_or(text));
        let places = TemplatePlaces { engine: self, prepared, render, prefix: prefix.len() };
        let template = self.environment.template_from_named_str(&render.template, &source).map_err(|error| {
            let range = error.range().unwrap_or(0..0);
            let span = Span::new(prepared.file, places.original(range));
            fault::syntax(&error, self.files.text(prepared.file), span)
        })?;
        let root = Value::from_object(Root(Arc::clone(render)));
        let (text, spans) = template
            .render_with_spans(root)
            .map_err(|error| fault::runtime(&error, render, &|name, range| places.whole(places.span(name, range)?)))
            .map_err(|diagnostic| fault::named(diagnostic, self.files, self.library))?;
        if text.len() > LONGEST_TEXT {
            let message = format!("the text is longer than {} MiB", LONGEST_TEXT / 1024 / 1024);
            return Err(Diagnostic::error(Code::TemplateFuel, message).at(Span::new(prepared.file, 0..0)));
        }
        let this = render.record().used_this.then(|| places.find_this(&spans)).flatten();
        let (unmarked, pieces) = match &self.tracer {
            None => {
                let unmarked = Unmarked::of(text);
                let pieces = spans.iter().filter_map(|span| places.piece(span, &unmarked)).collect();
                (unmarked, pieces)
            }
            Some(tracer) => {
                let UnmarkedText { text, mut pieces } = tracer.unmarked(&text);
                for piece in &mut pieces {
                    piece.kind = self.kind_of(piece, &text);
                }
                let unmarked = Unmarked::of(text);
                for piece in &mut pieces {
                    piece.rendered_start = unmarked.moved(piece.rendered_start);
                    piece.rendered_end = unmarked.moved(piece.rendered_end);
                }
                (unmarked, pieces)
            }
        };
        let map = SourceMap::new(prepared.file, pieces);
        Ok(Text { text: unmarked.text, map, places: unmarked.places, this })
    }

    /// Whether what was copied still is what was typed: a filter may have changed it since.
    fn kind_of(&self, piece: &MapPiece, text: &str) -> PieceKind {
        let typed = self.files.slice(piece.typed);
        let rendered = text.get(piece.rendered_start..piece.rendered_end).unwrap_or_default();
        // Blanks of the next piece may follow, and blanks at the end may have been trimmed.
        let is_same = typed.trim_end() == rendered.trim_end();
        match piece.kind {
            PieceKind::Raw if !is_same => PieceKind::Changed,
            kind => kind,
        }
    }

    /// The tags before a template that make the macros of these files known.
    fn import_tags(&self, imports: &[usize]) -> String {
        let mut tags = String::new();
        for index in imports {
            // Whoever calls a macro of a file that cannot be parsed is told so.
            if let Some(MacroFile { path, .. }) = self.library.files.get(*index)
                && !self.broken.contains_key(index)
            {
                tags.push_str(&format!(
                    "{{{{ {LOAD}({index}) }}}}{{% import {path:?} as __k{index} %}}{{{{ {LOAD}({index}, __k{index}) }}}}"
                ));
            }
        }
        tags
    }
}

/// Line breaks at the end of a file belong to the text.
fn syntax() -> SyntaxConfig {
    static SYNTAX: OnceLock<SyntaxConfig> = OnceLock::new();
    let build =
        || SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the delimiters are the usual ones");
    SYNTAX.get_or_init(build).clone()
}

/// Translates places of the engine to places in files.
struct TemplatePlaces<'a> {
    engine: &'a Engine<'a>,
    prepared: &'a Prepared,
    render: &'a Render,
    /// The length of what was put before the template.
    prefix: usize,
}

impl TemplatePlaces<'_> {
    fn original(&self, range: Range<usize>) -> Range<usize> {
        let moved = range.start.saturating_sub(self.prefix)..range.end.saturating_sub(self.prefix);
        self.prepared.rewritten.original(moved)
    }

    /// The place in the file of the template with this name.
    fn span(&self, name: &str, range: Range<usize>) -> Option<Span> {
        if name == self.render.template {
            // Nobody typed the import tags: what they are blamed for has no place.
            if range.end <= self.prefix && self.prefix > 0 {
                return None;
            }
            return Some(Span::new(self.prepared.file, self.original(range)));
        }
        let file = self.engine.library.files.iter().find(|file| file.path == name)?;
        Some(Span::new(file.file, self.engine.library.rewritten(file).original(range)))
    }

    /// The engine points at `.y` in `x.y`; this adds the `x`.
    fn whole(&self, span: Span) -> Option<Span> {
        let before = self.engine.files.text(span.file).get(..span.range().start)?;
        if !self.engine.files.slice(span).starts_with('.') {
            return Some(span);
        }
        // Walks back over names and dots: `a.b.c` is one word to whoever typed it.
        let start = before.trim_end_matches(|letter| letter == '.' || !is_separator(letter)).len();
        Some(Span::new(span.file, start..span.range().end))
    }

    fn piece(&self, span: &OutputSpan, unmarked: &Unmarked) -> Option<MapPiece> {
        let kind = match span.kind() {
            OutputSpanKind::Raw => PieceKind::Raw,
            _ => PieceKind::Expression,
        };
        let rendered = span.output_range();
        let typed = self.span(span.name(), span.source_range())?;
        let [rendered_start, rendered_end] = [rendered.start, rendered.end].map(|offset| unmarked.moved(offset));
        Some(MapPiece { rendered_start, rendered_end, typed, kind })
    }

    fn find_this(&self, spans: &[OutputSpan]) -> Option<Span> {
        let expressions = spans.iter().filter(|span| span.kind() == OutputSpanKind::Expression);
        let mut typed = expressions.filter_map(|span| self.span(span.name(), span.source_range()));
        typed.find(|span| self.engine.files.slice(*span).split(is_separator).any(|word| word == "this"))
    }
}

fn is_separator(letter: char) -> bool {
    !letter.is_ascii_alphanumeric() && letter != '_'
}
