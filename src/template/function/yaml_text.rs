//! Values as YAML, in blocks, as `toyaml()` gives them.

use serde_json::Value;

/// A whole document.
pub(super) fn document(value: &Value, sorts_keys: bool) -> String {
    let mut text = String::new();
    BlockWriter { sorts_keys }.block(value, 0, &mut text);
    // A scalar alone is followed by the mark for its end, as Python's writer does.
    if !matches!(value, Value::Array(items) if !items.is_empty())
        && !matches!(value, Value::Object(map) if !map.is_empty())
    {
        text.push_str(if is_flow(value) { "" } else { "...\n" });
    }
    text
}

fn is_flow(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

struct BlockWriter {
    sorts_keys: bool,
}

impl BlockWriter {
    fn block(&self, value: &Value, depth: usize, text: &mut String) {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(map) if !map.is_empty() => {
                let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
                if self.sorts_keys {
                    pairs.sort_by_key(|(key, _)| *key);
                }
                for (key, inner) in pairs {
                    text.push_str(&format!("{indent}{}:", scalar(&Value::from(key.as_str()))));
                    // Lists of a mapping stand as far left as their key.
                    let is_list = matches!(inner, Value::Array(_));
                    self.inner(inner, if is_list { depth } else { depth + 1 }, text);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    let mut inner = String::new();
                    self.block(item, depth + 1, &mut inner);
                    // The first line of an item stands behind its dash.
                    text.push_str(&format!("{indent}- {}", inner.trim_start_matches(' ')));
                }
            }
            other => text.push_str(&format!("{indent}{}\n", scalar(other))),
        }
    }

    /// A value behind a key.
    fn inner(&self, value: &Value, depth: usize, text: &mut String) {
        let is_block = match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if is_block {
            text.push('\n');
            self.block(value, depth, text);
        } else {
            text.push_str(&format!(" {}\n", scalar(value)));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) if !text.contains(['\n', '\t']) => format!("'{}'", text.replace('\'', "''")),
        // JSON's texts are YAML's, and so are its numbers, empty lists and empty mappings.
        other => other.to_string(),
    }
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let lower = text.to_ascii_lowercase();
    let begins = text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_' || letter == '/');
    let is_clear = text.chars().all(|letter| letter.is_alphanumeric() || "_-./ ()+=@^$".contains(letter));
    begins && is_clear && !text.ends_with(' ') && !WORDS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_as_python_writes_them() {
        let value = serde_json::json!({"b": [1, {"c": "x", "d": []}], "a": "yes", "e": null, "f": {"g": "a: b"}});
        assert_eq!(document(&value, false), "b:\n- 1\n- c: x\n  d: []\na: 'yes'\ne: null\nf:\n  g: 'a: b'\n");
        assert_eq!(document(&serde_json::json!({"b": 1, "a": 2}), true), "a: 2\nb: 1\n");
        assert_eq!(document(&serde_json::json!("x"), false), "x\n...\n");
    }
}
