//! The laws of the digest: what it does not see, what it sees, and that it never changes.

use std::sync::Arc;

use arrow::array::builder::{Int32Builder, MapBuilder, StringBuilder};
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    LargeListArray, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, TimeUnit};
use proptest::prelude::*;

use super::{DAY, HOUR, SliceCut, SliceTally};
use crate::day::Grain;
use crate::table::{SliceKey, SliceMap, SliceRows};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn tally(batches: &[RecordBatch], event_time: Option<&str>, grain: Grain) -> SliceMap<SliceRows> {
    let cut = SliceCut { event_time: event_time.map(str::to_owned), grain };
    let mut tally = SliceTally::new(&batches[0].schema(), &cut).unwrap();
    for batch in batches {
        tally.add(batch).unwrap();
    }
    tally.finish()
}

fn digest(batches: &[RecordBatch]) -> SliceRows {
    *tally(batches, None, Grain::Day).get(&SliceKey::All).unwrap()
}

fn of(array: ArrayRef) -> SliceRows {
    digest(&[batch(vec![("c", array)])])
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Each slice with its number of rows, as text.
fn slices(array: ArrayRef, grain: Grain) -> String {
    let found = tally(&[batch(vec![("at", array)])], Some("at"), grain);
    found.iter().map(|(key, sum)| format!("{key} {}", sum.rows)).collect::<Vec<_>>().join(", ")
}

/// One column of every kind.
fn every_kind() -> RecordBatch {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    let record = StructArray::from(vec![
        (Arc::new(Field::new("x", DataType::Int32, true)), Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        (Arc::new(Field::new("y", DataType::Utf8, true)), texts(&[None, Some("two")])),
    ]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    batch(vec![
        ("text", texts(&[Some("a text of more than sixteen bytes"), None])),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
        ("truth", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("number", numbers(&[Some(-7), None])),
        ("float", Arc::new(Float64Array::from(vec![Some(0.1), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_000), None]))),
        ("instant", Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]))),
        ("price", Arc::new(Decimal128Array::from(vec![Some(-1_99), None]).with_precision_and_scale(10, 2).unwrap())),
        ("list", Arc::new(list)),
        ("record", Arc::new(record)),
        ("map", Arc::new(map.finish())),
    ])
}

#[test]
fn the_digest_never_changes() {
    // A new value here makes every table of every lake look changed.
    let all = every_kind();
    let found: Vec<String> = all
        .schema()
        .fields()
        .iter()
        .zip(all.columns())
        .map(|(field, array)| format!("{}: {:032x}", field.name(), of(Arc::clone(array)).hash))
        .chain([format!("all: {:032x}", digest(std::slice::from_ref(&all)).hash)])
        .collect();
    let expected = [
        "text: 804b5e4940ac861a9d4c65e8619bf4fb",
        "bytes: 41bac4fd5cbde502747c92f725161089",
        "truth: bb8c2f893562aa2c53a528a6997a0eb9",
        "number: 188ac322635422b9c48058ad9934bab3",
        "float: ad30f275364624774f8ce24a6565149f",
        "day: 00d668f9e40ba9031a6a340573fd6d0f",
        "instant: f755920ea7d281a2d13f9a856889d27d",
        "price: d94aa0117b55bb125db72ba65c6069d4",
        "list: 4590fa24211415d5d74367577a1b280b",
        "record: 55f7821314c829010ae6df79c95c0e63",
        "map: 876b1cf4f16d3065fc724abb24b1748d",
        "all: 4db204f4eacf79209030f9cbd4df3d9d",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_encoding_is_no_difference() {
    let text = texts(&[Some("a"), None, Some(""), Some("a text of more than sixteen bytes"), Some("a")]);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let of_views = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8View));
    for encoding in [DataType::LargeUtf8, DataType::Utf8View, dictionary, of_views] {
        let encoded = cast(&text, &encoding).unwrap();
        assert_eq!(of(Arc::clone(&encoded)), of(Arc::clone(&text)), "{encoding}");
        assert_eq!(of(encoded.slice(1, 3)), of(text.slice(1, 3)), "a part of {encoding}");
    }
    let bytes = cast(&texts(&[Some("abcd"), None]), &DataType::Binary).unwrap();
    for encoding in [DataType::LargeBinary, DataType::BinaryView, DataType::FixedSizeBinary(4)] {
        assert_eq!(of(cast(&bytes, &encoding).unwrap()), of(Arc::clone(&bytes)), "{encoding}");
    }
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let large = LargeListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    assert_eq!(of(Arc::new(large)), of(Arc::new(list)));
}

