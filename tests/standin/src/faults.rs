//! Which operations fail, and how: rules that are matched when an operation arrives.
//!
//! The first rule that matches decides. A rule can let a number of matching operations pass
//! first and strike only a number of times, so that "the third read fails once" can be said.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::operation::Operation;

/// What happens to an operation that a rule strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// It is not answered until `release`. It holds no slot meanwhile.
    Hang,
    /// It is answered with an error, at the cost of any operation.
    Error {
        /// Which error.
        errno: FaultErrno,
    },
    /// A READ answers half of the bytes there are. Other operations are not struck.
    ShortRead,
}

/// The errors that a fault can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FaultErrno {
    /// Input/output error.
    Eio,
    /// The handle is stale: the file is gone from the server.
    Estale,
    /// No such file.
    Enoent,
    /// Permission denied.
    Eacces,
    /// The server did not answer in time (a soft NFS mount).
    Etimedout,
}

impl From<FaultErrno> for fuser::Errno {
    fn from(errno: FaultErrno) -> Self {
        match errno {
            FaultErrno::Eio => Self::EIO,
            FaultErrno::Estale => Self::ESTALE,
            FaultErrno::Enoent => Self::ENOENT,
            FaultErrno::Eacces => Self::EACCES,
            FaultErrno::Etimedout => Self::ETIMEDOUT,
        }
    }
}

/// A rule: what to do to which operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What to do.
    #[serde(flatten)]
    pub effect: Effect,
    /// Only to this path, relative to the mount, and what is below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<PathBuf>,
    /// Only to these operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ops: Option<Vec<Operation>>,
    /// Let this many matching operations pass first.
    #[serde(default)]
    pub after: u64,
    /// Strike only this many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl Fault {
    /// A rule that strikes every operation.
    pub fn new(effect: Effect) -> Self {
        Self { effect, path_prefix: None, ops: None, after: 0, times: None }
    }

    /// Only at `path`, relative to the mount, and below it.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path_prefix = Some(path.into());
        self
    }

    /// Only on these operations.
    #[must_use]
    pub fn on(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.ops = Some(operations.into_iter().collect());
        self
    }

    /// Only after `count` matching operations have passed.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Only `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = Some(count);
        self
    }

    fn matches(&self, operation: Operation, path: &Path) -> bool {
        (self.effect != Effect::ShortRead || operation == Operation::Read)
            && self.ops.as_ref().is_none_or(|ops| ops.contains(&operation))
            && self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix))
    }
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    matched: u64,
    struck: u64,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(Rule { fault, matched: 0, struck: 0 });
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn clear_hangs(&self) {
        self.lock().retain(|rule| rule.fault.effect != Effect::Hang);
    }

    /// What happens to this operation; advances the counters of the rules.
    pub(crate) fn decide(&self, operation: Operation, path: &Path) -> Option<Effect> {
        let mut rules = self.lock();
        for rule in rules.iter_mut().filter(|rule| rule.fault.matches(operation, path)) {
            rule.matched += 1;
            let spent = rule.fault.times.is_some_and(|times| rule.struck >= times);
            if rule.matched > rule.fault.after && !spent {
                rule.struck += 1;
                return Some(rule.fault.effect);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Fault, FaultErrno, Faults};
    use crate::operation::Operation;
    use std::path::Path;

    const FAIL: Effect = Effect::Error { errno: FaultErrno::Eio };

    #[test]
    fn a_rule_passes_some_then_strikes_a_number_of_times() {
        let faults = Faults::default();
        faults.add(Fault::new(FAIL).on([Operation::Read]).after(1).times(2));
        let read = || faults.decide(Operation::Read, Path::new("f"));
        assert_eq!([read(), read(), read(), read()], [None, Some(FAIL), Some(FAIL), None]);
        assert_eq!(faults.decide(Operation::Open, Path::new("f")), None);
    }

    #[test]
    fn a_short_read_strikes_only_reads() {
        let faults = Faults::default();
        faults.add(Fault::new(Effect::ShortRead).at("a"));
        assert_eq!(faults.decide(Operation::Getattr, Path::new("a/f")), None);
        assert_eq!(faults.decide(Operation::Read, Path::new("ab")), None);
        assert_eq!(faults.decide(Operation::Read, Path::new("a/f")), Some(Effect::ShortRead));
    }

    #[test]
    fn letting_go_keeps_the_rules_that_do_not_hang() {
        let faults = Faults::default();
        faults.add(Fault::new(Effect::Hang));
        faults.add(Fault::new(FAIL));
        faults.clear_hangs();
        assert_eq!(faults.decide(Operation::Open, Path::new("f")), Some(FAIL));
    }
}
