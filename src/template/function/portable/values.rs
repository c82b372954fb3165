//! Macros over texts, types, lists and sets of rows.

use minijinja::Value;

use super::{MacroArguments, PortableMacro};
use crate::template::function::CallFailure;

pub(super) const ALL: [PortableMacro; 29] = [
    PortableMacro { name: "any_value", parameters: &["expression"], write: |given| function(given, "any_value", 1) },
    PortableMacro {
        name: "array_append",
        parameters: &["array", "new_element"],
        write: |given| function(given, "array_append", 2),
    },
    PortableMacro {
        name: "array_concat",
        parameters: &["array_1", "array_2"],
        write: |given| function(given, "array_cat", 2),
    },
    PortableMacro { name: "array_construct", parameters: &["inputs?", "data_type?"], write: array_construct },
    PortableMacro { name: "bool_or", parameters: &["expression"], write: |given| function(given, "bool_or", 1) },
    PortableMacro { name: "cast", parameters: &["field", "type"], write: cast },
    PortableMacro {
        name: "cast_bool_to_text",
        parameters: &["field"],
        write: |given| Ok(cast_to(&given.text(0), TEXT)),
    },
    PortableMacro { name: "concat", parameters: &["fields"], write: concat },
    PortableMacro { name: "equals", parameters: &["expr1", "expr2"], write: equals },
    PortableMacro { name: "escape_single_quotes", parameters: &["expression"], write: escape_single_quotes },
    PortableMacro { name: "except", parameters: &[], write: |_| Ok(Value::from("except")) },
    PortableMacro { name: "generate_series", parameters: &["upper_bound"], write: generate_series },
    PortableMacro { name: "get_powers_of_two", parameters: &["upper_bound"], write: get_powers_of_two },
    PortableMacro { name: "hash", parameters: &["field"], write: hash },
    PortableMacro { name: "intersect", parameters: &[], write: |_| Ok(Value::from("intersect")) },
    PortableMacro { name: "length", parameters: &["expression"], write: |given| function(given, "length", 1) },
    PortableMacro {
        name: "listagg",
        parameters: &["measure", "delimiter_text?", "order_by_clause?", "limit_num?"],
        write: listagg,
    },
    PortableMacro { name: "position", parameters: &["substring_text", "string_text"], write: position },
    PortableMacro {
        name: "replace",
        parameters: &["field", "old_chars", "new_chars"],
        write: |given| function(given, "replace", 3),
    },
    PortableMacro {
        name: "right",
        parameters: &["string_text", "length_expression"],
        write: |given| function(given, "right", 2),
    },
    PortableMacro { name: "safe_cast", parameters: &["field", "type"], write: cast },
    PortableMacro {
        name: "split_part",
        parameters: &["string_text", "delimiter_text", "part_number"],
        write: |given| function(given, "split_part", 3),
    },
    PortableMacro {
        name: "string_literal",
        parameters: &["value"],
        write: |given| Ok(Value::from(format!("'{}'", given.text(0)))),
    },
    PortableMacro { name: "type_bigint", parameters: &[], write: |_| Ok(Value::from("bigint")) },
    PortableMacro { name: "type_boolean", parameters: &[], write: |_| Ok(Value::from("boolean")) },
    PortableMacro { name: "type_float", parameters: &[], write: |_| Ok(Value::from("float")) },
    PortableMacro { name: "type_int", parameters: &[], write: |_| Ok(Value::from("integer")) },
    PortableMacro { name: "type_numeric", parameters: &[], write: |_| Ok(Value::from("numeric(28,6)")) },
    PortableMacro { name: "type_string", parameters: &[], write: |_| Ok(Value::from(TEXT)) },
];

const TEXT: &str = "TEXT";

/// A call of a SQL function with the first arguments of the macro.
fn function(given: &MacroArguments<'_>, name: &str, count: usize) -> Result<Value, CallFailure> {
    let arguments: Vec<String> = (0..count).map(|place| given.text(place)).collect();
    Ok(Value::from(format!("{name}({})", arguments.join(", "))))
}

fn cast(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(cast_to(&given.text(0), &given.text(1)))
}

fn cast_to(value: &str, data_type: &str) -> Value {
    Value::from(format!("cast({value} as {})", data_type.trim()))
}

/// The items of an argument that is a list.
fn items(given: &MacroArguments<'_>, place: usize) -> Result<Vec<String>, CallFailure> {
    let Some(list) = given.given(place) else {
        return Ok(Vec::new());
    };
    let items = list
        .try_iter()
        .map_err(|_| CallFailure::new(format!("`{}()` takes a list, not {}", given.call.name, list.kind())))?;
    Ok(items.map(|item| item.to_string()).collect())
}

fn concat(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(items(given, 0)?.join(" || ")))
}

fn array_construct(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let items = items(given, 0)?;
    if !items.is_empty() {
        return Ok(Value::from(format!("array[ {} ]", items.join(" , "))));
    }
    let data_type = given.given(1).map_or_else(|| "integer".to_owned(), Value::to_string);
    Ok(Value::from(format!("array[]::{data_type}[]")))
}

fn equals(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(format!("({} = {})", given.text(0), given.text(1))))
}

fn escape_single_quotes(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(given.text(0).replace('\'', "''")))
}

fn hash(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(format!("md5({})", cast_to(&given.text(0), TEXT))))
}

fn position(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    Ok(Value::from(format!("position({} in {})", given.text(0), given.text(1))))
}

fn listagg(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let measure = given.text(0);
    let delimiter = given.given(1).map_or_else(|| "','".to_owned(), Value::to_string);
    let order = given.given(2).map(|order| format!(" {order}")).unwrap_or_default();
    Ok(Value::from(match given.given(3) {
        Some(limit) => format!("array_to_string((array_agg({measure}{order}))[1:{limit}], {delimiter})"),
        None => format!("string_agg({measure}, {delimiter}{order})"),
    }))
}

fn generate_series(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let bound = given.text(0);
    Ok(Value::from(format!(
        "select series.generated_number from unnest(generate_series(1, {bound})) as series(generated_number)"
    )))
}

/// The exponent of the first power of two that is not below a number.
fn get_powers_of_two(given: &MacroArguments<'_>) -> Result<Value, CallFailure> {
    let bound = given.text(0).trim().parse::<i64>().ok().filter(|bound| *bound > 0);
    let bound = bound.ok_or_else(|| CallFailure::new("upper bound must be positive"))?;
    let exponent = (1..63).find(|exponent| bound <= 1_i64 << exponent);
    Ok(exponent.map_or_else(|| Value::from(()), Value::from))
}
