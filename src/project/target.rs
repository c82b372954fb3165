//! A target: where the lake is, and how patient karat is with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::Value;

use super::lake::LakeLocation;
use super::node::{Node, YamlFields, YamlKind};
use super::retention::Retention;
use super::scalar::{Scalar, Typed};
use super::schema::{Keys, Others};
use super::source_place::SourcePlaces;
use super::{DbtOutput, DbtProfile, vars};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, any_of};
use crate::span::{Span, Spanned};

#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub lake: LakeLocation,
    pub storage: StorageSettings,
    /// How long old versions of its tables are kept.
    pub retention: Retention,
    /// Variables that hold for this target only.
    pub vars: BTreeMap<String, Value>,
    /// Environment variables that templates may read, besides those whose names say so.
    pub env_vars: BTreeSet<String>,
    /// What dbt's profile calls its schema and its database: names that templates may ask for.
    pub names: DbtOutput,
    /// Where the files of sources without `location` are.
    pub sources: Option<SourcePlaces>,
    /// The target whose tables are read where this one has none, unless a command says otherwise.
    pub defer: Option<Spanned<String>>,
    /// What carries out its builds; `None` if that is the machine of the run.
    pub cluster: Option<ClusterTarget>,
    /// Where it is declared. `None` for the target that exists without a declaration.
    pub span: Option<Span>,
}

/// A cluster that carries out builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTarget {
    /// The scheduler's host and port.
    pub address: String,
    /// How many parts the rows of a plan are divided into: at least as many as all executors together have slots, to use them all.
    pub partitions: usize,
}

impl ClusterTarget {
    const USUAL_PARTITIONS: usize = 16;

    fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> Option<ClusterTarget> {
        let partitions = number(fields, "cluster_partitions", 1..=10_000, sink);
        let address = fields.text("cluster", sink)?;
        if !cfg!(feature = "cluster") {
            let message = "this karat cannot use a cluster";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(address.span);
            sink.error(diagnostic.help("build it with `cargo build --release --features cluster`, or remove the key"));
            return None;
        }
        let port = address.value.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
        if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
            let message = format!("`{}` is not the address of a scheduler", address.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(address.span);
            sink.error(diagnostic.help("write its host and its port: `cluster: 10.0.0.5:50050`"));
            return None;
        }
        let partitions = partitions.and_then(|partitions| usize::try_from(partitions).ok());
        Some(ClusterTarget {
            address: address.value,
            partitions: partitions.unwrap_or(ClusterTarget::USUAL_PARTITIONS),
        })
    }
}

/// How the lake is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageSettings {
    /// How long one request may take.
    pub timeout_seconds: u32,
    /// How long it may take until a server answers at all.
    pub connect_timeout_seconds: u32,
    /// How often a request is tried again at the most, within the time for that.
    pub retries: u32,
    /// How long a request is tried again, from its first try.
    pub retry_seconds: u32,
    /// How many requests run at the same time.
    pub connections: u32,
    /// A table's log gets a checkpoint after so many commits.
    pub checkpoint_every: u32,
}

/// More tries than fit into the time for them.
const MOST_RETRIES: u32 = 100;

impl Default for StorageSettings {
    fn default() -> StorageSettings {
        StorageSettings {
            timeout_seconds: 30,
            connect_timeout_seconds: 5,
            retries: MOST_RETRIES,
            retry_seconds: 60,
            connections: 32,
            checkpoint_every: 10,
        }
    }
}

