//! Whatever ends the store, it opens again and has all it acknowledged.
#![allow(clippy::unwrap_used, missing_docs)]

mod acknowledged;
// A disk is played from what strace sees of a process, which there is on Linux alone.
#[cfg(unix)]
mod disk;
#[path = "../fixture/mod.rs"]
mod fixture;
mod kills;
#[cfg(unix)]
mod points;
#[cfg(unix)]
mod trace;

/// Numbers that look random and are the same in each run (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
