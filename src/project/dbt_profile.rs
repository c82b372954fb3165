//! `profiles.yml` of dbt, which is read for names only: those of the target, its schema and its database. How to reach a database, and with
//! which password, is nothing that is kept.

use std::collections::BTreeMap;
use std::path::Path;

use super::LoadRequest;
use super::dialect::SqlDialect;
use super::node::{Node, YamlEntry, YamlFields, YamlKind};
use super::yaml;
use super::yaml_template::{YamlScope, variables_in};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::host::Host;
use crate::span::SourceFiles;

/// The file, in the project's folder or in the one that is named.
pub(crate) const PROFILES: &str = "profiles.yml";

/// The target that dbt takes if a profile names none.
const USUAL_TARGET: &str = "default";

/// The names of one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DbtProfile {
    /// Its own name.
    pub name: String,
    /// The target that it chooses.
    pub target: String,
    /// Its outputs, by the names of targets.
    pub outputs: BTreeMap<String, DbtOutput>,
}

/// What one output of a profile calls its schema and its database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DbtOutput {
    pub schema: Option<String>,
    pub database: Option<String>,
    /// What to say if it is the one that counts.
    pub(super) warnings: Vec<Diagnostic>,
    /// The dialect of its database, if that is another than the one in which SQL is read without a word.
    dialect: Option<SqlDialect>,
}

/// The keys by which the adapters name their schema and their database.
const SCHEMA_KEYS: [&str; 2] = ["schema", "dataset"];
const DATABASE_KEYS: [&str; 5] = ["database", "dbname", "catalog", "project", PATH];
/// DuckDB's file, which gives the database its name.
const PATH: &str = "path";

impl DbtProfile {
    /// The profile that the project names, or the command line. Returns `None` if there is no file, or nobody names a profile.
    pub(super) fn read(
        host: &dyn Host,
        project: &Node,
        request: &LoadRequest,
        sink: &mut Sink,
    ) -> Checked<Option<DbtProfile>> {
        let fields = YamlFields::of(project, "the project file", &mut Sink::default());
        let of_project = fields.ok().and_then(|fields| fields.text("profile", &mut Sink::default()));
        let Some(name) = request.profile.clone().or_else(|| of_project.map(|name| name.value)) else {
            return Ok(None);
        };
        let Some(text) = text(host, request, sink)? else { return Ok(None) };
        // The texts are dropped with what is said of them: they may hold passwords.
        let mut files = SourceFiles::default();
        let file = files.add(PROFILES, text.as_str());
        let parsed = yaml::parse(&text, file, &mut Sink::default());
        let Ok(node) = parsed else {
            return Err(sink.error(Diagnostic::error(Code::InvalidYaml, format!("`{PROFILES}` is not a file of YAML"))));
        };
        let Some(profile) = entry(&node, &name) else {
            let known = entries(&node).map(|(key, _)| key.value.as_str()).filter(|key| *key != "config");
            let known: Vec<&str> = known.collect();
            let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, format!("`{PROFILES}` has no profile `{name}`"));
            sink.warn(diagnostic.suggest(&name, known.iter().copied()).help(format!("it has {}", all_of(known))));
            return Ok(None);
        };
        let variables = variables_in(&text).filter_map(|name| Some((name.to_owned(), host.variable(name)?))).collect();
        let scope = YamlScope::new(&BTreeMap::new(), &variables, &Default::default(), &[]);
        let profile = read_profile(name, profile, &scope, sink);
        let has_dialect = entry(project, "dialect").is_some();
        Ok(Some(if has_dialect { profile } else { profile.hinting_at_dialects() }))
    }
}

impl DbtProfile {
    /// With the advice to name the dialect: what a database reads otherwise than PostgreSQL gives other rows.
    fn hinting_at_dialects(mut self) -> DbtProfile {
        for output in self.outputs.values_mut() {
            let Some(dialect) = output.dialect.map(SqlDialect::word) else { continue };
            let of_keys = output.warnings.iter_mut().find(|warning| warning.code == Code::DiffersFromDbt);
            if let Some(warning) = of_keys {
                warning.helps.push(format!(
                    "SQL is read as PostgreSQL's, which differs in `/` and more: write `dialect: {dialect}` in the project file for that of \
                     your database"
                ));
            }
        }
        self
    }
}

