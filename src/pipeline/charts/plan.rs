//! Charts checked against the columns of their models.

use arrow::datatypes::{DataType, Schema};

use crate::analyze::{Planner, TypedModel, check_named, type_name};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::pipeline::load::Compiled;
use crate::project::{ChartKind, DeclaredChart, Model};
use crate::span::{Span, Spanned};
use crate::template::{ReferenceTarget, RenderedSql};

/// A chart whose columns exist and have types that can be drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedChart<'a> {
    pub model: &'a TypedModel,
    pub declared: &'a DeclaredChart,
    pub(super) x: Option<ChartColumn<'a>>,
}

/// The column along a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChartColumn<'a> {
    pub name: &'a Spanned<String>,
    pub kind: PlaceKind,
}

/// What the places along a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceKind {
    Days,
    Times,
    Numbers(NumberKind),
    Names,
}

/// Numbers by what they can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberKind {
    Whole,
    Exact,
    /// They may be infinite or no number at all.
    Floating,
}

impl PlaceKind {
    /// `None` for what has no place along a chart.
    fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::Date32 => Some(PlaceKind::Days),
            DataType::Timestamp(..) => Some(PlaceKind::Times),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => Some(PlaceKind::Names),
            other if other.is_integer() => Some(PlaceKind::Numbers(NumberKind::Whole)),
            other if other.is_decimal() => Some(PlaceKind::Numbers(NumberKind::Exact)),
            other if other.is_floating() => Some(PlaceKind::Numbers(NumberKind::Floating)),
            _ => None,
        }
    }

    pub fn has_order(self) -> bool {
        self != PlaceKind::Names
    }
}

/// What is wrong with the charts of a model.
pub(crate) fn chart_faults(compiled: &Compiled) -> Vec<ChartFault> {
    let models = compiled.loaded.project.models.values().filter(|model| !model.charts.is_empty());
    let with_charts: Vec<&Model> = models.collect();
    // Most projects have none, and need no planner for them.
    if with_charts.is_empty() {
        return Vec::new();
    }
    let planner = &compiled.planner();
    let mut faults = Vec::new();
    for declared in with_charts {
        let Some(model) = compiled.typed.get(&declared.name) else { continue };
        let mut said = Sink::default();
        for chart in &declared.charts {
            // Whatever is wrong is in the sink.
            let _ =
                planned(model, chart, &mut said).and_then(|planned| planned.check_filter(planner, compiled, &mut said));
        }
        if said.has_errors() {
            faults.push(ChartFault { model: declared.name.clone(), faults: said.take() });
        }
    }
    faults
}

/// A model with charts that cannot be drawn.
pub(crate) struct ChartFault {
    pub model: ModelName,
    pub faults: Vec<Diagnostic>,
}

/// Checks one chart against the columns of its model.
pub(super) fn planned<'a>(
    model: &'a TypedModel,
    declared: &'a DeclaredChart,
    sink: &mut Sink,
) -> Checked<PlannedChart<'a>> {
    let named = declared.x.iter().chain(&declared.y).chain(&declared.split);
    sink.check_all(named, |column, sink| check_named(&model.schema, column, sink))?;
    let x = declared.x.as_ref().map(|column| place_column(model, declared, column, sink)).transpose()?;
    sink.check_all(&declared.y, |column, sink| {
        let data_type = type_of(&model.schema, column);
        if matches!(PlaceKind::of(data_type), Some(PlaceKind::Numbers(_))) {
            return Ok(());
        }
        let help = match PlaceKind::of(data_type) {
            Some(PlaceKind::Names) => "`split` draws a series for each of its values",
            _ => "a measure is a number",
        };
        Err::<(), _>(sink.error(wrong_type(column, data_type, "cannot be measured").help(help)))
    })?;
    if let Some(split) = &declared.split {
        check_split(model, split, sink)?;
        if let (Some(limit), Some(PlaceKind::Names)) = (declared.limit, x.map(|x| x.kind)) {
            let message = format!("`limit: {limit}` needs an order, and names that are split have none");
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(split.span);
            return Err(sink.error(diagnostic.help("choose the rows with `where`")));
        }
    }
    Ok(PlannedChart { model, declared, x })
}

