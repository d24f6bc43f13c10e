//! What rez does is replayed in the order in which it was told of, in each directory by itself.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::path::{Level, Place};

/// What is replayed in turn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// All of `.sys`.
    Sys,
    /// A `<h4>` directory with all that is in it.
    Level(Level),
    /// Directories above those.
    Above,
}

impl Lane {
    pub(crate) fn of(place: &Place) -> Self {
        match place {
            Place::Sys(_) => Self::Sys,
            Place::Entry(level, ..) => Self::Level(level.clone()),
            Place::Level(names) => Level::of(names).map_or(Self::Above, Self::Level),
            _ => Self::Above,
        }
    }
}

/// Turns in all lanes; whoever asks first goes first.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<Lane, Weak<Turn<()>>>>);

impl Lanes {
    pub(crate) async fn turn(&self, lane: Lane) -> OwnedMutexGuard<()> {
        let turn = {
            let mut lanes = self.0.lock();
            match lanes.get(&lane).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    lanes.retain(|_, turn| turn.strong_count() > 0);
                    let turn = Arc::<Turn<()>>::default();
                    lanes.insert(lane, Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }
}
