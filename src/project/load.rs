//! From what was read to a project: names checked, configs merged, everything wrong said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::broken_properties::{FaultZones, PropertyFaults, ReadProperties};
use super::disabled::Disabled;
use super::files::{FoundFile, ProjectFiles};
use super::found_models::{FoundModels, PackageFiles, ProjectFolders, PropertiesFile, beginning};
use super::generic_test::TestCalls;
use super::load_request::LoadRequest;
use super::model::{Model, SingularTest};
use super::node::YamlFields;
use super::package::{Package, macro_files, package_vars, packages_of, project_name, search_orders, version_of};
use super::resources::{DeclaredResources, DeclaringFile};
use super::rewrites::SqlReading;
use super::source_files::inside;
use super::sources::{DeclaredSources, Surroundings};
use super::test_config::{AllTests, ProjectTestFolders};
use super::unit_test::{self, UnitTestScope, UnitTests};
use super::yaml_docs::{all_docs, texts_by_name};
use super::yaml_scopes::YamlScopes;
use super::{
    ModelVersions, Project, Resource, RunHooks, Target, dbt_version, generic_test, properties, quoting, schema, seeds,
    sources, vars, yaml,
};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, NodeKind, SchemaName};
use crate::span::SourceFiles;

/// Loads the project. `sources` has the texts of `files`, and gets that of `--vars`.
///
/// # Errors
///
/// Returns an error if something is wrong of which nobody can tell which models it is about.
pub fn load(
    files: &ProjectFiles,
    sources: &mut SourceFiles,
    request: &LoadRequest,
    sink: &mut Sink,
) -> Checked<Project> {
    let mut said = Sink::default();
    let loaded = load_with_faults(files, sources, request, &mut said);
    let loaded = loaded.map(|(project, faults)| {
        let mut taken = faults.take_from(&mut said, &project.models, sources);
        for (seed, faults) in &project.faults.models {
            taken.models.entry(seed.clone()).or_default().extend(faults.iter().cloned());
        }
        Project { faults: taken, ..project }
    });
    if said.has_errors() {
        // Where the project is stopped all the same, everything is said.
        loaded.iter().flat_map(|project| project.faults.all()).for_each(|fault| said.add(fault.clone()));
    }
    let checked = loaded.and_then(|project| said.unless_errors(project));
    sink.append(said);
    checked
}

/// The project, whatever is wrong with properties files, and what knows whom that stops.
fn load_with_faults(
    files: &ProjectFiles,
    sources: &mut SourceFiles,
    request: &LoadRequest,
    sink: &mut Sink,
) -> Checked<(Project, FaultZones)> {
    let typed_vars = vars::read_typed(request.vars.as_deref(), sources, sink);
    let docs = all_docs(files, sources);
    let scopes = YamlScopes::of(files, request, typed_vars.as_ref().ok(), &texts_by_name(&docs));
    let files = &files.with_project_files(&|package, node, sink| scopes.of_file(package).render(node, sink), sink);
    let fields = project_fields(files, sink)?;
    let (name, schema) = project_name(&fields, sink)?;
    let folders = ProjectFolders::read(&fields, &name.value, sink);
    let packages = packages_of(files, &name, sink);
    let properties = parsed_properties(files, sources, &scopes, sink);
    let own = PackageFiles { files, properties: &properties.parsed, texts: sources };
    let mut models = models_of(own, &packages, &folders, &schema, sink);
    let Described { sources: mut declared_sources, resources, versions } =
        described(own, &name.value, &mut models, sink);
    declared_sources.configure(&fields, &packages, sink);
    let vars = vars::read_project(&fields, &name.value, sink);
    let target = Target::choose(&fields, request.target.as_deref(), files.profile.as_ref(), sink);
    let mut singular_tests = singular_tests(&name.value, files, &packages, sink);
    let hooks = run_hooks(&name.value, &fields, &packages, sink);
    let reading = SqlReading::read(&fields, sink);
    let target = target?;
    let typed_vars = typed_vars?;
    let finished = |vars: BTreeMap<String, Value>| scopes.own.variables(finished_vars(vars, &target, &typed_vars));
    let macro_files = macro_files(&name.value, files, &packages, sources);
    let unit_tests = unit_tests(files, &properties, &models, sources, sink);
    let mut declared_sources = placed(declared_sources, &mut models, &target, sink);
    let tests = AllTests { models: &mut models, sources: &mut declared_sources.located, singular: &mut singular_tests };
    let test_folders = ProjectTestFolders { fields: &fields, project: &name.value, packages: &packages };
    tests.configure(test_folders, &properties.parsed, sink);
    // Only now: a disabled model may be described, and its name is taken all the same.
    let disabled = Disabled::take(&mut models, &mut declared_sources).with(unit_tests.disabled, resources.disabled);
    let of_seeds = seeds::settle(files, &mut models, reading.dialect);
    let calls = TestCalls { macro_files: &macro_files, project: &name.value, files: sources };
    generic_test::write_calls(models.values_mut(), declared_sources.located.values_mut(), calls, sink);
    let project = Project {
        name,
        reading,
        target_path: target_path(&fields, sink),
        version: version_of(&fields, sink),
        models,
        disabled,
        sources: declared_sources.located,
        tables: declared_sources.tables,
        source_properties: declared_sources.properties,
        docs,
        packages: versions_of(&packages),
        search_orders: search_orders(&fields, sink),
        macro_files,
        singular_tests,
        resources: resources.resources,
        groups: resources.groups,
        hooks,
        versions,
        unit_tests: unit_tests.enabled,
        selectors: files.selectors,
        package_vars: package_vars(&packages, &fields, &vars, &finished),
        vars: finished(vars),
        profile: files.profile.as_ref().map(|profile| profile.name.clone()),
        target,
        faults: PropertyFaults::of_models(of_seeds),
    };
    Ok((project, FaultZones::of(&properties, sink)))
}

