//! `.dbtignore`: files of the project that are not read, in the patterns of `.gitignore`.

use std::io;

use globset::{Glob, GlobBuilder, GlobMatcher};

use crate::host::Host;

/// Where a project says so.
const FILE: &str = ".dbtignore";

/// Which files are not read. The last rule that a path meets decides.
#[derive(Debug, Default)]
pub(super) struct IgnoreRules(Vec<IgnoreRule>);

#[derive(Debug)]
struct IgnoreRule {
    /// What it matches from the beginning of a path on; a star does not cross a slash.
    glob: GlobMatcher,
    /// Whether the rule takes back what an earlier one ignored.
    keeps: bool,
    /// Whether it means folders alone.
    is_folder: bool,
}

impl IgnoreRules {
    /// Reads the rules of the project in this folder of the host; a project without the file has none.
    pub fn read(host: &dyn Host, folder: &str) -> io::Result<IgnoreRules> {
        let path = if folder.is_empty() { FILE.to_owned() } else { format!("{folder}/{FILE}") };
        match host.read(&path) {
            Ok(text) => Ok(IgnoreRules::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(IgnoreRules::default()),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> IgnoreRules {
        IgnoreRules(text.lines().filter_map(IgnoreRule::parse).collect())
    }

    /// Whether a file is left out, by its path in the project. A file in an ignored folder stays ignored, as in git.
    pub fn ignores(&self, path: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        folders.map(|folder| (folder, true)).chain([(path, false)]).any(|(name, is_folder)| {
            let meets = |rule: &&IgnoreRule| (is_folder || !rule.is_folder) && rule.glob.is_match(name);
            self.0.iter().rev().find(meets).is_some_and(|rule| !rule.keeps)
        })
    }
}

impl IgnoreRule {
    /// Returns `None` for a comment and for an empty line.
    fn parse(line: &str) -> Option<IgnoreRule> {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keeps, pattern) = line.strip_prefix('!').map_or((false, line), |kept| (true, kept));
        let pattern = pattern.strip_prefix('\\').unwrap_or(pattern);
        let (is_folder, pattern) = pattern.strip_suffix('/').map_or((false, pattern), |folder| (true, folder));
        // A pattern without a slash within it is met at any depth.
        let depth = if pattern.contains('/') { "" } else { "**/" };
        let glob = glob(&format!("{depth}{}", pattern.trim_start_matches('/')))?;
        Some(IgnoreRule { glob: glob.compile_matcher(), keeps, is_folder })
    }
}

/// A pattern of git's as one of the library: braces and backslashes mean nothing, and a bracket that is not closed is itself.
fn glob(pattern: &str) -> Option<Glob> {
    let build = |text: &str| GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build().ok();
    let pattern = pattern.replace('{', "[{]").replace('}', "[}]");
    build(&pattern).or_else(|| build(&pattern.replace('[', "[[]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_many_stars_comes_to_an_end() {
        let rules = IgnoreRules::parse(&format!("{}b", "*a".repeat(40)));
        assert!(!rules.ignores(&"a".repeat(200)));
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        for (rules, path, is_ignored) in [
            ("old.sql", "models/old.sql", true),
            ("old.sql", "models/very_old.sql", false),
            ("models/old.sql", "models/old.sql", true),
            ("/models/old.sql", "models/a/models/old.sql", false),
            ("*.sql", "models/a/b.sql", true),
            ("models/*.sql", "models/a/b.sql", false),
            ("models/**/b.sql", "models/b.sql", true),
            ("models/**/b.sql", "models/a/c/b.sql", true),
            ("models/old/**", "models/old/a.sql", true),
            ("old/", "models/old/a.sql", true),
            ("old/", "models/old", false),
            ("# old.sql\n\n", "models/old.sql", false),
            ("*.sql\n!a.sql", "models/a.sql", false),
            ("old/\n!a.sql", "models/old/a.sql", true),
            ("model?/[a-c]_[!x].sql", "models/b_y.sql", true),
            ("model?/[a-c]_[!x].sql", "models/b_x.sql", false),
            ("a[*.sql", "models/a[b.sql", true),
            ("{a,b}.sql", "models/a.sql", false),
            ("{a,b}.sql", "models/{a,b}.sql", true),
        ] {
            assert_eq!(IgnoreRules::parse(rules).ignores(path), is_ignored, "{rules:?} {path}");
        }
    }
}
