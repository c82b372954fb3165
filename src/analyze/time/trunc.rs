//! `date_trunc`: the engine's, and for what it cannot cut (times beyond its nanoseconds, decades and longer) the calendar's.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::arrays::{beyond, checked, failed, micros, timestamps};
use super::text;

/// The engine's function with a way out where it fails.
#[derive(Debug)]
pub(super) struct DateTrunc {
    inner: Arc<ScalarUDF>,
}

impl DateTrunc {
    pub fn function() -> ScalarUDF {
        ScalarUDF::from(DateTrunc { inner: datafusion::functions::datetime::date_trunc() })
    }
}

impl PartialEq for DateTrunc {
    fn eq(&self, _: &DateTrunc) -> bool {
        true
    }
}

impl Eq for DateTrunc {}

impl Hash for DateTrunc {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        "date_trunc"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of `date_trunc` follows from its fields")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(input)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // The engine's is quick, and right wherever it does not fail: nanoseconds of 64 bits end in the year 2262.
        let again = args.args.clone();
        self.inner.invoke_with_args(args).or_else(|error| match slowly(&again)? {
            Some(cut) => Ok(cut),
            None => Err(error),
        })
    }
}

/// Cut by the calendar, time by time; `None` if that is not a unit of the calendar, or not a timestamp.
fn slowly(args: &[ColumnarValue]) -> Result<Option<ColumnarValue>> {
    let [ColumnarValue::Scalar(unit), times] = args else { return Ok(None) };
    let (ScalarValue::Utf8(Some(unit)) | ScalarValue::Utf8View(Some(unit)) | ScalarValue::LargeUtf8(Some(unit))) = unit
    else {
        return Ok(None);
    };
    let unit = unit.to_lowercase();
    let DataType::Timestamp(_, zone) = times.data_type() else { return Ok(None) };
    if cut(&unit, NaiveDateTime::default()).is_none() {
        return Ok(None);
    }
    let is_constant = matches!(times, ColumnarValue::Scalar(_));
    let times = times.to_array(1)?;
    let all = micros(&times)?;
    let mut found = Vec::with_capacity(all.len());
    for time in &all {
        let Some(time) = time else {
            found.push(None);
            continue;
        };
        let clock = text::clock(time).map_err(failed)?;
        let begin = cut(&unit, clock).ok_or_else(beyond)?;
        found.push(Some(checked(begin.and_utc().timestamp_micros())?));
    }
    let found: ArrayRef = timestamps(found, zone.is_some());
    Ok(Some(match is_constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?),
        false => ColumnarValue::Array(found),
    }))
}

/// The beginning of the unit that holds the time; `None` if the calendar has no such unit.
fn cut(unit: &str, time: NaiveDateTime) -> Option<NaiveDateTime> {
    let date = time.date();
    let year = date.year();
    let first = |year: i32, month: u32| NaiveDate::from_ymd_opt(year, month, 1);
    let begin = match unit {
        "day" => date,
        "week" => date - TimeDelta::days(i64::from(date.weekday().num_days_from_monday())),
        "month" => first(year, date.month())?,
        "quarter" => first(year, date.month0() / 3 * 3 + 1)?,
        "year" => first(year, 1)?,
        "decade" => first(year.div_euclid(10) * 10, 1)?,
        // There is no year 0: centuries and millennia begin with the year 1.
        "century" => first((year - 1).div_euclid(100) * 100 + 1, 1)?,
        "millennium" => first((year - 1).div_euclid(1000) * 1000 + 1, 1)?,
        _ => return None,
    };
    Some(begin.and_time(NaiveTime::MIN))
}