/// The file's text. A folder that was named must have one.
fn text(host: &dyn Host, request: &LoadRequest, sink: &mut Sink) -> Checked<Option<String>> {
    let Some(folder) = &request.profiles_dir else { return Ok(host.read(PROFILES).ok()) };
    let path = host.current_folder().join(Path::new(folder)).join(PROFILES);
    host.user_file(&path).map(Some).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", path.display());
        sink.error(Diagnostic::error(Code::UnreadableFile, message).help("`--profiles-dir` is a folder with this file"))
    })
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node).find(|(found, _)| found.value == key).map(|(_, value)| value)
}

fn entries(node: &Node) -> impl Iterator<Item = &YamlEntry> {
    let entries = match &node.kind {
        YamlKind::Mapping(entries) => entries.as_slice(),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) => &[],
    };
    entries.iter()
}

fn read_profile(name: String, node: &Node, scope: &YamlScope, sink: &mut Sink) -> DbtProfile {
    let target = entry(node, "target").and_then(|target| rendered(target, scope, sink));
    let outputs = entry(node, "outputs").into_iter().flat_map(entries);
    let outputs = outputs.map(|(name, output)| (name.value.clone(), read_output(output, scope))).collect();
    DbtProfile { name, target: target.unwrap_or_else(|| USUAL_TARGET.to_owned()), outputs }
}

/// What is in an output besides names.
fn passed_over(output: &Node) -> Option<Diagnostic> {
    let keys: Vec<String> = entries(output).filter_map(|(key, _)| passed_over_key(&key.value)).collect();
    let verb = if keys.len() == 1 { "does" } else { "do" };
    let list = all_of(keys.iter().map(String::as_str));
    let message = format!("`{PROFILES}` is read for names only: {list} {verb} nothing here");
    let help = "`targets:` in the project file says where the tables are; without it, in `./lake`";
    (!keys.is_empty()).then(|| Diagnostic::warning(Code::DiffersFromDbt, message).help(help))
}

/// A key that is no name.
fn passed_over_key(key: &str) -> Option<String> {
    let is_name = SCHEMA_KEYS.contains(&key) || DATABASE_KEYS.contains(&key) && key != PATH;
    (!is_name).then(|| key.to_owned())
}

fn read_output(output: &Node, scope: &YamlScope) -> DbtOutput {
    let mut found = DbtOutput::default();
    let sink = &mut Sink::default();
    for (key, node) in entries(output) {
        let key = key.value.as_str();
        if found.schema.is_none() && SCHEMA_KEYS.contains(&key) {
            found.schema = rendered(node, scope, sink);
        } else if found.database.is_none() && DATABASE_KEYS.contains(&key) {
            let name = rendered(node, scope, sink);
            found.database = if key == PATH { name.map(|path| stem(&path)) } else { name };
        }
    }
    // The only adapter that has names without being told any.
    if entry(output, "type").is_some_and(|node| node.to_json() == "duckdb") {
        found.schema.get_or_insert_with(|| "main".to_owned());
        found.database.get_or_insert_with(|| "memory".to_owned());
    }
    found.warnings = sink.take();
    found.warnings.extend(passed_over(output));
    let database = entry(output, "type").and_then(|node| node.expect_any_text("`type`", &mut Sink::default()).ok());
    found.dialect = database.and_then(|word| SqlDialect::ALL.into_iter().find(|dialect| dialect.word() == word.value));
    found.dialect = found.dialect.filter(|dialect| *dialect != SqlDialect::default());
    found
}

/// A text, rendered. Returns `None` for everything else, and for what cannot be rendered, which is said.
fn rendered(node: &Node, scope: &YamlScope, sink: &mut Sink) -> Option<String> {
    let mut node = node.clone();
    let mut said = Sink::default();
    scope.render(&mut node, &mut said);
    if let Some(diagnostic) = said.take().into_iter().next() {
        // Its place is in a text that is not kept. A name alone is no reason to stop.
        sink.warn(Diagnostic { labels: Vec::new(), ..diagnostic }.note(format!("in `{PROFILES}`")));
        return None;
    }
    match &node.kind {
        YamlKind::Scalar(scalar) if !node.is_null() => Some(scalar.text.clone()),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
    }
}

