//! What a project says of its data tests elsewhere than at the test: `data_tests:` in the project file, by folder, and
//! `data_tests:` in properties files, by the name of a test that is a file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::files::FoundFile;
use super::folders::ConfigFolder;
use super::found_models::PropertiesFile;
use super::model::{DeclaredTest, Model, SingularTest};
use super::node::YamlFields;
use super::package::Package;
use super::schema;
use super::settings::{Settings, TestSettings};
use super::source::Source;
use super::test_rule::TestRule;
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::{ModelName, TableName};
use crate::span::{FileId, Spanned};

/// The tests of a project and of its packages.
pub(super) struct AllTests<'a> {
    pub models: &'a mut BTreeMap<ModelName, Model>,
    pub sources: &'a mut BTreeMap<TableName, Source>,
    pub singular: &'a mut Vec<SingularTest>,
}

impl AllTests<'_> {
    /// Gives them what project file and properties files say of them elsewhere than where they are declared.
    pub fn configure(self, folders: ProjectTestFolders<'_>, properties: &[PropertiesFile<'_>], sink: &mut Sink) {
        describe_singular(properties, self.singular, sink);
        TestFolders::read(folders, properties, sink).apply(self, sink);
    }
}

/// What has a say over data tests besides properties files.
#[derive(Clone, Copy)]
pub(super) struct ProjectTestFolders<'a> {
    /// The project file.
    pub fields: &'a YamlFields<'a>,
    /// The project's name.
    pub project: &'a str,
    pub packages: &'a [Package<'a>],
}

/// `data_tests:` of the project file and of those of packages.
struct TestFolders<'a> {
    folder: ConfigFolder,
    project: &'a str,
    packages: &'a [Package<'a>],
    /// The package of each properties file, and the folders that it lies in.
    files: BTreeMap<FileId, Vec<String>>,
}

impl<'a> TestFolders<'a> {
    pub fn read(
        folders: ProjectTestFolders<'a>,
        properties: &[PropertiesFile<'_>],
        sink: &mut Sink,
    ) -> TestFolders<'a> {
        let ProjectTestFolders { fields, project, packages } = folders;
        let folder = ConfigFolder::of_tests(fields, project, sink);
        let place = |properties: &PropertiesFile<'_>| {
            let package = properties.package.as_deref().unwrap_or(project);
            (properties.found.file, path(package, &properties.found.below))
        };
        TestFolders { folder, project, packages, files: properties.iter().map(place).collect() }
    }

    /// Gives all tests what holds for them, under what they say themselves.
    pub fn apply(&self, tests: AllTests<'_>, sink: &mut Sink) {
        let mut paths = Vec::new();
        let mut said = BTreeSet::new();
        let mut settle = |test: &mut DeclaredTest| {
            let Some(folders) = self.files.get(&test.span.file) else { return };
            let name = test.name.as_ref().map_or(&test.kind.value, |name| &name.value);
            let fqn: Vec<String> = folders.iter().chain([name]).cloned().collect();
            let mut faults = Sink::default();
            test.fill(&self.settings(&fqn).values, &mut faults);
            // What is wrong with a config is wrong for every test that it holds for.
            for fault in faults.take() {
                if said.insert((fault.message.clone(), fault.labels.first().map(|label| label.span.start))) {
                    sink.add(fault);
                }
            }
            paths.push(fqn);
        };
        for model in tests.models.values_mut() {
            model.tests.iter_mut().for_each(&mut settle);
            model.columns.iter_mut().flat_map(|column| &mut column.tests).for_each(&mut settle);
        }
        for source in tests.sources.values_mut() {
            source.tests.iter_mut().for_each(&mut settle);
            source.columns.iter_mut().flat_map(|column| &mut column.tests).for_each(&mut settle);
        }
        for test in tests.singular {
            let mut fqn = path(&test.package, &test.below);
            fqn.push(test.name.clone());
            for (key, value) in self.settings(&fqn).values {
                // A condition means something for a test of a table alone.
                if key != "where" {
                    test.settings.entry(key).or_insert(value);
                }
            }
            paths.push(fqn);
        }
        let paths: Vec<&[String]> = paths.iter().map(|fqn| self.below_project(fqn)).collect();
        self.folder.warn_below(&paths, sink);
    }

    fn settings(&self, fqn: &[String]) -> Settings {
        let is_own = fqn.first().is_some_and(|package| package == self.project);
        if is_own {
            return self.folder.settings_for(fqn);
        }
        // What the project says of a package wins over what the package says itself.
        let package =
            self.packages.iter().find(|package| fqn.first().is_some_and(|name| name == package.name.as_str()));
        let of_root = self.folder.settings_of_package(fqn);
        let Some(package) = package else { return of_root };
        let mut settings = package.tests.settings_for(fqn);
        settings.merge(&of_root);
        settings
    }

    fn below_project<'f>(&self, fqn: &'f [String]) -> &'f [String] {
        let is_own = fqn.first().is_some_and(|package| package == self.project);
        if is_own { fqn.get(1..).unwrap_or(&[]) } else { fqn }
    }
}