#[test]
fn a_number_counts_by_its_value() {
    let small: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), None, Some(7)]));
    assert_eq!(of(Arc::clone(&small)), of(numbers(&[Some(-1), None, Some(7)])));
    for unsigned in [Arc::new(UInt32Array::from(vec![7])) as ArrayRef, Arc::new(UInt64Array::from(vec![7]))] {
        assert_eq!(of(unsigned), of(numbers(&[Some(7)])));
    }
    let floats = |values: &[f64]| of(Arc::new(Float64Array::from(values.to_vec())));
    assert_eq!(floats(&[0.0]), floats(&[-0.0]));
    assert_eq!(floats(&[f64::NAN]), floats(&[-f64::NAN]));
    assert_eq!(floats(&[f64::NAN]), floats(&[f64::from_bits(0x7ff8_0000_0000_0001)]));
    assert_ne!(floats(&[1.0]), floats(&[-1.0]));
    let decimals = |precision, scale| {
        let values = Decimal128Array::from(vec![Some(100), Some(0), None]);
        of(Arc::new(values.with_precision_and_scale(precision, scale).unwrap()))
    };
    assert_eq!(decimals(10, 2), decimals(20, 2));
    assert_ne!(decimals(10, 2), decimals(10, 1));
    let narrow = Decimal128Array::from(vec![Some(100)]).with_precision_and_scale(9, 2).unwrap();
    assert_eq!(of(cast(&narrow, &DataType::Decimal32(9, 2)).unwrap()), of(Arc::new(narrow)));
}

#[test]
fn an_instant_counts_as_it_is_stored() {
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(-5), None]));
    let expected = of(Arc::clone(&seconds));
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        let finer = cast(&seconds, &DataType::Timestamp(unit, Some("UTC".into()))).unwrap();
        assert_eq!(of(Arc::clone(&finer)), expected, "{unit:?}");
        let abroad = cast(&finer, &DataType::Timestamp(unit, Some("+02:00".into()))).unwrap();
        assert_eq!(of(abroad), expected, "{unit:?}");
    }
    let nanos = |value| of(Arc::new(TimestampNanosecondArray::from(vec![value])));
    assert_eq!(nanos(-1), of(Arc::new(TimestampMicrosecondArray::from(vec![-1]))));
    assert_eq!(nanos(1_999), of(Arc::new(TimestampMicrosecondArray::from(vec![1]))));
}

#[test]
fn the_order_of_columns_is_no_difference_and_their_names_are() {
    let (ones, twos) = (numbers(&[Some(1), Some(3)]), numbers(&[Some(2), Some(4)]));
    let two = |first: (&'static str, &ArrayRef), second: (&'static str, &ArrayRef)| {
        digest(&[batch(vec![(first.0, Arc::clone(first.1)), (second.0, Arc::clone(second.1))])])
    };
    assert_eq!(two(("a", &ones), ("b", &twos)), two(("b", &twos), ("a", &ones)));
    assert_ne!(two(("a", &ones), ("b", &twos)), two(("a", &twos), ("b", &ones)));
    assert_ne!(two(("a", &ones), ("b", &twos)), two(("a", &ones), ("c", &twos)));
}

#[test]
fn rows_that_exchange_values_are_other_rows() {
    let rows = |left: [i64; 2], right: [i64; 2]| {
        let column = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        digest(&[batch(vec![("a", column(left)), ("b", column(right))])])
    };
    assert_ne!(rows([1, 2], [3, 4]), rows([1, 2], [4, 3]));
    assert_eq!(rows([1, 2], [3, 4]), rows([2, 1], [4, 3]));
}

#[test]
fn rows_that_occur_again_count_again() {
    let (one, three) = (of(numbers(&[Some(1)])), of(numbers(&[Some(1), Some(1), Some(1)])));
    assert_eq!(three.rows, 3);
    assert_ne!(one.hash, three.hash);
    assert_ne!(of(numbers(&[Some(1), Some(1)])).hash, 0);
}

#[test]
fn what_is_missing_is_not_empty() {
    assert_ne!(of(texts(&[None])), of(texts(&[Some("")])));
    assert_ne!(of(numbers(&[None])), of(numbers(&[Some(0)])));
    let decimals = |value| of(Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(9, 2).unwrap()));
    assert_ne!(decimals(None), decimals(Some(0)));
    let list = |list: Option<Vec<Option<i32>>>| of(Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([list])));
    let lists = [None, Some(vec![]), Some(vec![None]), Some(vec![Some(0)]), Some(vec![None, None])].map(list);
    for (at, one) in lists.iter().enumerate() {
        assert!(lists[at + 1..].iter().all(|other| other != one), "list {at}");
    }
    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let inner = || vec![numbers(&[None])];
    let record = StructArray::new(fields.clone(), inner(), None);
    let missing = StructArray::new(fields, inner(), Some(vec![false].into()));
    assert_ne!(of(Arc::new(record)), of(Arc::new(missing)));
}