fn place_column<'a>(
    model: &TypedModel,
    declared: &DeclaredChart,
    column: &'a Spanned<String>,
    sink: &mut Sink,
) -> Checked<ChartColumn<'a>> {
    let data_type = type_of(&model.schema, column);
    let kind = PlaceKind::of(data_type);
    let help = match (declared.kind.value, kind) {
        (ChartKind::Bar, Some(kind)) => return Ok(ChartColumn { name: column, kind }),
        (ChartKind::Line | ChartKind::Number, Some(kind)) if kind.has_order() => {
            return Ok(ChartColumn { name: column, kind });
        }
        (ChartKind::Histogram, Some(kind @ PlaceKind::Numbers(_))) => return Ok(ChartColumn { name: column, kind }),
        (ChartKind::Line, Some(PlaceKind::Names)) => "`type: bar` draws a bar for each of its values",
        (ChartKind::Histogram, Some(PlaceKind::Names)) => "a histogram counts numbers; `type: bar` draws names",
        (ChartKind::Histogram, _) => "a histogram counts numbers",
        (ChartKind::Number, _) => "the newest value is that of the largest date, timestamp or number",
        _ => "the column along a chart is a date, a timestamp, a number or a text",
    };
    let what = match declared.kind.value {
        ChartKind::Line => "has no order to draw a line along",
        ChartKind::Bar => "cannot stand along a chart",
        ChartKind::Number => "does not say which row is the newest",
        ChartKind::Histogram => "cannot be divided into ranges",
    };
    Err(sink.error(wrong_type(column, data_type, what).help(help)))
}

fn check_split(model: &TypedModel, split: &Spanned<String>, sink: &mut Sink) -> Checked<()> {
    let data_type = type_of(&model.schema, split);
    match PlaceKind::of(data_type) {
        Some(PlaceKind::Names | PlaceKind::Days | PlaceKind::Numbers(NumberKind::Whole)) => Ok(()),
        _ => {
            let diagnostic = wrong_type(split, data_type, "cannot split a chart");
            Err(sink.error(diagnostic.help("a chart is split by a text, a truth value, a whole number or a date")))
        }
    }
}

fn type_of<'a>(schema: &'a Schema, column: &Spanned<String>) -> &'a DataType {
    schema.field_with_name(&column.value).expect("the columns of a chart were looked up").data_type()
}

fn wrong_type(column: &Spanned<String>, data_type: &DataType, what: &str) -> Diagnostic {
    let message = format!("`{}` is of the type {}, which {what}", column.value, type_name(data_type));
    Diagnostic::error(Code::WrongType, message).at(column.span)
}

impl PlannedChart<'_> {
    /// Plans the condition, so that what is wrong with it is said before anybody draws.
    fn check_filter(&self, planner: &Planner<'_>, compiled: &Compiled, sink: &mut Sink) -> Checked<()> {
        let Some(filter) = &self.declared.filter else { return Ok(()) };
        let text = self.text(format!("select 1 as one from {}", self.rows()));
        planner.text(&text, filter.span.file, &compiled.typed, sink).map(drop)
    }

    /// The rows that are drawn, as they stand behind FROM.
    pub(super) fn rows(&self) -> String {
        // On a line of its own: the condition may end with a comment.
        let condition = self.declared.filter.iter().map(|filter| format!(" where (\n{}\n)", filter.value));
        format!("{}{}", self.model.table, condition.collect::<String>())
    }

    /// A text over the model, whose faults are those of the condition.
    pub(super) fn text(&self, sql: String) -> RenderedSql {
        let target = ReferenceTarget::Model(self.model.name.clone());
        RenderedSql::over(sql, [(&self.model.table, &target)], self.span())
    }

    /// Where the chart is declared, or the condition that may be wrong.
    pub(super) fn span(&self) -> Span {
        self.declared.filter.as_ref().map_or(self.declared.name.span, |filter| filter.span)
    }
}