/// The package, and the folders of a file.
fn path(package: &str, below: &str) -> Vec<String> {
    let folders = below.rsplit_once('/').map_or("", |(folders, _)| folders);
    let folders = folders.split('/').filter(|folder| !folder.is_empty());
    [package].into_iter().chain(folders).map(str::to_owned).collect()
}

impl DeclaredTest {
    /// All of its config, as its macro may ask for it.
    pub fn settings(&self) -> TestSettings {
        self.config.iter().map(|(key, value)| (key.clone(), Spanned::new(value.clone(), self.span))).collect()
    }

    /// Takes configs that it does not have itself.
    fn fill(&mut self, settings: &TestSettings, sink: &mut Sink) {
        let is_missing = |key: &str| !self.config.contains_key(key);
        let missing: TestSettings = settings
            .iter()
            .filter(|(key, value)| {
                (is_missing(key) || matches!(key.as_str(), "tags" | "meta")) && !value.value.is_null()
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(filter) = missing.get("where") {
            self.filter = filter.value.as_str().map(|text| Spanned::new(text.to_owned(), filter.span));
        }
        if let Some(calculation) = missing.get("fail_calc") {
            self.calculation = calculation.value.as_str().map(|text| Spanned::new(text.to_owned(), calculation.span));
        }
        if let Some(enabled) = missing.get("enabled") {
            self.is_enabled = enabled.value != Value::Bool(false);
        }
        let rules = missing.iter().filter(|(key, _)| *key != "where");
        match TestRule::of_config(&rules.map(|(key, value)| (key.clone(), value.clone())).collect()) {
            Ok(rule) => {
                for key in missing.keys() {
                    match key.as_str() {
                        "severity" => self.rule.severity = rule.severity,
                        "error_if" => self.rule.error_if = rule.error_if,
                        "warn_if" => self.rule.warn_if = rule.warn_if,
                        _ => {}
                    }
                }
            }
            Err(wrong) => {
                sink.error(wrong);
            }
        }
        for (key, value) in missing {
            if let Err(wrong) = self.storage.set(&key, &value) {
                sink.error(wrong);
            }
            if key == "tags" {
                let tags = value.value.as_array().into_iter().flatten().filter_map(Value::as_str);
                let new: Vec<String> =
                    tags.filter(|tag| !self.tags.iter().any(|own| own == tag)).map(str::to_owned).collect();
                self.tags.extend(new);
            }
            self.config.entry(key).or_insert(value.value);
        }
    }
}

/// Takes what properties files say of tests that are files.
fn describe_singular(properties: &[PropertiesFile<'_>], tests: &mut [SingularTest], sink: &mut Sink) {
    let places: BTreeMap<String, usize> =
        tests.iter().enumerate().rev().map(|(place, test)| (test.name.clone(), place)).collect();
    for PropertiesFile { node, .. } in properties {
        // What is no mapping is reported where models are described.
        let Ok(fields) = YamlFields::of(node, "a properties file", &mut Sink::default()) else { continue };
        for node in fields.list("data_tests", sink).iter().chain(fields.list("tests", sink)) {
            let Ok(fields) = YamlFields::of(node, "an item of `data_tests`", sink) else { continue };
            schema::SINGULAR_TEST.check(&fields, sink);
            let Ok(name) = fields.name("a data test", sink) else { continue };
            let Some(test) = places.get(&name.value).and_then(|place| tests.get_mut(*place)) else {
                let known: Vec<&str> = places.keys().map(String::as_str).collect();
                let message = format!("no data test is a file called `{}.sql`", name.value);
                let diagnostic = Diagnostic::warning(Code::UnknownModelInYaml, message).at(name.span);
                sink.warn(diagnostic.suggest(&name.value, known));
                continue;
            };
            test.description = fields.description(sink);
            let Some(config) = fields.get("config") else { continue };
            let Ok(config) = YamlFields::of(config, "`config`", sink) else { continue };
            schema::TEST_CONFIG.check(&config, sink);
            for (key, node) in config.entries() {
                test.settings.insert(key.value.clone(), Spanned::new(node.to_json(), node.place()));
            }
        }
    }
}

impl SingularTest {
    pub(super) fn found(name: &str, package: &str, found: &FoundFile) -> SingularTest {
        SingularTest {
            name: name.to_owned(),
            package: package.to_owned(),
            file: found.file,
            path: found.path.clone(),
            below: found.below.clone(),
            description: String::new(),
            settings: TestSettings::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::project::TestSeverity;
    use crate::project::testing::{load, said};

    const FILES: [(&str, &str); 4] = [
        ("models/staging/a.sql", "select 1 as id"),
        ("models/b.sql", "select 1 as id"),
        ("tests/finance/total.sql", "select 1"),
        ("models/b.yml", "models: [{name: b, data_tests: [row_count: {min: 1, severity: error, tags: [own]}]}]"),
    ];

    fn files(more: &'static str) -> Vec<(&'static str, &'static str)> {
        FILES.into_iter().chain([("models/staging/a.yml", more)]).collect()
    }

    #[test]
    fn folders_of_the_project_file_hold_for_tests_that_say_nothing_themselves() {
        let project = "
name: p
data_tests:
  +tags: all
  p:
    +severity: warn
    staging: {+store_failures: true, +limit: 7}
    finance: {+error_if: '> 3'}
";
        let yaml = "models: [{name: a, columns: [{name: id, data_tests: [not_null, unique: {config: {limit: 1}}]}]}]";
        let loaded = load(project, &files(yaml)).unwrap();
        let tests: Vec<_> = loaded
            .models
            .values()
            .flat_map(|model| model.tests.iter().chain(model.columns.iter().flat_map(|column| &column.tests)))
            .map(|test| {
                (&*test.kind.value, test.rule.severity, test.storage.stores, test.storage.limit, test.tags.join(" "))
            })
            .collect();
        assert_eq!(
            tests,
            [
                ("not_null", TestSeverity::Warn, Some(true), Some(7), "all".to_owned()),
                ("unique", TestSeverity::Warn, Some(true), Some(1), "all".to_owned()),
                ("row_count", TestSeverity::Error, None, None, "own all".to_owned()),
            ]
        );
        let total = &loaded.singular_tests[0];
        assert_eq!(total.settings.keys().collect::<Vec<_>>(), ["error_if", "severity", "tags"]);
    }

    #[test]
    fn a_file_is_described_by_its_name_and_a_folder_without_tests_is_said() {
        let project = "name: p\ntests: {stagng: {+severity: warn}, +severty: warn}";
        let yaml = "data_tests: [{name: total, config: {severity: warn}}, {name: totl, config: {wher: x}}]";
        let said = said(project, &files(yaml));
        let messages: Vec<&str> = said.lines().filter(|line| line.contains("]: ")).collect();
        assert_eq!(
            messages,
            [
                "warning[unknown-key]: no folder or test is called `stagng` here",
                "error[unknown-key]: no config of a data test is called `severty`",
                "warning[unknown-model-in-yaml]: no data test is a file called `totl.sql`",
            ]
        );
    }
}
