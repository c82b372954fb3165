//! How SQL is read: the words of the generic dialect, with PostgreSQL's precedence of operators.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{Expr, UnaryOperator};
use sqlparser::dialect::{GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::project::SqlDialect;

/// The parser's own limit: what nests deep enough to meet it is refused before it is parsed.
pub(in crate::analyze) const MAX_DEPTH: usize = 1_000;

/// The generic dialect, read as PostgreSQL reads it.
///
/// The parser tries one reading after another, and a fault deep inside is met again by each attempt of each level
/// around it. So the attempts are counted: a statement that needs many times more of them than it has words is given up.
#[derive(Debug)]
pub(in crate::analyze) struct Dialect {
    attempts_left: Cell<usize>,
    /// The dialect of the project, which says what a backslash in a text is.
    dialect: SqlDialect,
}

impl Dialect {
    pub fn for_text(sql: &str, dialect: SqlDialect) -> Dialect {
        Dialect { attempts_left: Cell::new(2_000 + 8 * sql.len()), dialect }
    }

    /// Whether reading was given up.
    pub fn is_exhausted(&self) -> bool {
        self.attempts_left.get() == 0
    }
}

macro_rules! as_in_generic {
    ($($question:ident),* $(,)?) => {
        $(fn $question(&self) -> bool {
            GenericDialect.$question()
        })*
    };
}

impl sqlparser::dialect::Dialect for Dialect {
    fn dialect(&self) -> TypeId {
        GenericDialect.dialect()
    }

    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        GenericDialect.is_delimited_identifier_start(letter)
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        GenericDialect.is_identifier_start(letter)
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        GenericDialect.is_identifier_part(letter)
    }

    as_in_generic! {
        supports_unicode_string_literal, supports_partition_by_after_order_by, supports_array_join_syntax,
        supports_group_by_expr, supports_group_by_with_modifier, supports_left_associative_joins_without_parens,
        supports_connect_by, supports_match_recognize, supports_pipe_operator, supports_start_transaction_modifier,
        supports_window_function_null_treatment_arg, supports_dictionary_syntax,
        supports_window_clause_named_window_reference, supports_parenthesized_set_variables,
        supports_select_wildcard_except, support_map_literal_syntax, allow_extract_custom,
        allow_extract_single_quotes, supports_extract_comma_syntax, supports_create_view_comment_syntax,
        supports_parens_around_table_factor, supports_values_as_table_factor, supports_create_index_with_clause,
        supports_explain_with_utility_options, supports_limit_comma, supports_update_order_by,
        supports_from_first_select, supports_projection_trailing_commas, supports_asc_desc_in_column_definition,
        supports_try_convert, supports_bitwise_shift_operators, supports_comment_on, supports_load_extension,
        supports_named_fn_args_with_assignment_operator, supports_struct_literal, supports_empty_projections,
        supports_nested_comments, supports_multiline_comment_hints, supports_user_host_grantee,
        supports_string_escape_constant, supports_array_typedef_with_brackets, supports_match_against,
        supports_set_names, supports_comma_separated_set_assignments, supports_filter_during_aggregation,
        supports_select_wildcard_exclude, supports_data_type_signed_suffix, supports_interval_options,
        supports_quote_delimited_string, supports_select_wildcard_replace, supports_select_wildcard_ilike,
        supports_select_wildcard_rename, supports_optimize_table, supports_install, supports_detach,
        supports_prewhere, supports_with_fill, supports_limit_by, supports_interpolate, supports_settings,
        supports_select_format, supports_comment_optimizer_hint, supports_constraint_keyword_without_name,
        supports_key_column_option, supports_comma_separated_trim, supports_cte_without_as,
        supports_select_item_multi_column_alias, supports_xml_expressions,
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        self.dialect.has_backslash_escapes()
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    /// `not` is never the name of a type or a function: without a second guess, nested ones are read in one go.
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let left = self.attempts_left.get();
        if left == 0 {
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        self.attempts_left.set(left - 1);
        if !parser.parse_keyword(Keyword::NOT) {
            return None;
        }
        let negated = parser.parse_subexpr(self.prec_value(Precedence::UnaryNot));
        Some(negated.map(|expression| match expression {
            Expr::Exists { subquery, negated: false } => Expr::Exists { subquery, negated: true },
            other => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(other) },
        }))
    }

    /// `a is distinct from b` ends where another `is` would end: not at the end of the whole expression.
    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let different = parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]);
        let same = !different && parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]);
        if !different && !same {
            return None;
        }
        let left = Box::new(left.clone());
        let right = parser.parse_subexpr(precedence).map(Box::new);
        Some(right.map(|right| match different {
            true => Expr::IsDistinctFrom(left, right),
            false => Expr::IsNotDistinctFrom(left, right),
        }))
    }

    /// Every operator that has no line of its own in PostgreSQL's table stands between `+` and `between`.
    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        let other = matches!(
            parser.peek_token_ref().token,
            Token::StringConcat
                | Token::Tilde
                | Token::TildeAsterisk
                | Token::ExclamationMarkTilde
                | Token::ExclamationMarkTildeAsterisk
                | Token::DoubleTilde
                | Token::DoubleTildeAsterisk
                | Token::ExclamationMarkDoubleTilde
                | Token::ExclamationMarkDoubleTildeAsterisk
                | Token::Ampersand
                | Token::Pipe
                | Token::Sharp
                | Token::ShiftLeft
                | Token::ShiftRight
                | Token::CaretAt
                | Token::Overlap
                | Token::QuestionPipe
                | Token::AtSign
        );
        other.then(|| Ok(self.prec_value(Precedence::PgOther)))
    }

    /// PostgreSQL's table, from the operators that bind most tightly downwards.
    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 140,
            Precedence::DoubleColon => 130,
            Precedence::AtTz => 120,
            Precedence::Caret => 110,
            Precedence::MulDivModOp => 100,
            Precedence::PlusMinus => 90,
            Precedence::Ampersand | Precedence::Pipe | Precedence::Colon | Precedence::PgOther => 80,
            Precedence::Between | Precedence::Like => 70,
            Precedence::Eq => 60,
            Precedence::Is => 50,
            Precedence::UnaryNot => 40,
            Precedence::And => 30,
            Precedence::Xor => 20,
            Precedence::Or => 10,
        }
    }
}
