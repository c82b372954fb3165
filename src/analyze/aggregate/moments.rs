//! Averages, variances, correlations and regressions of floating-point numbers, by the algorithm of Youngs and Cramer (1971),
//! which PostgreSQL uses: sums of squares of differences from the mean, updated row by row, so that nothing is lost where the
//! values are large and lie close together.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};

use super::doubles::{of_word, word};
use super::rule::AggregateRule;
use crate::analyze::arithmetic::overflow_of;

#[derive(Debug, Clone)]
pub(super) struct Moments {
    of: Statistic,
    /// As the author wrote it.
    name: String,
}

/// What is made of the moments.
#[derive(Debug, Clone, Copy)]
enum Statistic {
    Mean,
    Variance { is_sample: bool },
    Deviation { is_sample: bool },
    Correlation,
    Covariance { is_sample: bool },
    MeanX,
    MeanY,
    SquaresX,
    SquaresY,
    Products,
    Slope,
    Intercept,
    Determination,
}

impl Statistic {
    fn named(function: &str) -> Option<Statistic> {
        Some(match function {
            "avg" => Statistic::Mean,
            "var" | "var_samp" => Statistic::Variance { is_sample: true },
            "var_pop" => Statistic::Variance { is_sample: false },
            "stddev" | "stddev_samp" => Statistic::Deviation { is_sample: true },
            "stddev_pop" => Statistic::Deviation { is_sample: false },
            "corr" => Statistic::Correlation,
            "covar_samp" => Statistic::Covariance { is_sample: true },
            "covar_pop" => Statistic::Covariance { is_sample: false },
            "regr_avgx" => Statistic::MeanX,
            "regr_avgy" => Statistic::MeanY,
            "regr_sxx" => Statistic::SquaresX,
            "regr_syy" => Statistic::SquaresY,
            "regr_sxy" => Statistic::Products,
            "regr_slope" => Statistic::Slope,
            "regr_intercept" => Statistic::Intercept,
            "regr_r2" => Statistic::Determination,
            _ => return None,
        })
    }
}

impl Moments {
    pub fn is_for(function: &str) -> bool {
        Statistic::named(function).is_some()
    }

    pub fn new(function: &str, name: String) -> Result<Moments> {
        match Statistic::named(function) {
            Some(of) => Ok(Moments { of, name }),
            None => exec_err!("`{function}` is not made of moments"),
        }
    }

    fn overflow<T>(&self) -> Result<T> {
        Err(overflow_of(&self.name, &DataType::Float64))
    }

    /// `None` where there are too few rows, or no spread that something could be divided by.
    fn result(&self, sums: &Sums) -> Option<f64> {
        let Sums { count, x, xx, y, yy, xy } = *sums;
        let divisor = |is_sample: bool| {
            let divisor = if is_sample { count - 1.0 } else { count };
            (divisor > 0.0).then_some(divisor)
        };
        let all = divisor(false)?;
        match self.of {
            Statistic::Mean | Statistic::MeanX => Some(x / all),
            Statistic::MeanY => Some(y / all),
            Statistic::Variance { is_sample } => Some(xx / divisor(is_sample)?),
            Statistic::Deviation { is_sample } => Some((xx / divisor(is_sample)?).sqrt()),
            Statistic::Correlation if xx == 0.0 || yy == 0.0 => None,
            Statistic::Correlation => Some(xy / (xx * yy).sqrt()),
            Statistic::Covariance { is_sample } => Some(xy / divisor(is_sample)?),
            Statistic::SquaresX => Some(xx),
            Statistic::SquaresY => Some(yy),
            Statistic::Products => Some(xy),
            Statistic::Slope | Statistic::Intercept | Statistic::Determination if xx == 0.0 => None,
            Statistic::Slope => Some(xy / xx),
            Statistic::Intercept => Some((y - x * xy / xx) / all),
            // All points lie on a horizontal line, which explains them wholly: so the standard says.
            Statistic::Determination if yy == 0.0 => Some(1.0),
            Statistic::Determination => Some((xy * xy) / (xx * yy)),
        }
    }
}

/// How many rows there are, the sums of both values, and those of the squares and products of their differences from the means.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    count: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

/// Which of the values that sums are made of were infinite already.
#[derive(Clone, Copy)]
struct Infinite {
    x: bool,
    y: bool,
}

impl Sums {
    /// A sum that has become infinite though no value is: `None`. Differences from an infinite mean are undefined.
    fn checked(mut self, given: Infinite) -> Option<Sums> {
        let Infinite { x: x_was_infinite, y: y_was_infinite } = given;
        let is_lost = |sum: f64, was_infinite: bool| sum.is_infinite() && !was_infinite;
        if is_lost(self.x, x_was_infinite)
            || is_lost(self.xx, x_was_infinite)
            || is_lost(self.y, y_was_infinite)
            || is_lost(self.yy, y_was_infinite)
            || is_lost(self.xy, x_was_infinite || y_was_infinite)
        {
            return None;
        }
        // The difference of two infinities is undefined, and PostgreSQL says so by NaN.
        for squares in [&mut self.xx, &mut self.yy, &mut self.xy] {
            if squares.is_infinite() {
                *squares = f64::NAN;
            }
        }
        Some(self)
    }

