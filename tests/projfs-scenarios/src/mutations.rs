//! Ways to break a provider, and the scenario that must notice each.
//!
//! What is in the table is broken one by one in the sources, built for Windows and played under Wine;
//! `projfs-mutations` does it. A scenario that notices nothing is worth nothing.

mod pkgfs;
mod reference;

/// One change of a source file that must not go unnoticed.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is broken.
    pub what: &'static str,
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// The text there that is replaced; it stands there once.
    pub text: &'static str,
    /// By what.
    pub replacement: &'static str,
    /// Words of the scenarios of which at least one must fail.
    pub noticed_by: &'static str,
}

/// Those of a subject.
#[must_use]
pub fn of(subject: &str) -> &'static [Mutation] {
    match subject {
        "reference" => reference::MUTATIONS,
        "pkgfs" => pkgfs::MUTATIONS,
        _ => &[],
    }
}
