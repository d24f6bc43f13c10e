//! Ways to break a provider, and the scenario that must notice each.

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
