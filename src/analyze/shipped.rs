//! Functions as they travel to other machines.
//!
//! A plan names its functions, and the machine that reads it looks them up. That is right only if the function of that name is the
//! function that was meant: karat's own may know the author's text, a type or a part of a time besides. So a function goes by its
//! name if it equals the one of its name, and otherwise with what is needed to make it of that one; what has been made so is
//! compared with the function before it goes. A function that cannot be made again does not travel.

use std::sync::Arc;

use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use serde::{Deserialize, Serialize};

use super::aggregate::ShippedAggregate;
use super::arithmetic::ShippedArithmetic;
use super::functions::Functions;
use super::time::ShippedTime;

/// A scalar function that is not just the one of its name.
#[derive(Debug, Serialize, Deserialize)]
enum ShippedScalar {
    Arithmetic(ShippedArithmetic),
    Time(ShippedTime),
}

impl ShippedScalar {
    fn of(function: &ScalarUDF) -> Option<ShippedScalar> {
        let arithmetic = ShippedArithmetic::of(function).map(ShippedScalar::Arithmetic);
        arithmetic.or_else(|| ShippedTime::of(function).map(ShippedScalar::Time))
    }

    fn function(self, known: Option<&Arc<ScalarUDF>>) -> Option<Arc<ScalarUDF>> {
        match self {
            ShippedScalar::Arithmetic(shipped) => shipped.function(known),
            ShippedScalar::Time(shipped) => shipped.function(),
        }
    }
}

impl Functions {
    /// What a scalar function is besides its name: nothing, if it is the one of that name.
    ///
    /// # Errors
    ///
    /// Fails if it could not be made again.
    pub fn scalar_bytes(&self, function: &ScalarUDF) -> Result<Vec<u8>> {
        let name = function.name();
        if self.scalar.get(name).is_some_and(|known| **known == *function) {
            return Ok(Vec::new());
        }
        let bytes = ShippedScalar::of(function).and_then(|shipped| serde_json::to_vec(&shipped).ok());
        match bytes {
            Some(bytes) if self.scalar_of(name, &bytes).is_ok_and(|again| *again == *function) => Ok(bytes),
            _ => cannot_travel(name),
        }
    }

    /// The scalar function again.
    ///
    /// # Errors
    ///
    /// Fails if `scalar_bytes` of this version has not made the bytes.
    pub fn scalar_of(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        let known = self.scalar.get(name);
        let function = match bytes {
            [] => known.cloned(),
            bytes => serde_json::from_slice::<ShippedScalar>(bytes).ok().and_then(|shipped| shipped.function(known)),
        };
        function.map_or_else(|| unknown(name), Ok)
    }

    /// What an aggregate is besides its name: nothing, if it is the one of that name.
    ///
    /// # Errors
    ///
    /// Fails if it could not be made again.
    pub fn aggregate_bytes(&self, function: &AggregateUDF) -> Result<Vec<u8>> {
        let name = function.name();
        if self.aggregate.get(name).is_some_and(|known| **known == *function) {
            return Ok(Vec::new());
        }
        for shipped in ShippedAggregate::of(function) {
            let Ok(bytes) = serde_json::to_vec(&shipped) else { continue };
            if self.aggregate_of(name, &bytes).is_ok_and(|again| *again == *function) {
                return Ok(bytes);
            }
        }
        cannot_travel(name)
    }

    /// The aggregate again.
    ///
    /// # Errors
    ///
    /// Fails if `aggregate_bytes` of this version has not made the bytes.
    pub fn aggregate_of(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        let Some(known) = self.aggregate.get(name) else { return unknown(name) };
        let function = match bytes {
            [] => Some(Arc::clone(known)),
            bytes => serde_json::from_slice::<ShippedAggregate>(bytes).ok().and_then(|shipped| shipped.function(known)),
        };
        function.map_or_else(|| unknown(name), Ok)
    }

    /// Fails unless the function is the one of its name.
    ///
    /// # Errors
    ///
    /// Fails if it is another function, or one whose name is not known.
    pub fn check_window(&self, function: &WindowUDF) -> Result<()> {
        match self.window.get(function.name()) {
            Some(known) if **known == *function => Ok(()),
            Some(_) | None => cannot_travel(function.name()),
        }
    }

    /// Fails unless the function is the one of its name.
    ///
    /// # Errors
    ///
    /// Fails if it is another function, or one whose name is not known.
    pub fn check_higher_order(&self, function: &HigherOrderUDF) -> Result<()> {
        match self.higher_order.get(function.name()) {
            Some(known) if **known == *function => Ok(()),
            Some(_) | None => cannot_travel(function.name()),
        }
    }
}

