//! `.dbtignore`: files of the project that are not read, in the patterns of `.gitignore`.

use std::io;

use crate::host::Host;

/// Where a project says so.
const FILE: &str = ".dbtignore";

/// Which files are not read. The last rule that a path meets decides.
#[derive(Debug, Default)]
pub(super) struct IgnoreRules(Vec<IgnoreRule>);

#[derive(Debug)]
struct IgnoreRule {
    /// The parts between slashes; `**` stands for any number of them.
    parts: Vec<String>,
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
        let parts: Vec<&str> = path.split('/').collect();
        (1..=parts.len()).any(|length| {
            let (name, is_folder) = (parts.get(..length).unwrap_or_default(), length < parts.len());
            let last = self.0.iter().rev().find(|rule| (is_folder || !rule.is_folder) && matches(&rule.parts, name));
            last.is_some_and(|rule| !rule.keeps)
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
        let is_anchored = pattern.contains('/');
        let mut parts: Vec<String> = pattern.trim_start_matches('/').split('/').map(str::to_owned).collect();
        if !is_anchored {
            parts.insert(0, "**".to_owned());
        }
        Some(IgnoreRule { parts, keeps, is_folder })
    }
}

fn matches(pattern: &[String], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            // At the end it stands for what is in a folder, and that is at least one name.
            let least = usize::from(rest.is_empty());
            (least..=path.len()).any(|skipped| matches(rest, path.get(skipped..).unwrap_or_default()))
        }
        (Some((first, rest)), Some((name, below))) => {
            let pattern: Vec<char> = first.chars().collect();
            let name: Vec<char> = name.chars().collect();
            matches_name(&pattern, &name) && matches(rest, below)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// `*`, `?` and `[a-z]` within a name.
fn matches_name(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            (0..=name.len()).any(|skipped| matches_name(rest, name.get(skipped..).unwrap_or_default()))
        }
        (['?', rest @ ..], [_, below @ ..]) => matches_name(rest, below),
        (['[', class @ ..], [letter, below @ ..]) if class.contains(&']') => {
            let end = class.iter().skip(1).position(|part| *part == ']').map_or(0, |end| end + 1);
            let listed = class.get(..end).unwrap_or_default();
            let rest = class.get(end + 1..).unwrap_or_default();
            is_in_class(listed, *letter) && matches_name(rest, below)
        }
        ([first, rest @ ..], [letter, below @ ..]) => first == letter && matches_name(rest, below),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn is_in_class(listed: &[char], letter: char) -> bool {
    let (is_negated, listed) = match listed {
        ['!' | '^', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut rest = listed;
    let mut is_found = false;
    while let [from, after @ ..] = rest {
        rest = after;
        if let ['-', to, behind @ ..] = after {
            is_found |= (*from..=*to).contains(&letter);
            rest = behind;
        } else {
            is_found |= *from == letter;
        }
    }
    is_found != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(IgnoreRules::parse(rules).ignores(path), is_ignored, "{rules:?} {path}");
        }
    }
}