/// The models, seeds and snapshots of the project, and then those of its packages.
fn models_of(
    own: PackageFiles<'_>,
    packages: &[Package<'_>],
    folders: &ProjectFolders,
    schema: &SchemaName,
    sink: &mut Sink,
) -> BTreeMap<ModelName, Model> {
    let mut found = FoundModels { models: BTreeMap::new(), names: BTreeMap::new() };
    found.add_all(own, folders.configs(schema), sink);
    for package in packages {
        found.add_all(PackageFiles { files: package.files, ..own }, folders.configs_of(package), sink);
    }
    // The schema is called like the project.
    folders.warn_of_unmatched(schema.as_str(), &found.models, sink);
    found.models
}

/// The later extension wins: `--vars` over target over project, and the project over its packages.
fn finished_vars(
    vars: BTreeMap<String, Value>,
    target: &Target,
    typed: &BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let of_target = target.vars.iter().map(|(name, value)| (name.clone(), value.clone()));
    vars.into_iter().chain(of_target).chain(typed.clone()).collect()
}

fn project_fields<'a>(files: &'a ProjectFiles, sink: &mut Sink) -> Checked<YamlFields<'a>> {
    let fields = YamlFields::of(&files.project, "the project file", sink)?;
    schema::PROJECT.check(&fields, sink);
    dbt_version::check("the project", &fields, sink);
    quoting::note_of_project(&fields, sink);
    Ok(fields)
}

/// The unit tests of the project and of its packages.
fn unit_tests(
    files: &ProjectFiles,
    properties: &ReadProperties<'_>,
    models: &BTreeMap<ModelName, Model>,
    sources: &mut SourceFiles,
    sink: &mut Sink,
) -> UnitTests {
    let fixtures = std::iter::once(files).chain(&files.packages).flat_map(ProjectFiles::fixtures).collect();
    unit_test::read(&properties.parsed, &UnitTestScope { models, fixtures }, sources, sink)
}

/// The hooks of the packages and then of the project, as dbt runs them.
fn run_hooks(project: &str, fields: &YamlFields<'_>, packages: &[Package<'_>], sink: &mut Sink) -> RunHooks {
    let mut hooks = RunHooks::default();
    for package in packages {
        // That its file is a mapping was seen when it was read.
        if let Ok(fields) = YamlFields::of(&package.files.project, "the project file", &mut Sink::default()) {
            hooks.add(package.name.as_str(), &fields, sink);
        }
    }
    hooks.add(project, fields, sink);
    hooks
}

