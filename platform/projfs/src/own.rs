//! What the provider itself is doing in its root.
//!
//! Microsoft does not say whether ProjFS calls a provider for requests of its own process. So it may:
//! for a path that the provider is changing at that moment nothing is projected, and nothing is replayed
//! into the view.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{names::Wide, path::joined};

/// Paths that are being looked at or changed.
#[derive(Default)]
pub(crate) struct Own(Mutex<Vec<(Wide, What)>>);

/// What the provider does at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It only looks.
    Look,
    /// It makes, changes or removes what is there.
    Change,
    /// It does so with all that lies below, too.
    ChangeBelow,
}

/// While this lives, a path is the provider's own business.
pub(crate) struct Doing {
    own: Arc<Own>,
    path: Wide,
    what: What,
}

impl Own {
    pub(crate) fn doing(self: &Arc<Self>, names: &[&str], what: What) -> Doing {
        let path = joined(names.iter().copied());
        self.0.lock().push((path.clone(), what));
        Doing { own: Arc::clone(self), path, what }
    }

    /// Whether a request of this process for that path is the provider's own doing.
    pub(crate) fn covers(&self, pid: u32, path: &[u16]) -> bool {
        self.is_own(pid, path, |_| true)
    }

    /// Whether a change at that path by this process is.
    pub(crate) fn changes(&self, pid: u32, path: &[u16]) -> bool {
        self.is_own(pid, path, |what| what != What::Look)
    }

    fn is_own(&self, pid: u32, path: &[u16], counts: impl Fn(What) -> bool) -> bool {
        let covers = |(own, what): &(Wide, What)| {
            let reaches = own.len() == path.len() || *what == What::ChangeBelow;
            counts(*what) && reaches && is_below(path, own)
        };
        pid == std::process::id() && self.0.lock().iter().any(covers)
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        let mut all = self.own.0.lock();
        let own = |(path, what): &(Wide, What)| *path == self.path && *what == self.what;
        if let Some(at) = all.iter().position(own) {
            all.swap_remove(at);
        }
    }
}

fn is_below(path: &[u16], above: &[u16]) -> bool {
    let small =
        |unit: &u16| u8::try_from(*unit).map_or(*unit, |byte| byte.to_ascii_lowercase().into());
    path.len() >= above.len()
        && path.iter().zip(above).all(|(one, other)| small(one) == small(other))
        && path.get(above.len()).is_none_or(|unit| *unit == u16::from(b'\\') || above.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::wide;

    #[test]
    fn a_path_is_its_own_while_it_is_worked_on_and_by_this_process_alone() {
        let own = Arc::<Own>::default();
        let doing = own.doing(&["a", "b"], What::ChangeBelow);
        let me = std::process::id();
        assert!(own.covers(me, &wide(r"A\b")) && own.changes(me, &wide(r"a\b\c")));
        assert!(!own.covers(me, &wide(r"a\bc")) && !own.covers(me, &wide("a")));
        assert!(!own.covers(me + 1, &wide(r"a\b")));
        drop(doing);
        assert!(!own.covers(me, &wide(r"a\b")));
    }

    #[test]
    fn who_only_looks_hides_no_change_and_nothing_below() {
        let own = Arc::<Own>::default();
        let _doing = own.doing(&["a"], What::Look);
        let me = std::process::id();
        assert!(own.covers(me, &wide("a")) && !own.covers(me, &wide(r"a\b")));
        assert!(!own.changes(me, &wide("a")));
    }
}
