//! Models and projects in words, as stories tell them.

use std::fmt;

use super::project::{Kind, Model, Project};

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Files => write!(formatter, "the rows of files"),
            Kind::Filter { input } => write!(formatter, "some rows of m{input}"),
            Kind::Shift { input, days } => write!(formatter, "rows of m{input} {days} days later"),
            Kind::Rolling { input, back, ahead, days } => {
                write!(formatter, "sum of m{input} {back} days back and {ahead} ahead, on days: {days:?}")
            }
            Kind::Months { input } => write!(formatter, "sum of m{input} a month"),
            Kind::Join { left, right, back, inner } => {
                let how = if *inner { "inner" } else { "full" };
                write!(formatter, "{how} join of m{left} and m{right} of {back} days before")
            }
            Kind::Lookup { facts, dimension, on_change } => {
                write!(formatter, "rows of m{facts} with the dimension m{dimension}, on change: {on_change:?}")
            }
            Kind::Total { input } => write!(formatter, "running total of m{input}"),
            Kind::Spine { input } => write!(formatter, "sum of m{input} on days of its own"),
            Kind::Undated { input } => write!(formatter, "rows of m{input}, of which some lose their day"),
            Kind::Latest { facts, values, back: None } => {
                write!(formatter, "rows of m{facts} with the last of m{values} until then")
            }
            Kind::Latest { facts, values, back: Some(back) } => {
                write!(formatter, "rows of m{facts} with the last of m{values} in {back} days until then")
            }
            Kind::Carried { input, calendar, back } => {
                write!(formatter, "m{input} carried {back} days forward on the days of m{calendar}")
            }
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dated = if self.dated { ", without rows that have no day" } else { "" };
        write!(formatter, "{:?}; {:?} by {}{dated}", self.kind, self.cut, self.grain)
    }
}

impl fmt::Debug for Project {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, model) in self.0.iter().enumerate() {
            write!(formatter, "\n    m{place}: {model:?}")?;
        }
        Ok(())
    }
}