/// The keys of a target.
const KEYS: Keys = Keys {
    place: "a target",
    known: &[
        "lake",
        "endpoint",
        "region",
        "path_style",
        "allow_http",
        "engine",
        "cluster",
        "cluster_partitions",
        "timeout",
        "connect_timeout",
        "retries",
        "retry_for",
        "connections",
        "checkpoint_every",
        "retention",
        "sources",
        "vars",
        "env_vars",
        "defer",
    ],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

/// The target of a project that declares none.
const DEFAULT_NAME: &str = "local";
const DEFAULT_LAKE: &str = "./lake";

/// The one that exists without a declaration.
impl Default for Target {
    fn default() -> Target {
        Target {
            name: DEFAULT_NAME.to_owned(),
            lake: LakeLocation::Folder(DEFAULT_LAKE.to_owned()),
            storage: StorageSettings::default(),
            retention: Retention::default(),
            vars: BTreeMap::new(),
            env_vars: BTreeSet::new(),
            names: DbtOutput::default(),
            sources: None,
            defer: None,
            cluster: None,
            span: None,
        }
    }
}

impl Target {
    /// The target with the name that was asked for, or the project's own choice, with the names that dbt's profile has for it.
    pub(super) fn choose(
        project: &YamlFields<'_>,
        asked: Option<&str>,
        profile: Option<&DbtProfile>,
        sink: &mut Sink,
    ) -> Checked<Target> {
        let mut target = match profile.filter(|_| project.get("targets").is_none()) {
            Some(profile) => of_profile(profile, asked, sink)?,
            None => Target::declared(project, asked, sink)?,
        };
        if let Some(output) = profile.and_then(|profile| profile.outputs.get(&target.name)) {
            output.warnings.iter().for_each(|warning| sink.warn(warning.clone()));
            target.names = output.clone();
        }
        Ok(target)
    }

    fn declared(project: &YamlFields<'_>, asked: Option<&str>, sink: &mut Sink) -> Checked<Target> {
        let declared = declared(project, sink)?;
        let default = project.text("target", sink);
        let wanted = match (asked, &default) {
            (Some(asked), _) => asked,
            (None, Some(default)) => default.value.as_str(),
            (None, None) => match declared.as_slice() {
                // One target needs no choice.
                [only] => only.name.as_str(),
                _ => DEFAULT_NAME,
            },
        };
        if let Some(target) = declared.iter().find(|target| target.name == wanted) {
            target.check_defer(&declared, sink);
            return Ok(target.clone());
        }
        // `DEFAULT_NAME` is only right if the project declares no target, or one of that name.
        if asked.is_none() && default.is_none() {
            let place = project.entries().iter().find(|(key, _)| key.value == "targets").map(|(key, _)| key.span);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, "the project has several targets and no `target`");
            let help = format!("add `target:`, which can be {}", any_of(names(&declared)));
            return Err(sink.error(diagnostic.at(place.unwrap_or(project.place())).help(help)));
        }
        let mut diagnostic = Diagnostic::error(Code::InvalidConfig, format!("no target is called `{wanted}`"));
        if let (None, Some(default)) = (asked, &default) {
            diagnostic = diagnostic.at(default.span);
        }
        let diagnostic = diagnostic.suggest(wanted, names(&declared));
        Err(sink.error(diagnostic.help(format!("the targets are {}", all_of(names(&declared))))))
    }
}

impl Target {
    /// Another target is read in the place of this one, and it must be one of the project's.
    fn check_defer(&self, declared: &[Target], sink: &mut Sink) {
        let Some(defer) = &self.defer else { return };
        let others = || names(declared).filter(|name| *name != self.name);
        if others().any(|name| name == defer.value) {
            return;
        }
        let message = match defer.value == self.name {
            true => format!("the target `{}` defers to itself", self.name),
            false => format!("no target is called `{}`", defer.value),
        };
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(defer.span);
        sink.error(diagnostic.suggest(&defer.value, others()).help("name another target of this project"));
    }
}

/// The target that a profile chooses, in the lake of a project that declares none. Its other targets are other databases for dbt: nobody has
/// said where their tables are.
fn of_profile(profile: &DbtProfile, asked: Option<&str>, sink: &mut Sink) -> Checked<Target> {
    let target = Target { name: profile.target.clone(), ..Target::default() };
    let Some(asked) = asked.filter(|asked| *asked != profile.target) else { return Ok(target) };
    let known = profile.outputs.keys().map(String::as_str);
    let message = if profile.outputs.contains_key(asked) {
        format!("the project does not say where the tables of the target `{asked}` are")
    } else {
        format!("no target is called `{asked}`")
    };
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message).suggest(asked, known);
    let help = format!("declare it in the project file: `targets: {{ {asked}: {{ lake: ./lake-{asked} }} }}`");
    Err(sink.error(diagnostic.help(help)))
}

