//! What a command asks of a project.

/// What was typed on the command line and changes the project.
#[derive(Debug, Clone, Default)]
pub struct LoadRequest {
    /// `--target`: the name of a target.
    pub target: Option<String>,
    /// `--vars`: a mapping in YAML or JSON.
    pub vars: Option<String>,
    /// `--profile`: the name of dbt's profile, in place of the one that the project names.
    pub profile: Option<String>,
    /// `--profiles-dir`: the folder of dbt's `profiles.yml`, in place of the project's.
    pub profiles_dir: Option<String>,
    /// `--target-path`: the folder of artifacts, in place of that of the project file.
    pub target_path: Option<String>,
}
