//! Which pieces a file is hydrated in.
//!
//! `PrjWriteFileData` wants each piece to begin at a multiple of the instance's `WriteAlignment` and to
//! end at one, or at the file's end. So what is asked for is widened to that, and cut into pieces that
//! bound what is in memory.

use std::ops::Range;

/// The longest piece.
pub(crate) const PIECE: u64 = 1 << 20;

/// The pieces of `length` bytes from `offset` on, of a file of this size, in order.
pub(crate) fn pieces(
    offset: u64,
    length: u64,
    size: u64,
    alignment: u32,
) -> impl Iterator<Item = Range<u64>> {
    let unit = u64::from(alignment).max(1);
    let start = (offset.min(size) / unit) * unit;
    let end = offset.saturating_add(length).min(size);
    let end = if end <= offset { start } else { end.div_ceil(unit).saturating_mul(unit).min(size) };
    // A piece is whole units, and at least one.
    let piece = (PIECE / unit).max(1) * unit;
    (0..).map_while(move |n: u64| {
        let from = start.checked_add(n.checked_mul(piece)?)?;
        (from < end).then(|| from..from.saturating_add(piece).min(end))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_is_widened_to_whole_units() {
        let only = |offset, length| {
            let mut all = pieces(offset, length, 5000, 512);
            (all.next(), all.next())
        };
        assert_eq!(only(700, 10), (Some(512..1024), None));
        assert_eq!(only(4800, 400), (Some(4608..5000), None));
        assert_eq!(pieces(0, 100, 0, 512).count(), 0);
        assert_eq!(pieces(9000, 100, 5000, 512).count(), 0);
    }

    proptest! {
        #[test]
        fn pieces_cover_what_is_asked_for_and_are_aligned(
            offset in 0_u64..5 << 20,
            length in 0_u64..5 << 20,
            size in 0_u64..5 << 20,
            alignment in prop_oneof![Just(1_u32), Just(512), Just(4096), Just(1 << 21)],
        ) {
            let all: Vec<_> = pieces(offset, length, size, alignment).collect();
            let unit = u64::from(alignment);
            for piece in &all {
                prop_assert!(piece.start % unit == 0);
                prop_assert!(piece.end % unit == 0 || piece.end == size);
                prop_assert!(piece.end - piece.start <= PIECE.max(unit));
            }
            prop_assert!(all.windows(2).all(|two| two[0].end == two[1].start));
            let wanted = offset.min(size)..offset.saturating_add(length).min(size);
            if wanted.start < wanted.end {
                prop_assert!(all[0].start <= wanted.start);
                prop_assert!(all[all.len() - 1].end >= wanted.end);
            }
        }
    }
}