fn names(targets: &[Target]) -> impl Iterator<Item = &str> {
    targets.iter().map(|target| target.name.as_str())
}

/// All targets, or the one that exists without a declaration.
fn declared(project: &YamlFields<'_>, sink: &mut Sink) -> Checked<Vec<Target>> {
    let Some(node) = project.get("targets") else {
        return Ok(vec![Target::default()]);
    };
    let entries = node.expect_mapping("`targets`", sink)?;
    sink.check_all(entries, |(name, node), sink| {
        let fields = YamlFields::of(node, &format!("the target `{}`", name.value), sink)?;
        // Every part is read before the first failure ends it, so that all that is wrong is said at once.
        KEYS.check(&fields, sink);
        let lake = LakeLocation::read(name, &fields, sink);
        let storage = StorageSettings::read(&fields, sink);
        check_engine(&fields, sink);
        let retention = Retention::read(&fields, sink);
        let vars = vars::read(&fields, sink);
        let env_vars = fields.read("env_vars", Node::expect_texts, sink).unwrap_or_default();
        let env_vars = env_vars.into_iter().map(|name| name.value).collect();
        let sources = fields.get("sources").map(|node| SourcePlaces::read(node, sink)).transpose();
        Ok(Target {
            name: name.value.clone(),
            lake: lake?,
            storage,
            retention,
            vars,
            env_vars,
            names: DbtOutput::default(),
            sources: sources?,
            defer: fields.text("defer", sink),
            cluster: ClusterTarget::read(&fields, sink),
            span: Some(name.span),
        })
    })
}

/// There is one engine so far; a target that names it keeps its meaning when there are more.
fn check_engine(fields: &YamlFields<'_>, sink: &mut Sink) {
    if let Some(engine) = fields.text("engine", sink).filter(|engine| engine.value != "local") {
        let message = format!("no engine is called `{}`", engine.value);
        sink.error(Diagnostic::error(Code::InvalidConfig, message).at(engine.span).help("the engines are `local`"));
    }
}

impl StorageSettings {
    fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> StorageSettings {
        let default = StorageSettings::default();
        StorageSettings {
            timeout_seconds: number(fields, "timeout", 1..=3600, sink).unwrap_or(default.timeout_seconds),
            connect_timeout_seconds: number(fields, "connect_timeout", 1..=3600, sink)
                .unwrap_or(default.connect_timeout_seconds),
            retries: number(fields, "retries", 0..=MOST_RETRIES, sink).unwrap_or(default.retries),
            retry_seconds: number(fields, "retry_for", 0..=3600, sink).unwrap_or(default.retry_seconds),
            connections: number(fields, "connections", 1..=1024, sink).unwrap_or(default.connections),
            checkpoint_every: number(fields, "checkpoint_every", 1..=1000, sink).unwrap_or(default.checkpoint_every),
        }
    }
}

/// The number that a key has. Returns `None` if it has none, or one that is reported.
fn number(fields: &YamlFields<'_>, key: &str, range: RangeInclusive<u32>, sink: &mut Sink) -> Option<u32> {
    let node = fields.get(key)?;
    let value = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(value), .. }) => u32::try_from(*value).ok(),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
    };
    let number = value.filter(|value| range.contains(value)).ok_or_else(|| {
        let is_time = matches!(key, "timeout" | "connect_timeout" | "retry_for");
        let unit = if is_time { "seconds" } else { "a whole number" };
        let message = format!("`{key}` must be {unit}, from {} to {}", range.start(), range.end());
        sink.error(Diagnostic::error(Code::InvalidConfig, message).at(node.place()))
    });
    number.ok()
}

#[cfg(test)]
mod tests;