#[test]
fn what_lies_in_one_value_does_not_flow_into_the_next() {
    let two = |left: &'static str, right: &'static str| {
        digest(&[batch(vec![("a", texts(&[Some(left)])), ("b", texts(&[Some(right)]))])])
    };
    assert_ne!(two("ab", "c"), two("a", "bc"));
    assert_ne!(two("ab", "c"), two("c", "ab"));
    assert_ne!(two("", "c"), two("c", ""));
    assert_ne!(of(texts(&[Some("ab"), Some("c")])), of(texts(&[Some("a"), Some("bc")])));
    let lists = |lists: [Vec<i32>; 2]| {
        let lists = lists.map(|list| Some(list.into_iter().map(Some).collect::<Vec<_>>()));
        of(Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)))
    };
    assert_ne!(lists([vec![1, 2], vec![3]]), lists([vec![1], vec![2, 3]]));
    assert_ne!(lists([vec![1, 2], vec![3]]), lists([vec![2, 1], vec![3]]));
}

#[test]
fn a_map_counts_by_its_entries() {
    let map = |entries: &[(&str, i32)]| {
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for (key, value) in entries {
            map.keys().append_value(key);
            map.values().append_value(*value);
        }
        map.append(true).unwrap();
        of(Arc::new(map.finish()))
    };
    assert_eq!(map(&[("a", 1), ("b", 2)]), map(&[("b", 2), ("a", 1)]));
    assert_ne!(map(&[("a", 1), ("b", 2)]), map(&[("a", 2), ("b", 1)]));
}

#[test]
fn a_part_of_a_batch_is_the_rows_it_shows() {
    let all = every_kind();
    let twice = concat_batches(&all.schema(), [&all, &all]).unwrap();
    assert_eq!(digest(&[twice.slice(1, 2)]), digest(std::slice::from_ref(&all)));
    assert_eq!(digest(&[all.slice(1, 1), all.slice(0, 1)]), digest(&[all]));
}

#[test]
fn a_kind_of_value_is_a_difference() {
    let one = numbers(&[Some(1)]);
    let kinds = [DataType::Int64, DataType::Float64, DataType::Utf8, DataType::Boolean, DataType::Decimal128(3, 0)];
    let days: ArrayRef = Arc::new(Date32Array::from(vec![1]));
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]));
    let mut found: Vec<u128> = kinds.iter().map(|kind| of(cast(&one, kind).unwrap()).hash).collect();
    found.extend([of(days).hash, of(micros).hash, of(cast(&texts(&[Some("1")]), &DataType::Binary).unwrap()).hash]);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 8);
}

#[test]
fn rows_are_dealt_to_slices_at_every_grain() {
    // 1969-12-31 23:00, one microsecond before 1970, 1970 itself, 2024-02-29 12:30, 2024-03-01.
    let times = || {
        let leap_day = 19_782 * DAY;
        let times = [Some(-HOUR), Some(-1), None, Some(0), Some(leap_day + 12 * HOUR + HOUR / 2), Some(leap_day + DAY)];
        Arc::new(TimestampMicrosecondArray::from(times.to_vec())) as ArrayRef
    };
    assert_eq!(
        slices(times(), Grain::Hour),
        "null 1, 1969-12-31T23:00:00 2, 1970-01-01 1, 2024-02-29T12:00:00 1, 2024-03-01 1"
    );
    assert_eq!(slices(times(), Grain::Day), "null 1, 1969-12-31 2, 1970-01-01 1, 2024-02-29 1, 2024-03-01 1");
    assert_eq!(slices(times(), Grain::Month), "null 1, 1969-12-01 2, 1970-01-01 1, 2024-02-01 1, 2024-03-01 1");
    assert_eq!(slices(times(), Grain::Year), "null 1, 1969-01-01 2, 1970-01-01 1, 2024-01-01 2");
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Nanosecond] {
        let other = cast(&times(), &DataType::Timestamp(unit, Some("UTC".into()))).unwrap();
        assert_eq!(slices(other, Grain::Year).split(", ").next(), Some("null 1"), "{unit:?}");
    }
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), Some(-32), None, Some(19_782), Some(19_783)]));
    assert_eq!(slices(Arc::clone(&days), Grain::Day), "null 1, 1969-11-30 1, 1969-12-31 1, 2024-02-29 1, 2024-03-01 1");
    assert_eq!(slices(days, Grain::Month), "null 1, 1969-11-01 1, 1969-12-01 1, 2024-02-01 1, 2024-03-01 1");
}