fn versions_of(packages: &[Package<'_>]) -> BTreeMap<String, Option<String>> {
    packages.iter().map(|package| (package.name.as_str().to_owned(), package.version.clone())).collect()
}

/// The folder for what karat writes beside tables. A project says nothing of other places on the machine.
fn target_path(fields: &YamlFields<'_>, sink: &mut Sink) -> Option<String> {
    let written = fields.text("target-path", sink)?;
    match inside(&written, &mut Sink::default()) {
        Ok(path) => Some(path.value),
        Err(_) => {
            let message = format!("the `target-path` `{}` is not a folder inside the project", written.value);
            let diagnostic = Diagnostic::warning(Code::InvalidConfig, message).at(written.span);
            sink.warn(diagnostic.note("files go to `target`").help("`--target-path` names any folder"));
            None
        }
    }
}

/// The sources, also those that the target finds the files of.
fn placed(
    mut sources: DeclaredSources,
    models: &mut BTreeMap<ModelName, Model>,
    target: &Target,
    sink: &mut Sink,
) -> DeclaredSources {
    let seeds = models.values().filter(|model| model.kind() == NodeKind::Seed).map(|seed| seed.name.as_str());
    sources.place(&Surroundings { places: target.sources.as_ref(), seeds: &seeds.collect() }, sink);
    seeds::enable_read_as_sources(models, sources.tables.values(), sink);
    sources
}

/// The properties files of the project and of its packages, with their templates rendered.
fn parsed_properties<'a>(
    files: &'a ProjectFiles,
    sources: &SourceFiles,
    scopes: &YamlScopes,
    sink: &mut Sink,
) -> ReadProperties<'a> {
    let mut parsed = Vec::new();
    let mut unparsed = Vec::new();
    for (place, package) in std::iter::once(files).chain(&files.packages).enumerate() {
        let scope = scopes.of_file(place.checked_sub(1));
        for found in package.properties() {
            let Ok(mut node) = yaml::parse(sources.text(found.file), found.file, sink) else {
                unparsed.push(found.file);
                continue;
            };
            scope.render(&mut node, sink);
            if !node.is_null() {
                parsed.push(PropertiesFile { package: package.name(), found, node });
            }
        }
    }
    ReadProperties { parsed, unparsed }
}

/// What properties files declare.
struct Described {
    sources: DeclaredSources,
    resources: DeclaredResources,
    versions: ModelVersions,
}

/// Merges what properties files say onto the models, seeds and snapshots, and gives what else they declare.
fn described(
    found: PackageFiles<'_>,
    project: &str,
    models: &mut BTreeMap<ModelName, Model>,
    sink: &mut Sink,
) -> Described {
    let mut sources = DeclaredSources::default();
    let mut resources = DeclaredResources::default();
    let mut versions = ModelVersions::default();
    for package in std::iter::once(found.files).chain(&found.files.packages) {
        let name = package.name();
        resources.add_analyses(name.as_deref().unwrap_or(project), package.analyses(), sink);
    }
    quoting::note_of_sources(found.properties, sink);
    let mut unknown = Vec::new();
    for PropertiesFile { package, found, node } in found.properties {
        let Ok(fields) = YamlFields::of(node, "a properties file", sink) else {
            continue;
        };
        schema::PROPERTIES.check(&fields, sink);
        for kind in [NodeKind::Model, NodeKind::Seed, NodeKind::Snapshot] {
            unknown.extend(properties::describe(kind, &fields, models, &mut versions, sink));
        }
        let package = package.as_deref().unwrap_or(project);
        let file = DeclaringFile { package, found };
        sources::declare(&fields, file, &mut sources, sink);
        resources.declare(&fields, file, sink);
    }
    unknown.into_iter().for_each(|name| name.report(models, sink));
    let order = |one: &Resource| (one.kind, one.package.clone(), one.name.value.clone());
    resources.resources.sort_by_key(order);
    resources.disabled.sort_by_key(order);
    Described { sources, resources, versions }
}

