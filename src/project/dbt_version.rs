//! The version of dbt that karat stands for, and whether a project says that it works with it.

use std::cmp::Ordering;

use super::node::{Node, YamlFields, YamlKind};
use super::scalar::{Scalar, Typed};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::span::Spanned;

/// The version of dbt whose templates and artifacts are understood.
pub const DBT_VERSION: &str = "1.11.0";

const KEY: &str = "require-dbt-version";

/// Reports if a project file asks for other versions of dbt. `owner` is the project or a package, as the beginning of a sentence.
pub(super) fn check(owner: &str, fields: &YamlFields<'_>, sink: &mut Sink) {
    let Some(node) = fields.get(KEY) else { return };
    let Ok(written) = written_ranges(node, sink) else { return };
    let Ok(bounds) = sink.check_all(&written, VersionBound::read) else { return };
    if bounds.iter().all(VersionBound::admits_karat) {
        return;
    }
    let range: Vec<&str> = written.iter().map(|bound| bound.value.as_str()).collect();
    let message = format!("{owner} asks for dbt {}, and karat stands for dbt {DBT_VERSION}", range.join(", "));
    let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(node.place());
    sink.warn(diagnostic.help(format!("if it works all the same, let `{KEY}` include {DBT_VERSION}")));
}

/// The bounds as they are written: a list, or a text with commas. An old project may have a number.
fn written_ranges(node: &Node, sink: &mut Sink) -> Checked<Vec<Spanned<String>>> {
    let texts = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(_) | Typed::Float(_), .. }) => {
            vec![node.expect_any_text(KEY, sink)?]
        }
        _ => node.expect_texts(&format!("`{KEY}`"), sink)?,
    };
    let bounds = texts.iter().flat_map(|text| {
        let parts = text.value.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| Spanned::new(part.to_owned(), text.span))
    });
    Ok(bounds.collect())
}

/// One end of a range: a comparison and a version.
#[derive(Debug, PartialEq, Eq)]
struct VersionBound {
    comparison: &'static str,
    version: VersionNumber,
}

/// A version, whose early releases come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct VersionNumber {
    numbers: [u64; 3],
    is_final: bool,
}

impl VersionNumber {
    /// Reads `1.7.0`, `1.8.0rc1` or `1.8.0-rc1`. What is not written is zero.
    fn parse(text: &str) -> Option<VersionNumber> {
        let mut numbers = [0; 3];
        let mut is_final = true;
        let mut parts = text.splitn(3, '.');
        for (place, number) in numbers.iter_mut().enumerate() {
            let Some(part) = parts.next() else { break };
            let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            let (written, rest) = part.split_at(digits);
            *number = written.parse().ok()?;
            // A build's name says nothing of the order.
            let early = rest.split('+').next().unwrap_or_default();
            is_final = early.is_empty();
            if !is_final && place < 2 {
                return None;
            }
        }
        Some(VersionNumber { numbers, is_final })
    }
}

impl VersionBound {
    fn read(text: &Spanned<String>, sink: &mut Sink) -> Checked<VersionBound> {
        VersionBound::parse(&text.value).ok_or_else(|| {
            let message = format!("`{}` is no range of versions", text.value);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(text.span);
            sink.error(diagnostic.help(format!("write `{KEY}: [\">=1.8.0\", \"<2.0.0\"]`")))
        })
    }

    fn parse(text: &str) -> Option<VersionBound> {
        let comparison = [">=", "<=", "==", ">", "<", "="].into_iter().find(|sign| text.starts_with(sign));
        let comparison = comparison.unwrap_or_default();
        let version = VersionNumber::parse(text.get(comparison.len()..)?.trim())?;
        Some(VersionBound { comparison, version })
    }

    fn admits_karat(&self) -> bool {
        let own = VersionNumber::parse(DBT_VERSION).expect("the version that is written above is one");
        let order = own.cmp(&self.version);
        match self.comparison {
            ">=" => order != Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            // karat stands for all releases of one minor version.
            _ => own.numbers[..2] == self.version.numbers[..2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::testing::said;

    #[test]
    fn a_range_is_read_as_dbt_reads_it() {
        let admits = |text: &str| VersionBound::parse(text).map(|bound| bound.admits_karat());
        for (range, expected) in [
            (">=1.0.0", Some(true)),
            ("<2.0.0", Some(true)),
            ("<1.11.0", Some(false)),
            ("<=1.11.0", Some(true)),
            (">1.11.0", Some(false)),
            (">= 1.11.0-rc1", Some(true)),
            ("<1.11.0rc1", Some(false)),
            ("1.11.16", Some(true)),
            ("=1.10.0", Some(false)),
            (">=1.3", Some(true)),
            (">=1.x", None),
            ("~1.0.0", None),
            ("", None),
        ] {
            assert_eq!(admits(range), expected, "{range}");
        }
    }

    #[test]
    fn a_project_for_other_versions_is_said_at_its_place() {
        insta::assert_snapshot!(said("name: p\nrequire-dbt-version: ['>=0.20.0', '<1.0.0']\n", &[]), @r"
        warning[differs-from-dbt]: the project asks for dbt >=0.20.0, <1.0.0, and karat stands for dbt 1.11.0
         --> project.yml:2:23
          |
        2 | require-dbt-version: ['>=0.20.0', '<1.0.0']
          |                       ^^^^^^^^^^
          |
          = help: if it works all the same, let `require-dbt-version` include 1.11.0
        ");
        insta::assert_snapshot!(said("name: p\nrequire-dbt-version: '>=1.x,<2.0.0'\n", &[]), @r#"
        error[invalid-config]: `>=1.x` is no range of versions
         --> project.yml:2:22
          |
        2 | require-dbt-version: '>=1.x,<2.0.0'
          |                      ^^^^^^^^^^^^^^
          |
          = help: write `require-dbt-version: [">=1.8.0", "<2.0.0"]`
        "#);
        assert_eq!(said("name: p\nrequire-dbt-version: '>=1.7.0,<2.0.0'\n", &[]), "");
    }
}
