//! Types that DuckDB means otherwise: texts have no length, a decimal without digits has three behind the point.

use sqlparser::ast::{DataType, ExactNumberInfo, Expr};

use super::values;

/// The cast in PostgreSQL's words; `None` if only its type has another name.
pub(super) fn cast(value: &Expr, data_type: &mut DataType) -> Option<Expr> {
    in_postgresql_words(data_type);
    // Whatever has a text can be cast to it: `try` says nothing more.
    let is_text = matches!(data_type, DataType::Text | DataType::Varchar(None) | DataType::String(None));
    is_text.then(|| values::text(value))
}

fn in_postgresql_words(data_type: &mut DataType) {
    *data_type = match data_type {
        DataType::Varchar(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_)
        | DataType::Nvarchar(_)
        | DataType::Char(_)
        | DataType::Character(_)
        | DataType::String(_) => DataType::Text,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("bpchar") => DataType::Text,
        DataType::Float(_) => DataType::Real,
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => DataType::Decimal(ExactNumberInfo::PrecisionAndScale(18, 3)),
        _ => return,
    };
}