    fn with(&self, x: f64, y: f64) -> Option<Sums> {
        let count = self.count + 1.0;
        let mut sums = Sums { count, x: self.x + x, y: self.y + y, ..self.clone() };
        // The first row differs from no mean: its squares are zero, if they are defined at all.
        if self.count == 0.0 {
            if !x.is_finite() {
                sums.xx = f64::NAN;
                sums.xy = f64::NAN;
            }
            if !y.is_finite() {
                sums.yy = f64::NAN;
                sums.xy = f64::NAN;
            }
            return Some(sums);
        }
        // Youngs and Cramer: with n rows and the sum S of all, the new row adds (n·x − S)² / (n·(n−1)) to the squares. No mean is
        // kept, so none has to be rounded.
        let from_x = x * count - sums.x;
        let from_y = y * count - sums.y;
        let weight = 1.0 / (count * self.count);
        sums.xx += from_x * from_x * weight;
        sums.yy += from_y * from_y * weight;
        sums.xy += from_x * from_y * weight;
        sums.checked(Infinite {
            x: self.x.is_infinite() || x.is_infinite(),
            y: self.y.is_infinite() || y.is_infinite(),
        })
    }

    fn and(&self, other: &Sums) -> Option<Sums> {
        if self.count == 0.0 {
            return Some(other.clone());
        }
        if other.count == 0.0 {
            return Some(self.clone());
        }
        let count = self.count + other.count;
        // The merge of two summaries (Chan, Golub, LeVeque): the squares within each, and what the distance of the means adds.
        let from_x = self.x / self.count - other.x / other.count;
        let from_y = self.y / self.count - other.y / other.count;
        let weight = self.count * other.count / count;
        let sums = Sums {
            count,
            x: self.x + other.x,
            xx: self.xx + other.xx + weight * from_x * from_x,
            y: self.y + other.y,
            yy: self.yy + other.yy + weight * from_y * from_y,
            xy: self.xy + other.xy + weight * from_x * from_y,
        };
        sums.checked(Infinite {
            x: self.x.is_infinite() || other.x.is_infinite(),
            y: self.y.is_infinite() || other.y.is_infinite(),
        })
    }
}

impl AggregateRule for Moments {
    /// The values of one column and zero, or those of two: y and x, as the functions take them.
    type RowValue = (f64, f64);
    type Running = Sums;

    const WORDS: usize = 6;

    fn each(&self, columns: &[ArrayRef], visit: &mut dyn FnMut(usize, (f64, f64)) -> Result<()>) -> Result<()> {
        let doubles = columns.iter().map(|column| Ok(cast(column, &DataType::Float64)?)).collect::<Result<Vec<_>>>()?;
        let doubles: Vec<&Float64Array> = doubles.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        match doubles.as_slice() {
            [x] => {
                let values = x.iter().enumerate().filter_map(|(place, x)| Some((place, x?)));
                values.into_iter().try_for_each(|(place, x)| visit(place, (0.0, x)))
            }
            // A pair counts only where neither value is null.
            [y, x] => {
                let places = (0..x.len()).filter(|place| x.is_valid(*place) && y.is_valid(*place));
                places.into_iter().try_for_each(|place| visit(place, (y.value(place), x.value(place))))
            }
            _ => exec_err!("`{}` takes one or two arguments", self.name),
        }
    }

    fn add(&self, state: &mut Sums, row: Self::RowValue) -> Result<()> {
        match state.with(row.1, row.0) {
            Some(sums) => *state = sums,
            None => return self.overflow(),
        }
        Ok(())
    }

    fn combine(&self, state: &mut Sums, other: &Sums) -> Result<()> {
        match state.and(other) {
            Some(sums) => *state = sums,
            None => return self.overflow(),
        }
        Ok(())
    }

    fn finish(&self, states: &[Sums]) -> Result<ArrayRef> {
        Ok(Arc::new(states.iter().map(|sums| self.result(sums)).collect::<Float64Array>()))
    }

    fn words(state: &Sums) -> Vec<i128> {
        let Sums { count, x, xx, y, yy, xy } = state;
        [count, x, xx, y, yy, xy].map(|value| word(*value)).to_vec()
    }

    fn of_words(words: &[i128]) -> Sums {
        match words {
            [count, x, xx, y, yy, xy] => Sums {
                count: of_word(*count),
                x: of_word(*x),
                xx: of_word(*xx),
                y: of_word(*y),
                yy: of_word(*yy),
                xy: of_word(*xy),
            },
            _ => Sums::default(),
        }
    }

    fn key(row: Self::RowValue) -> Option<i128> {
        // Only functions of one argument know `distinct`.
        (row.0 == 0.0).then(|| word(row.1))
    }

    fn of_key(key: i128) -> (f64, f64) {
        (0.0, of_word(key))
    }
}
