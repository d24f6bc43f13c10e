//! Who provides the cache.

use crate::Scene;

/// A kind of provider.
pub trait Subject: Sync {
    /// How it is called in reports.
    fn name(&self) -> &'static str;
    /// What it can do beyond showing packages.
    fn abilities(&self) -> Abilities;
    /// The name under which it shows a file of a payload: its own, unless Windows cannot have that.
    fn shown(&self, name: &str) -> String {
        name.to_owned()
    }
    /// Starts it over a scene's repository, and returns once the root shows packages.
    fn start(&self, scene: &Scene) -> anyhow::Result<Box<dyn Running>>;
}

/// What a subject can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Abilities {
    /// It takes part in rez's protocol: registers on look-up and on pending handles, takes copies in,
    /// and notices what rez removes.
    pub registers: bool,
    /// It is no provider, but plain copies: nothing is protected, and nothing has a life.
    pub plain: bool,
}

/// A provider that runs.
pub trait Running: Send {
    /// Ends it as a user does; what it says if it cannot.
    fn stop(self: Box<Self>) -> anyhow::Result<()>;
    /// Ends it as a crash does.
    fn kill(self: Box<Self>);
    /// Has it forget what is local of a package.
    fn flush(&mut self, package: &str) -> anyhow::Result<()>;
}
