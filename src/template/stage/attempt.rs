//! Rendering a template, as often as it takes until it has been given what it asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Stage, nodes, sql, tell};
use crate::diag::{Diagnostic, Sink};
use crate::name::TableName;
use crate::parallel::in_parallel_from;
use crate::project::{Profile, VariableAccess, holds_credentials, variable_access};
use crate::span::{FileId, SourceFiles};
use crate::template::RenderedSql;
use crate::template::environment::{Engine, Prepared, Text};
use crate::template::render::{Facts, Need, Record, Render, RenderSubject, TemplatePlace, Variable, Variant};
use crate::template::rewrite::{TemplateKind, rewrite};
use crate::template::token::ScannedText;

/// How often a render may ask for something that it was not given.
const TRIES: usize = 256;

/// A try to render a template, and what it left behind.
pub(super) struct Attempt {
    pub text: Result<Text, Box<Diagnostic>>,
    pub record: Record,
}

impl Attempt {
    /// What the render lacked. One that asked for the nodes of the project went on without them, to a wrong text.
    fn need(&self) -> Option<Need> {
        self.record.need.clone().filter(|need| matches!(need, Need::Nodes) || self.text.is_err())
    }

    /// The text if nothing is wrong, with what is only worth a warning said; `own` is the table that `this` means.
    pub(super) fn well(self, own: Option<&TableName>, sink: &mut Sink) -> Result<RenderedSql, Vec<Diagnostic>> {
        let mut complaints = Sink::default();
        let complaint = tell(self.record.diagnostics.clone(), &mut complaints);
        match (self.text, complaint) {
            (Ok(text), Ok(())) => {
                sink.append(complaints);
                Ok(sql(text, self.record, own))
            }
            (Err(diagnostic), _) => {
                complaints.add(*diagnostic);
                Err(complaints.take())
            }
            (Ok(_), Err(_)) => Err(complaints.take()),
        }
    }
}

/// A template, and what it is rendered for.
pub(super) struct ModelTemplate<'a> {
    pub file: FileId,
    pub text: &'a str,
    pub package: &'a str,
    pub subject: RenderSubject,
}

/// What renders read and do not change, so that many of them can go on side by side.
#[derive(Clone, Copy)]
struct RenderInputs<'a> {
    engine: &'a Engine<'a>,
    facts: &'a Arc<Facts>,
    files: &'a SourceFiles,
}

impl RenderInputs<'_> {
    fn prepared(self, file: FileId, text: &str, package: &str) -> Prepared {
        let library = &self.facts.library;
        let scanned = ScannedText::of(text);
        Prepared {
            file,
            rewritten: rewrite(&scanned, TemplateKind::Text, &library.callables(package)),
            imports: library.needed_by(&scanned).into_iter().collect(),
            package: package.to_owned(),
            test_config: BTreeMap::new(),
        }
    }

    fn rendered(self, prepared: &Prepared, subject: &RenderSubject, variant: Variant) -> Attempt {
        let place = TemplatePlace {
            file: prepared.file,
            template: self.files.path(prepared.file).to_owned(),
            package: prepared.package.clone(),
            assigned: prepared.rewritten.assigned.clone(),
        };
        let render = Arc::new(Render::new(Arc::clone(self.facts), subject.clone(), place, variant));
        render.record().test_config.clone_from(&prepared.test_config);
        let text = self.engine.render(prepared, &render).map_err(Box::new);
        let record = std::mem::take(&mut *render.record());
        Attempt { text, record }
    }
}

/// Templates for which a thread pays. The nineteen of the sample project are rendered in about a millisecond; a second thread, with
/// memory of its own, costs more than the half that it would take over.
const FOR_A_THREAD: usize = 32;

