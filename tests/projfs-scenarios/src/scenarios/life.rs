//! To come.

pub(super) const SCENARIOS: super::Scenarios = &[];