fn cannot_travel<T>(name: &str) -> Result<T> {
    not_impl_err!("the function `{name}` cannot be sent to another machine")
}

fn unknown<T>(name: &str) -> Result<T> {
    not_impl_err!("the function `{name}` is not known on this machine, or not with this state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_sql_go_by_their_names() {
        let functions = Functions::load();
        for (name, function) in &functions.scalar {
            assert_eq!(functions.scalar_bytes(function).unwrap(), Vec::<u8>::new(), "{name}");
        }
        for (name, function) in &functions.aggregate {
            assert_eq!(functions.aggregate_bytes(function).unwrap(), Vec::<u8>::new(), "{name}");
        }
        functions.window.values().for_each(|function| functions.check_window(function).unwrap());
        functions.higher_order.values().for_each(|function| functions.check_higher_order(function).unwrap());
    }

    #[test]
    fn what_a_function_knows_besides_its_name_goes_with_it() {
        let functions = Functions::load();
        let text = || "a / b".to_owned();
        let arithmetic = [
            (Some("ln"), ShippedArithmetic::Checked { text: Some(text()) }),
            (None, ShippedArithmetic::ToPlaces { truncates: true }),
            (None, ShippedArithmetic::ToPlaces { truncates: false }),
            (None, ShippedArithmetic::FloatText),
            (None, ShippedArithmetic::UnsignedZero),
            (None, ShippedArithmetic::Cast { to: "Decimal128(10, 2)".to_owned(), is_try: true, text: text() }),
            (None, ShippedArithmetic::Cast { to: "List(Int64)".to_owned(), is_try: false, text: text() }),
        ];
        let places = ["round", "trunc", "ceil", "floor"].map(|function| {
            let digits = |scale: u8| format!("Decimal128(12, {scale})");
            let function = function.to_owned();
            (None, ShippedArithmetic::DecimalPlaces { function, from: digits(4), to: digits(1), text: text() })
        });
        let operators = ["+", "-", "*", "/", "%"]
            .map(|sign| (None, ShippedArithmetic::Operator { sign: sign.to_owned(), text: text() }));
        let time = [
            ShippedTime::Extract { part: "isodow".to_owned(), is_exact: true },
            ShippedTime::Text,
            ShippedTime::ParseTimestamp { is_try: true },
            ShippedTime::ParseInstant { is_try: false },
            ShippedTime::ParseDate { is_try: true },
            ShippedTime::Interval,
            ShippedTime::Length,
            ShippedTime::Times,
        ];
        let arithmetic = arithmetic.into_iter().chain(places).chain(operators);
        let arithmetic = arithmetic.map(|(known, shipped)| (known, ShippedScalar::Arithmetic(shipped)));
        for (known, shipped) in arithmetic.chain(time.map(|shipped| (None, ShippedScalar::Time(shipped)))) {
            let shown = format!("{shipped:?}");
            let known = known.and_then(|name| functions.scalar.get(name));
            let function = shipped.function(known).unwrap_or_else(|| panic!("{shown}"));
            let bytes = functions.scalar_bytes(&function).unwrap();
            assert!(!bytes.is_empty(), "{shown}");
            assert_eq!(functions.scalar_of(function.name(), &bytes).unwrap(), function, "{shown}");
        }
    }

    #[test]
    fn aggregates_know_how_they_read_and_whether_rows_come_in_order() {
        let functions = Functions::load();
        let text = || Some("sum(a / b)".to_owned());
        let of_text = [
            ("sum", ShippedAggregate::Sum { text: text() }),
            ("sum", ShippedAggregate::Own { text: text() }),
            ("avg", ShippedAggregate::Own { text: text() }),
            ("max", ShippedAggregate::Own { text: text() }),
            ("stddev_pop", ShippedAggregate::Own { text: text() }),
            ("first_value", ShippedAggregate::Ordered { is_ordered: true }),
            ("last_value", ShippedAggregate::Ordered { is_ordered: true }),
            ("array_agg", ShippedAggregate::Ordered { is_ordered: true }),
        ];
        for (name, shipped) in of_text {
            let shown = format!("{name}: {shipped:?}");
            let function = shipped.function(&functions.aggregate[name]).unwrap_or_else(|| panic!("{shown}"));
            let bytes = functions.aggregate_bytes(&function).unwrap();
            assert_eq!(functions.aggregate_of(name, &bytes).unwrap(), function, "{shown}");
            assert_eq!(bytes.is_empty(), functions.aggregate[name] == function, "{shown}");
        }
        assert!(functions.aggregate_of("sum", b"{}").is_err());
        assert!(functions.scalar_of("no_function", b"").is_err());
    }
}
