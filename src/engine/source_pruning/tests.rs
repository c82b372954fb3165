//! Random filters over random files: what is skipped holds no row that passes.

use arrow::array::{Array, BooleanArray};
use datafusion::common::Column;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, col, lit, when};
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// A file: the days and instants of its rows.
type Rows = Vec<(Option<i32>, Option<i64>)>;

const OPERATORS: [Operator; 8] = [
    Operator::Eq,
    Operator::NotEq,
    Operator::Lt,
    Operator::LtEq,
    Operator::Gt,
    Operator::GtEq,
    Operator::IsDistinctFrom,
    Operator::IsNotDistinctFrom,
];

const DAY: i64 = 86_400_000_000;

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("at", DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None), true),
    ])
}

fn batch(rows: &Rows) -> RecordBatch {
    let days: Date32Array = rows.iter().map(|row| row.0).collect();
    let instants: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
    RecordBatch::try_new(Arc::new(schema()), vec![Arc::new(days), Arc::new(instants)]).unwrap()
}

fn facts(rows: &Rows) -> SourceFileFacts {
    let range = |values: Vec<i64>| values.iter().min().copied().zip(values.iter().max().copied());
    let days = range(rows.iter().filter_map(|row| row.0.map(i64::from)).collect());
    let instants = range(rows.iter().filter_map(|row| row.1).collect());
    SourceFileFacts {
        size: 1,
        modified: 1,
        etag: None,
        records: rows.len() as u64,
        quarantined: 0,
        ranges: BTreeMap::from([("day".to_owned(), days), ("at".to_owned(), instants)]),
        slices: None,
        gone: false,
        conversions: crate::table::Conversions::default(),
    }
}

fn rows() -> impl Strategy<Value = Rows> {
    let file = (0..4_u8, -4..8_i32).prop_flat_map(|(nulls, low)| {
        let half = (i64::from(low) * 2..i64::from(low) * 2 + 9).prop_map(|half| half * DAY / 2);
        let row = (prop::option::weighted(0.7, low..low + 4), prop::option::weighted(0.7, half));
        (Just(nulls), prop::collection::vec(row, 0..5))
    });
    // Columns of nothing but nulls are as frequent as others.
    file.prop_map(|(nulls, rows)| {
        let day_is_null = nulls & 1 == 1;
        let at_is_null = nulls & 2 == 2;
        rows.into_iter().map(|(day, at)| (day.filter(|_| !day_is_null), at.filter(|_| !at_is_null))).collect()
    })
}

/// An expression over `day`, with a literal of its type.
fn sides() -> impl Strategy<Value = (Expr, Expr)> {
    let date = |day: Option<i32>| lit(ScalarValue::Date32(day));
    let instant = |at: Option<i64>| lit(ScalarValue::TimestampMicrosecond(at, None));
    let timestamp = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    let days = prop::option::weighted(0.9, -5..9_i32);
    let halves = prop::option::weighted(0.9, (-9..17_i64).prop_map(|half| half * DAY / 2));
    let cast = |of: Expr, to: DataType| datafusion::logical_expr::cast(of, to);
    (0..6_u8, days, halves).prop_map(move |(form, day, at)| match form {
        0 => (col("day"), date(day)),
        1 => (col("at"), instant(at)),
        2 => (cast(col("at"), DataType::Date32), date(day)),
        3 => (cast(col("day"), timestamp.clone()), instant(at)),
        4 => {
            let function = datafusion::functions::datetime::date_trunc();
            (function.call(vec![lit("day"), col("at")]), instant(at))
        }
        // What the engine makes of `coalesce`.
        _ => {
            let of = when(col("day").is_null(), date(Some(2))).otherwise(col("day")).expect("both are dates");
            (of, date(day))
        }
    })
}

fn filter() -> impl Strategy<Value = Expr> {
    let leaf = (sides(), 0..OPERATORS.len(), 0..8_u8).prop_map(|((of, value), operator, form)| {
        let operator = OPERATORS[operator];
        let binary =
            |left: Expr, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)));
        match form {
            0 => of.is_null(),
            1 => of.is_not_null(),
            2 => Expr::InList(InList::new(Box::new(of), vec![value], operator == Operator::NotEq)),
            3 => Expr::Between(Between::new(
                Box::new(of),
                operator == Operator::Lt,
                Box::new(value.clone()),
                Box::new(value),
            )),
            4 => binary(of, value).is_not_true(),
            5 => binary(value, of),
            _ => binary(of, value),
        }
    });
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
            inner.prop_map(|one| Expr::Not(Box::new(one))),
        ]
    })
}

fn passes(state: &dyn Session, filter: &Expr, rows: &Rows) -> bool {
    let schema = DFSchema::try_from(schema()).unwrap();
    let batch = batch(rows);
    let values = state.create_physical_expr(filter.clone(), &schema).unwrap().evaluate(&batch).unwrap();
    let values = values.into_array(batch.num_rows()).unwrap();
    let values = values.as_any().downcast_ref::<BooleanArray>().unwrap();
    values.iter().any(|value| value == Some(true))
}

#[test]
fn a_file_with_a_row_that_passes_is_never_skipped() {
    let context = SessionContext::new();
    let state = context.state();
    let mut runner = TestRunner::new(Config { cases: 4_000, failure_persistence: None, ..Config::default() });
    let skipped = std::cell::Cell::new(0_u64);
    let cases = (filter(), prop::collection::vec(rows(), 1..5));
    let held = runner.run(&cases, |(filter, files)| {
        let facts: Vec<SourceFileFacts> = files.iter().map(facts).collect();
        let known: Vec<&SourceFileFacts> = facts.iter().collect();
        let kept = may_match(&state, &schema(), std::slice::from_ref(&filter), &known).unwrap();
        for (kept, rows) in kept.iter().zip(&files) {
            prop_assert!(*kept || !passes(&state, &filter, rows), "{filter} {rows:?}");
            skipped.set(skipped.get() + u64::from(!kept));
        }
        Ok(())
    });
    held.unwrap();
    assert!(skipped.get() > 100, "{} files were skipped: the test proves little", skipped.get());
}

#[test]
fn null_is_distinct_from_every_value() {
    let context = SessionContext::new();
    let state = context.state();
    let nulls = facts(&vec![(None, None)]);
    let day = || lit(ScalarValue::Date32(Some(1)));
    let column = || Expr::Column(Column::new_unqualified("day"));
    let compare = |left: Expr, operator: Operator, right: Expr| {
        let filter = Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)));
        may_match(&state, &schema(), &[filter], &[&nulls]).unwrap()
    };
    assert_eq!(compare(column(), Operator::IsDistinctFrom, day()), [true]);
    assert_eq!(compare(day(), Operator::IsDistinctFrom, column()), [true]);
    for operator in [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq] {
        assert_eq!(compare(column(), operator, day()), [false], "{operator}");
    }
}
