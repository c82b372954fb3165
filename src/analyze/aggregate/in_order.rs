//! `first_value(… order by …)` and `last_value(… order by …)` with accumulators of karat.
//!
//! The results are the engine's. Its accumulators keep the ORDER BY values of each group as a vector of scalars, and look through all
//! groups with every batch of rows; these keep them as bytes that compare like the values, and look at the groups of the batch.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::physical_expr::PhysicalSortExpr;

use super::first_by_group::{FirstByGroup, OrderColumn, PickedRow};

/// The engine's function with another accumulator of groups.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct InOrder {
    inner: Arc<AggregateUDF>,
    picked: PickedRow,
}

impl InOrder {
    /// The function with karat's accumulators. Returns `None` if it is another function.
    pub fn function(known: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
        let picked = match known.name() {
            "first_value" => PickedRow::First,
            "last_value" => PickedRow::Last,
            _ => return None,
        };
        Some(Arc::new(AggregateUDF::from(InOrder { inner: Arc::clone(known), picked })))
    }
}

/// What the rows are ordered by. Returns `None` if the engine's accumulators have to do: without an order, or with one by values
/// that come back from the row format as another type.
fn order_of(args: &AccumulatorArgs<'_>) -> Option<Vec<OrderColumn>> {
    let column = |by: &PhysicalSortExpr| {
        let data_type = by.expr.data_type(args.schema).ok()?;
        let is_plain = !data_type.is_nested() && !matches!(data_type, DataType::Dictionary(..));
        is_plain.then_some(OrderColumn { data_type, options: by.options })
    };
    let columns: Vec<OrderColumn> = args.order_bys.iter().map(column).collect::<Option<_>>()?;
    (!columns.is_empty()).then_some(columns)
}

impl AggregateUDFImpl for InOrder {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        order_of(&args).is_some() || self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let Some(order) = order_of(&args) else { return self.inner.create_groups_accumulator(args) };
        let value_type = args.return_field.data_type().clone();
        Ok(Box::new(FirstByGroup::new(self.picked, value_type, args.ignore_nulls, &order)?))
    }

    fn with_beneficial_ordering(self: Arc<Self>, is_ordered: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let ordered = self.inner.as_ref().clone().with_beneficial_ordering(is_ordered)?;
        let of_ordered = |inner: AggregateUDF| -> Arc<dyn AggregateUDFImpl> {
            Arc::new(InOrder { inner: Arc::new(inner), picked: self.picked })
        };
        Ok(ordered.map(of_ordered))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.reverse_udf() {
            ReversedUDAF::Reversed(reversed) => {
                ReversedUDAF::Reversed(InOrder::function(&reversed).unwrap_or(reversed))
            }
            as_it_is => as_it_is,
        }
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }
}