/// Those of the project, and then those of its packages.
fn singular_tests(project: &str, files: &ProjectFiles, packages: &[Package<'_>], sink: &mut Sink) -> Vec<SingularTest> {
    let mut tests = singular_tests_of(project, files, sink);
    for package in packages {
        tests.extend(singular_tests_of(package.name.as_str(), package.files, sink));
    }
    tests
}

fn singular_tests_of(package: &str, files: &ProjectFiles, sink: &mut Sink) -> Vec<SingularTest> {
    let mut seen: BTreeMap<&str, &FoundFile> = BTreeMap::new();
    let mut tests = Vec::new();
    for found in files.singular_tests() {
        let stem = found.below.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql");
        if let Some(first) = seen.insert(stem, found) {
            let diagnostic = Diagnostic::error(Code::DuplicateName, format!("two tests are called `{stem}`"));
            sink.error(
                diagnostic.labelled(beginning(found), "the second one").labelled(beginning(first), "the first one"),
            );
        }
        tests.push(SingularTest::found(stem, package, found));
    }
    tests
}

#[cfg(test)]
mod tests {
    use crate::project::testing::{load, said};

    #[test]
    fn a_model_is_named_by_its_file_and_stored_by_its_folder() {
        let files = [
            ("models/silver/users/dim_users.sql", "select 1"),
            ("models/top.sql", "select 2"),
            ("macros/m.sql", ""),
            ("tests/t.sql", ""),
        ];
        let project = load("name: notes\nversion: 1.0\nprofile: x\n", &files).unwrap();
        let macros: Vec<&str> = project.macro_files.iter().map(|source| source.package.as_str()).collect();
        assert_eq!(project.version.as_deref(), Some("1.0"));
        let models: Vec<_> =
            project.models.values().map(|model| (model.table(None, None).to_string(), model.fqn.join("."))).collect();
        assert_eq!(
            models,
            [
                ("silver.dim_users".to_owned(), "notes.silver.users.dim_users".to_owned()),
                ("notes.top".to_owned(), "notes.top".to_owned())
            ]
        );
        assert_eq!((&macros[..], project.singular_tests[0].name.as_str()), (&["notes", "dbt"][..], "t"));
    }

    #[test]
    fn a_disabled_model_is_left_out() {
        let files =
            [("models/old/a.sql", "select 1"), ("models/b.sql", "select 1"), ("models/p.yml", "models: [{name: a}]")];
        let project = load("name: p\nmodels: {old: {+enabled: false}}", &files).unwrap();
        assert_eq!(project.models.len(), 1);
    }

    #[test]
    fn names_are_valid_and_unique() {
        let files = [
            ("models/a/users.sql", "select 1"),
            ("models/b/Users.sql", "select 2"),
            ("models/c-d/dau-daily.sql", "select 3"),
            ("tests/x/t.sql", "select 4"),
            ("tests/y/t.sql", "select 5"),
        ];
        insta::assert_snapshot!(said("name: p", &files), @r"
        error[duplicate-name]: two models are called `Users`
         --> models/b/Users.sql:1:1
          |
        1 | select 2
          | ^ the second one
          |
         ::: models/a/users.sql:1:1
          |
        1 | select 1
          | - the first one
          |
          = help: rename `models/b/Users.sql`: a name is unique in the whole project

        warning[invalid-name]: the model `dau-daily` is called `dau_daily` here, and so is its table: a name has only letters, digits and `_`
         --> models/c-d/dau-daily.sql:1:1
          |
        1 | select 3
          | ^
          |
          = note: `ref('dau-daily')` finds it
          = help: rename it to `models/c-d/dau_daily.sql`

        error[duplicate-name]: two tests are called `t`
         --> tests/y/t.sql:1:1
          |
        1 | select 5
          | ^ the second one
          |
         ::: tests/x/t.sql:1:1
          |
        1 | select 4
          | - the first one
        ");
    }

    #[test]
    fn the_project_file_has_a_name_and_known_keys() {
        insta::assert_snapshot!(said("version: 1\n", &[]), @r"
        error[invalid-yaml]: the project has no `name`
         --> project.yml:1:1
          |
        1 | version: 1
          | ^^^^^^^
          |
          = help: add `name: …`
        ");
        insta::assert_snapshot!(said("name: my-project\n", &[]), @r"
        error[invalid-name]: `my-project` is not a name for a project: a name has only letters, digits and `_`
         --> project.yml:1:7
          |
        1 | name: my-project
          |       ^^^^^^^^^^
        ");
        insta::assert_snapshot!(said("name: p\nversion: [1]\nmodel-path: x\nexposures: {}\nfoo: 1\nvars: [a]\n", &[]), @r"
        error[invalid-yaml]: `version` must be a text, not a list
         --> project.yml:2:11
          |
        2 | version: [1]
          |           ^

        error[unknown-key]: `model-path` is not a key of the project file
         --> project.yml:3:1
          |
        3 | model-path: x
          | ^^^^^^^^^^
          |
          = help: did you mean `model-paths`?

        warning[unknown-key]: `exposures` is not used yet
         --> project.yml:4:1
          |
        4 | exposures: {}
          | ^^^^^^^^^

        warning[unknown-key]: `foo` is not a key of the project file, and does nothing
         --> project.yml:5:1
          |
        5 | foo: 1
          | ^^^

        error[invalid-yaml]: `vars` must be a mapping of keys to values, not a list
         --> project.yml:6:8
          |
        6 | vars: [a]
          |        ^
        ");
    }

    #[test]
    fn one_bad_properties_file_does_not_hide_the_next() {
        let files = [
            ("models/a.yml", "- x\n"),
            ("models/b.yml", "models: {a: 1}\n"),
            ("models/c.yml", "a: [\n"),
            ("models/d.yml", ""),
        ];
        insta::assert_snapshot!(said("name: p", &files), @r"
        error[invalid-yaml]: a properties file must be a mapping of keys to values, not a list
         --> models/a.yml:1:3
          |
        1 | - x
          |   ^

        error[invalid-yaml]: `models` must be a list, not a mapping
         --> models/b.yml:1:10
          |
        1 | models: {a: 1}
          |          ^

        error[invalid-yaml]: the bracket `[` is never closed
         --> models/c.yml:1:4
          |
        1 | a: [
          |    ^
          |
          = help: close it with `]`
        ");
    }
}