#[test]
fn a_time_outside_of_the_calendar_belongs_to_its_borders() {
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN, i64::MIN + 1, i64::MAX, 0]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MIN, i32::MIN + 1, i32::MAX, 0]));
    for array in [times, days] {
        let found = tally(&[batch(vec![("at", array)])], Some("at"), Grain::Day);
        assert_eq!(found.values().map(|sum| sum.rows).collect::<Vec<_>>(), [2, 1, 1]);
        for key in found.keys() {
            assert_eq!(SliceKey::parse(&key.to_string()), Some(*key));
        }
    }
}

#[test]
fn a_table_that_is_one_slice_has_it_without_rows() {
    let none = batch(vec![("a", numbers(&[]))]);
    assert_eq!(digest(&[none]), SliceRows::default());
    let none = batch(vec![("at", Arc::new(Date32Array::from(Vec::<i32>::new())) as ArrayRef)]);
    assert!(tally(&[none], Some("at"), Grain::Day).is_empty());
}

#[test]
fn only_a_column_of_times_can_cut() {
    let schema = batch(vec![("at", texts(&[]))]).schema();
    let told = |name: &str| {
        let cut = SliceCut { event_time: Some(name.to_owned()), grain: Grain::Day };
        SliceTally::new(&schema, &cut).unwrap_err().to_string()
    };
    assert_eq!(told("at"), "Schema error: column `at` is Utf8, not a date or a timestamp");
    assert!(told("day").contains("day"));
}

#[test]
fn a_value_that_cannot_be_stored_has_no_digest() {
    let schema = batch(vec![("n", Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef)]);
    let cut = SliceCut { event_time: None, grain: Grain::Day };
    let error = SliceTally::new(&schema.schema(), &cut).unwrap().add(&schema).unwrap_err();
    assert!(error.to_string().contains("column `n`"), "{error}");
}

fn by_day(batches: &[RecordBatch]) -> SliceMap<SliceRows> {
    tally(batches, Some("day"), Grain::Day)
}

type Row = (Option<i32>, Option<String>, Option<i16>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (any::<Option<i32>>(), proptest::option::of("[a-c]{0,20}"), proptest::option::of(-3_i16..3));
    proptest::collection::vec(row, 1..60)
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    let numbers: Int32Array = rows.iter().map(|row| row.0).collect();
    let texts: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
    let days: Date32Array = rows.iter().map(|row| row.2.map(i32::from)).collect();
    batch(vec![("number", Arc::new(numbers)), ("text", Arc::new(texts)), ("day", Arc::new(days))])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_batches_are_a_difference(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        size in 1_usize..9,
    ) {
        let expected = by_day(&[batch_of(&rows)]);
        prop_assert_eq!(expected.values().map(|sum| sum.rows).sum::<u64>(), rows.len() as u64);
        let parts: Vec<RecordBatch> = shuffled.chunks(size).map(batch_of).collect();
        prop_assert_eq!(&by_day(&parts), &expected);

        let cut = SliceCut { event_time: Some("day".to_owned()), grain: Grain::Day };
        let mut merged = SliceTally::new(&parts[0].schema(), &cut).unwrap();
        for part in &parts {
            let mut other = SliceTally::new(&part.schema(), &cut).unwrap();
            other.add(part).unwrap();
            merged.merge(other);
        }
        prop_assert_eq!(&merged.finish(), &expected);
    }

    #[test]
    fn neither_encoding_nor_the_order_of_columns_is_a_difference(rows in rows()) {
        let plain = batch_of(&rows);
        let encodings = [
            ("number", DataType::Int64),
            ("day", DataType::Timestamp(TimeUnit::Second, None)),
            ("text", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8))),
        ];
        let encoded = |keep: &str| {
            let column = |(name, encoding): &(&'static str, DataType)| {
                let array = plain.column_by_name(name).unwrap();
                (*name, if *name == keep { Arc::clone(array) } else { cast(array, encoding).unwrap() })
            };
            batch(encodings.iter().map(column).collect())
        };
        prop_assert_eq!(digest(&[encoded("day")]), digest(std::slice::from_ref(&plain)));
        let counted = |batch: RecordBatch| {
            let rows = by_day(&[batch]).into_iter();
            rows.map(|(key, sum)| (key, sum.rows)).collect::<Vec<_>>()
        };
        prop_assert_eq!(counted(encoded("")), counted(plain));
    }

    #[test]
    fn one_other_value_is_a_difference(rows in rows(), at in any::<proptest::sample::Index>(), text in "[a-c]{0,20}") {
        let mut other = rows.clone();
        let row = at.get_mut(&mut other);
        prop_assume!(row.1.as_deref() != Some(text.as_str()));
        row.1 = Some(text);
        prop_assert_ne!(digest(&[batch_of(&rows)]), digest(&[batch_of(&other)]));
    }
}