/// DuckDB calls a database like its file: `jaffle_shop` for `data/jaffle_shop.duckdb`.
fn stem(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use crate::diag::{Sink, Style, render_all};
    use crate::host::MemoryHost;
    use crate::project::{LoadRequest, Project, load, read};
    use crate::span::SourceFiles;

    const PROFILES: &str = "
config: {send_anonymous_usage_stats: false}
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: data/shop.duckdb, schema: \"{{ env_var('DBT_SCHEMA', 'main') }}\", threads: 4}
    prod: {type: postgres, dbname: wh, schema: \"{{ env_var('SOMETHING') }}\", user: ann, password: hunter2}
";

    fn loaded(project: &str, profiles: &str, request: &LoadRequest) -> (Option<Project>, String) {
        let host = MemoryHost::with_files([("dbt_project.yml", project), ("profiles.yml", profiles)]);
        let mut texts = SourceFiles::default();
        let mut sink = Sink::default();
        let found = read(&host, &mut texts, &mut sink).and_then(|files| files.with_profile(&host, request, &mut sink));
        let project = found.and_then(|files| load(&files, &mut texts, request, &mut sink)).ok();
        assert!(texts.ids().all(|file| !texts.text(file).contains("hunter2")));
        (project, render_all(&sink.take(), &texts, Style::Plain))
    }

    #[test]
    fn a_profile_gives_names_and_nothing_else() {
        let (project, said) = loaded("name: p\nprofile: shop", PROFILES, &LoadRequest::default());
        let target = project.unwrap().target;
        assert_eq!(target.name, "dev");
        assert_eq!((target.names.schema.as_deref(), target.names.database.as_deref()), (Some("main"), Some("shop")));
        assert_eq!(target.lake.folder(), Some("./lake"));
        insta::assert_snapshot!(said, @r"
        warning[differs-from-dbt]: `profiles.yml` is read for names only: `type`, `path` and `threads` do nothing here
         = help: `targets:` in the project file says where the tables are; without it, in `./lake`
         = help: SQL is read as PostgreSQL's, which differs in `/` and more: write `dialect: duckdb` in the project file for that of your database
        ");
    }

    #[test]
    fn a_target_of_the_project_has_the_names_of_the_output_that_is_called_so() {
        let project = "name: p\nprofile: shop\ntargets: {prod: {lake: l}}";
        let (project, said) = loaded(project, PROFILES, &LoadRequest::default());
        let target = project.unwrap().target;
        assert_eq!((target.names.schema.as_deref(), target.names.database.as_deref()), (None, Some("wh")));
        insta::assert_snapshot!(said, @r"
        warning[differs-from-dbt]: `profiles.yml` is read for names only: `type`, `user` and `password` do nothing here
         = help: `targets:` in the project file says where the tables are; without it, in `./lake`

        warning[template-error]: the environment variable `SOMETHING` is not set
         = note: in `profiles.yml`
         = help: a value in YAML may use `var()`, `env_var()` and `target`
        ");
    }

    #[test]
    fn another_output_needs_a_lake_of_its_own() {
        let request = LoadRequest { target: Some("prod".to_owned()), ..LoadRequest::default() };
        let (project, said) = loaded("name: p\nprofile: shop", PROFILES, &request);
        assert!(project.is_none());
        insta::assert_snapshot!(said, @r"
        error[invalid-config]: the project does not say where the tables of the target `prod` are
         = help: declare it in the project file: `targets: { prod: { lake: ./lake-prod } }`
        ");
    }

    #[test]
    fn a_profile_that_is_not_there_is_a_warning() {
        let request = LoadRequest { profile: Some("shopp".to_owned()), ..LoadRequest::default() };
        let (project, said) = loaded("name: p\nprofile: shop", PROFILES, &request);
        assert_eq!(project.unwrap().target.name, "local");
        insta::assert_snapshot!(said, @r"
        warning[differs-from-dbt]: `profiles.yml` has no profile `shopp`
         = help: did you mean `shop`?
         = help: it has `shop`
        ");
        let request = LoadRequest { profiles_dir: Some("nowhere".to_owned()), ..LoadRequest::default() };
        assert!(
            loaded("name: p\nprofile: shop", PROFILES, &request).1.contains("`/nowhere/profiles.yml` cannot be read")
        );
    }
}
