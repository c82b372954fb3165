//! What shall go wrong, and when.

use std::time::Duration;

use super::requests::{Action, Request};

/// How a request ends otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, but the answer says that it was not.
    AppliedThen500,
    /// It is done, and the connection ends without an answer.
    AppliedThenDrop,
    /// Nothing is done, and the answer has this status.
    Fail(u16),
    /// It is done, and the answer takes its time.
    SlowFirstByte(Duration),
    /// It is done, and the answer ends in the middle of its body.
    Truncated,
}

/// How the server treats `If-Match` and `If-None-Match` of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Conditions {
    #[default]
    Kept,
    /// Of the conditional writes that come from now on, each of this number is done without a look at the condition.
    IgnoredEach(usize),
    /// They are answered with 501, and nothing is done.
    Refused,
}

/// What the server does with the condition of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Kept,
    Ignored,
    Refused,
}

/// Lets a fault strike some requests: once, at the first that matches, unless it is told otherwise.
#[derive(Debug)]
pub(crate) struct Rule {
    action: Option<Action>,
    part: String,
    end: String,
    nth: usize,
    times: usize,
    fault: Fault,
    seen: usize,
}

impl Rule {
    pub(crate) fn on(action: Action, fault: Fault) -> Rule {
        Rule { action: Some(action), ..Rule::on_all(fault) }
    }

    /// Whatever is asked.
    pub(crate) fn on_all(fault: Fault) -> Rule {
        Rule { action: None, part: String::new(), end: String::new(), nth: 1, times: 1, fault, seen: 0 }
    }

    /// Only keys, or prefixes of a list, with this part.
    pub(crate) fn containing(self, part: &str) -> Rule {
        Rule { part: part.to_owned(), ..self }
    }

    /// Only keys, or prefixes of a list, with this end.
    pub(crate) fn ending(self, end: &str) -> Rule {
        Rule { end: end.to_owned(), ..self }
    }

    /// From this one on of the requests that match, counted from 1.
    pub(crate) fn starting_at(self, nth: usize) -> Rule {
        Rule { nth, ..self }
    }

    /// So many requests that match, one after the other.
    pub(crate) fn times(self, times: usize) -> Rule {
        Rule { times, ..self }
    }

    pub(super) fn to_come(&self) -> usize {
        (self.nth - 1 + self.times).saturating_sub(self.seen).min(self.times)
    }

    /// Whether the fault strikes this request, which is counted.
    fn strikes(&mut self, request: &Request) -> bool {
        let is_meant = |key: &String| key.contains(&self.part) && key.ends_with(&self.end);
        if self.action.is_some_and(|action| action != request.action) || !request.keys.iter().any(is_meant) {
            return false;
        }
        self.seen += 1;
        (self.nth..self.nth.saturating_add(self.times)).contains(&self.seen)
    }
}

/// The rules of a server.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) rules: Vec<Rule>,
    pub(super) conditions: Conditions,
    pub(super) conditional_writes: usize,
}

impl Script {
    /// The fault of the first rule that strikes. All rules count the request.
    pub(super) fn strikes(&mut self, request: &Request) -> Option<Fault> {
        let mut strikes = None;
        for rule in &mut self.rules {
            if rule.strikes(request) {
                strikes = strikes.or(Some(rule.fault));
            }
        }
        strikes
    }

    pub(super) fn condition(&mut self, request: &Request) -> Condition {
        if !request.is_conditional || !request.action.is_write() {
            return Condition::Kept;
        }
        match self.conditions {
            Conditions::Kept => Condition::Kept,
            Conditions::Refused => Condition::Refused,
            Conditions::IgnoredEach(number) => {
                self.conditional_writes += 1;
                let is_ignored = self.conditional_writes.is_multiple_of(number);
                if is_ignored { Condition::Ignored } else { Condition::Kept }
            }
        }
    }
}
