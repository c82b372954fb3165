//! The list of codes: a word, one line that sums it up, and a page for `karat explain`.

use std::fmt;

macro_rules! codes {
    ($($variant:ident => $word:literal, $summary:literal;)*) => {
        /// What kind of thing is wrong. Codes are words: they can be read in a log and never collide.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $summary] $variant,)* }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            pub fn word(self) -> &'static str {
                match self { $(Code::$variant => $word,)* }
            }

            pub fn summary(self) -> &'static str {
                match self { $(Code::$variant => $summary,)* }
            }

            /// The page that tells what it means, why it matters and how to fix it, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Code::$variant => include_str!(concat!("pages/", $word, ".md")),)* }
            }
        }
    };
}

codes! {
    NoProject => "no-project", "there is no `project.yml` here or in a folder above";
    DiffersFromDbt => "differs-from-dbt", "something that dbt does otherwise, or that karat does not do";
    UnreadableFile => "unreadable-file", "a file or folder of the project could not be read";
    InvalidYaml => "invalid-yaml", "a YAML file is malformed, or a value has the wrong type";
    UnknownKey => "unknown-key", "a YAML key or config that karat does not know";
    InvalidConfig => "invalid-config", "a config has an invalid value, or two configs contradict each other";
    InvalidName => "invalid-name", "a name that not every engine and disk supports";
    DuplicateName => "duplicate-name", "two models, seeds, sources, macros or tests share one name";
    UnknownModelInYaml => "unknown-model-in-yaml", "a properties file describes a model or seed that does not exist";
    TemplateSyntax => "template-syntax", "a template cannot be parsed";
    TemplateError => "template-error", "a template fails while it is rendered";
    TemplateFuel => "template-fuel", "a template runs too long";
    UnknownMacro => "unknown-macro", "a template calls a macro or function that does not exist";
    WrongPackage => "wrong-package", "a package is not here, cannot be fetched, or is not what is locked";
    UnknownVar => "unknown-var", "a template reads a variable that is not set";
    UnknownEnvVar => "unknown-env-var", "a template reads an environment variable that is not set";
    UnknownRef => "unknown-ref", "a model refers to a model that does not exist";
    UnknownSource => "unknown-source", "a model refers to a source that does not exist";
    Cycle => "cycle", "models depend on each other in a cycle";
    InvalidSelector => "invalid-selector", "a selector cannot be parsed";
    EmptySelection => "empty-selection", "nothing matches the selection";
    InvalidSql => "invalid-sql", "the SQL of a model cannot be parsed";
    UnsupportedSql => "unsupported-sql", "part of the SQL would not do what it says";
    NotASelect => "not-a-select", "a model is not exactly one SELECT";
    UnknownColumn => "unknown-column", "a column that none of the inputs has";
    UnknownTable => "unknown-table", "a table that is named without `ref()` or `source()`";
    UnknownFunction => "unknown-function", "a SQL function that does not exist";
    VolatileFunction => "volatile-function", "a SQL function returns different values each time it is computed";
    WrongType => "wrong-type", "an expression has a type that does not fit";
    InvalidPlan => "invalid-plan", "the SQL parses, but it cannot be planned";
    BrokenModel => "broken-model", "models that a command does not need have errors";
    PlanChanged => "plan-changed", "models no longer compile to the plans that are kept";
    MissingColumn => "missing-column", "a config names a column that the model does not output";
    NoSourceFile => "no-source-file", "a source's location matches no file";
    InvalidSourceFile => "invalid-source-file", "a source file cannot be read as declared";
    InvalidSeed => "invalid-seed", "a seed is not a table with a header and rows of as many fields";
    InvalidSeedValue => "invalid-seed-value", "a value of a seed does not convert to the type of its column";
    TooManyBadRows => "too-many-bad-rows", "a source has more bad records than it allows";
    TooManyRescued => "too-many-rescued", "more values of a source's column fail to convert than allowed";
    ContractBroken => "contract-broken", "the columns of a model are not those of its contract";
    ConstraintBroken => "constraint-broken", "rows of a model break a constraint of its contract";
    TestFailed => "test-failed", "a data test found rows that break its rule";
    NotVerified => "not-verified", "a table's rows are not those of a full refresh";
    UntrueWindow => "untrue-window", "a declared window is smaller than what the model reads";
    RunFailed => "run-failed", "a model failed while it was computed";
    SchemaChanged => "schema-changed", "a model's columns are not those of its table";
    ConfigChanged => "config-changed", "a table's rows were built under another config than the model has now";
    AmbiguousKey => "ambiguous-key", "`unique_key` does not identify the rows of a batch";
    OutOfMemory => "out-of-memory", "a model needs more memory than the run may use";
    EnvVarNotAllowed => "env-var-not-allowed", "a template reads an environment variable that is not allowed";
    EndpointNotAllowed => "endpoint-not-allowed", "a project names a server that is not allowed to receive credentials";
    Storage => "storage", "the lake could not be read or written";
    UnsafeStore => "unsafe-store", "the store does not guarantee what commits rely on";
    CorruptTable => "corrupt-table", "a table's log or files are damaged";
    UnsupportedTableFeature => "unsupported-table-feature", "a table uses a feature that karat does not support";
    CommitLost => "commit-lost", "another writer committed first";
    CommitUnknown => "commit-unknown", "the store did not say whether a commit happened";
    NotBuilt => "not-built", "a required table has not been built yet";
    UnknownVersion => "unknown-version", "a version of a table does not exist, or its files are gone";
    UnknownRun => "unknown-run", "no run, or more than one, has this id";
    InvalidRange => "invalid-range", "a range of dates that is empty or malformed";
}

impl Code {
    /// The code with this word.
    pub fn parse(word: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.word() == word)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
