//! Which call of a store goes wrong, and how.

use std::time::Duration;

use super::Logged;

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Put,
    ConditionalPut,
    Get,
    Head,
    List,
    Delete,
    Copy,
    UploadStart,
    UploadPart,
    UploadComplete,
    UploadAbort,
}

impl Operation {
    /// Whether it changes the store.
    pub fn writes(self) -> bool {
        match self {
            Operation::Get | Operation::Head | Operation::List => false,
            Operation::Put
            | Operation::ConditionalPut
            | Operation::Delete
            | Operation::Copy
            | Operation::UploadStart
            | Operation::UploadPart
            | Operation::UploadComplete
            | Operation::UploadAbort => true,
        }
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done; the caller gets an error.
    FailBefore,
    /// It is done; the caller gets an error.
    AppliedThenError,
    /// It is done; the caller gets a time-out after a while.
    AppliedThenHang,
    /// The caller gets a time-out after a while; it is done half a minute later, if it still can be.
    DropThenLandLate,
    /// Nothing is done; the caller gets what a client makes of this HTTP status.
    Status(u16),
    /// It is done, after a while.
    Slow(Duration),
    /// The answer breaks off in the middle.
    ShortRead,
    /// The process dies: neither this nor anything later is done through this store.
    Abort,
    /// It is done, then the process dies.
    AbortAfter,
}

/// The calls that a process has made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    pub process: u64,
    pub number: u64,
    /// Those of all processes.
    pub log: &'a [Logged],
}

impl<'a> Before<'a> {
    fn made(self) -> impl Iterator<Item = &'a Logged> {
        self.log.iter().filter(move |call| call.process == self.process)
    }
}

/// Which calls go wrong. Of several rules for one call the first counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultPlan {
    rules: Vec<FaultRule>,
}

#[derive(Debug, Clone)]
enum FaultRule {
    At { call: u64, fault: Fault },
    On { operation: Operation, path_part: String, nth: u64, fault: Fault },
    Random { seed: u64, one_in: u64, faults: Vec<Fault> },
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> FaultPlan {
        FaultPlan::default()
    }

    /// The call with this number, from 0, goes wrong.
    pub fn at(call: u64, fault: Fault) -> FaultPlan {
        FaultPlan { rules: vec![FaultRule::At { call, fault }] }
    }

    /// The n-th call, from 1, of this kind for a path that contains `path_part` goes wrong.
    pub fn on(operation: Operation, path_part: &str, nth: u64, fault: Fault) -> FaultPlan {
        FaultPlan { rules: vec![FaultRule::On { operation, path_part: path_part.to_owned(), nth, fault }] }
    }

    /// One in so many calls goes wrong, in one of these ways; the same ones for the same seed.
    pub fn random(seed: u64, one_in: u64, faults: &[Fault]) -> FaultPlan {
        FaultPlan { rules: vec![FaultRule::Random { seed, one_in, faults: faults.to_vec() }] }
    }

    pub fn and(mut self, other: FaultPlan) -> FaultPlan {
        self.rules.extend(other.rules);
        self
    }

    /// What happens to the next call, after those that were made through the same store.
    pub(super) fn fault(&self, before: Before<'_>, operation: Operation, path: &str) -> Option<Fault> {
        self.rules.iter().find_map(|rule| rule.fault(before, operation, path))
    }
}

impl FaultRule {
    fn fault(&self, before: Before<'_>, wanted: Operation, path: &str) -> Option<Fault> {
        let number = before.number;
        match self {
            FaultRule::At { call, fault } => (number == *call).then_some(*fault),
            FaultRule::On { operation, path_part, nth, fault } => {
                let is_meant = |operation_made: Operation, path: &str| {
                    operation_made == *operation && path.contains(path_part.as_str())
                };
                let count = before.made().filter(|made| is_meant(made.operation, &made.path)).count() as u64;
                (is_meant(wanted, path) && count + 1 == *nth).then_some(*fault)
            }
            FaultRule::Random { seed, one_in, faults } => {
                let dice = mix(seed ^ mix(number));
                let pick = mix(dice) % (faults.len() as u64).max(1);
                dice.is_multiple_of(*one_in).then(|| faults.get(pick as usize).copied()).flatten()
            }
        }
    }
}

/// The finalizer of SplitMix64: different numbers become different ones that look unrelated.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
