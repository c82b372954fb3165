//! The types of columns: what consists of what, and what DuckDB calls them.

use serde_json::Value;

use super::names::quoted;

/// The names of all types that a type consists of, each once: `array`, `long`, `decimal`, `timestamp`.
pub(super) fn scalars(delta_type: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(delta_type, &mut found);
    let mut seen = Vec::new();
    for name in found {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

fn collect<'t>(delta_type: &'t Value, found: &mut Vec<&'t str>) {
    if let Some(name) = delta_type.as_str() {
        found.push(name.split('(').next().unwrap_or(name));
        return;
    }
    found.extend(delta_type.get("type").and_then(Value::as_str));
    let parts = ["elementType", "keyType", "valueType"];
    parts.iter().filter_map(|part| delta_type.get(part)).for_each(|part| collect(part, found));
    for field in fields(delta_type) {
        if let Some(part) = field.get("type") {
            collect(part, found);
        }
    }
}

fn fields(delta_type: &Value) -> impl Iterator<Item = &Value> {
    delta_type.get("fields").and_then(Value::as_array).into_iter().flatten()
}

/// The type in DuckDB's words. Returns `None` if it has none.
pub(super) fn of_duckdb(delta_type: &Value) -> Option<String> {
    let part = |key: &str| of_duckdb(delta_type.get(key)?);
    if let Some(name) = delta_type.as_str() {
        let plain = match name {
            "boolean" => "BOOLEAN",
            "byte" => "TINYINT",
            "short" => "SMALLINT",
            "integer" => "INTEGER",
            "long" => "BIGINT",
            "float" => "FLOAT",
            "double" => "DOUBLE",
            "string" => "VARCHAR",
            "binary" => "BLOB",
            "date" => "DATE",
            "timestamp" => "TIMESTAMPTZ",
            "timestamp_ntz" => "TIMESTAMP",
            decimal if decimal.starts_with("decimal(") => return Some(decimal.to_uppercase()),
            _ => return None,
        };
        return Some(plain.to_owned());
    }
    match delta_type.get("type")?.as_str()? {
        "array" => Some(format!("{}[]", part("elementType")?)),
        "map" => Some(format!("MAP({}, {})", part("keyType")?, part("valueType")?)),
        "struct" => {
            let field = |field: &Value| {
                let name = quoted(field.get("name")?.as_str()?);
                Some(format!("{name} {}", of_duckdb(field.get("type")?)?))
            };
            let fields: Option<Vec<String>> = fields(delta_type).map(field).collect();
            Some(format!("STRUCT({})", fields?.join(", ")))
        }
        _ => None,
    }
}