impl Stage<'_> {
    fn surroundings(&self) -> RenderInputs<'_> {
        RenderInputs { engine: &self.engine, facts: &self.facts, files: self.files }
    }

    pub(super) fn prepare(&self, file: FileId, text: &str, package: &str) -> Prepared {
        self.surroundings().prepared(file, text, package)
    }

    /// Renders templates side by side, and those that ask for something once more, one after the other.
    pub(super) fn attempts(&mut self, templates: &[ModelTemplate<'_>]) -> Vec<(Prepared, Attempt)> {
        let around = self.surroundings();
        let prepared = in_parallel_from(FOR_A_THREAD, templates, |template| {
            around.prepared(template.file, template.text, template.package)
        });
        // A macro file that cannot be parsed fails its templates below, where their turn comes.
        let is_parsed = |one: &Prepared| self.engine.parse_needed(&one.imports).is_ok();
        let parsed: Vec<bool> = prepared.iter().map(is_parsed).collect();
        let both: Vec<(&Prepared, &ModelTemplate<'_>)> = prepared.iter().zip(templates).collect();
        let around = self.surroundings();
        let tried = in_parallel_from(FOR_A_THREAD, &both, |(prepared, template)| {
            around.rendered(prepared, &template.subject, Variant::Full)
        });
        let all = prepared.into_iter().zip(tried).zip(templates.iter().zip(parsed));
        all.map(|((mut prepared, attempt), (template, is_parsed))| {
            let is_done = is_parsed && attempt.need().is_none();
            let attempt = if is_done { attempt } else { self.attempt(&mut prepared, &template.subject, Variant::Full) };
            (prepared, attempt)
        })
        .collect()
    }

    /// Renders, and gives the render what it asks for until it asks for nothing.
    pub(super) fn attempt(&mut self, prepared: &mut Prepared, subject: &RenderSubject, variant: Variant) -> Attempt {
        let mut tries = 0;
        loop {
            if let Err(fault) = self.engine.parse_needed(&prepared.imports) {
                return Attempt { text: Err(Box::new(fault)), record: Record::default() };
            }
            let attempt = self.surroundings().rendered(prepared, subject, variant);
            tries += 1;
            match attempt.need() {
                Some(need) if tries < TRIES && self.provide(&need, prepared) => {}
                Some(_) | None => return attempt,
            }
        }
    }

    /// Whether it could be given.
    fn provide(&mut self, need: &Need, prepared: &mut Prepared) -> bool {
        match need {
            Need::Variable(name) => {
                let variable = self.variable(name);
                Arc::make_mut(&mut self.facts).environment.insert(name.clone(), variable);
            }
            Need::Macros(file) => {
                let imports = prepared.imports.iter().copied().chain([*file]).collect();
                prepared.imports = self.facts.library.closed(imports).into_iter().collect();
            }
            Need::Nodes => {
                let nodes = nodes::of(self.project, self.files);
                Arc::make_mut(&mut self.facts).nodes = Some(Arc::new(nodes));
            }
            Need::Answer(question) => match self.asked.and_then(|answer| answer(question)) {
                Some(answer) => {
                    Arc::make_mut(&mut self.facts).answers.insert(question.clone(), answer);
                }
                None => return false,
            },
        }
        true
    }

    /// An environment variable, if it may be read. The profile is asked only about those that nothing else allows.
    fn variable(&mut self, name: &str) -> Variable {
        let value = self.host.variable(name);
        let access = variable_access(name, &self.facts.listed_variables);
        let is_secret = access == VariableAccess::Secret || value.as_deref().is_some_and(holds_credentials);
        let is_free = !is_secret && (value.is_none() || access == VariableAccess::Open);
        if !is_free {
            let host = self.host;
            // A profile that cannot be read allows nothing; commands that need it say what is wrong with it.
            let profile =
                self.profile.get_or_insert_with(|| Profile::of_user(host, &mut Sink::default()).unwrap_or_default());
            if !profile.env_vars.contains(name) {
                return Variable::Refused { is_secret, profile: profile.shown_path().to_string() };
            }
        }
        value.map_or(Variable::Unset, Variable::Set)
    }
}
