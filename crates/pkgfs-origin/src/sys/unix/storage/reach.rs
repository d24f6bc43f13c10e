//! Who gets to a file through the directories above it.
//!
//! The view has directories of its own above a payload, open to all. Where those at origin are not,
//! what is reached through them must be shown as closed to whom they keep out.

use pkgfs_manifest::Attributes;

/// Permission to search a directory, for each class of users.
const SEARCH: u16 = 0o111;
/// All bits of one class.
const CLASS: u16 = 0o7;

/// What `inner`, which lies somewhere below a directory with the attributes `above`, is to all who
/// come through that.
///
/// Where owner and group of the two differ, no mode says who is let in by both. Then those of the
/// directory above are shown, with what `inner` gives to each class that may be meant: nobody gets
/// more than at origin, and nobody gets less where `inner` gives the same to all.
pub(super) fn through(above: &Attributes, inner: Attributes) -> Attributes {
    if above.mode & SEARCH == SEARCH {
        return inner;
    }
    let given = |class: u32| inner.mode >> class & CLASS;
    let (owner, group, others) = (given(6), given(3), given(0));
    let same_owner = above.uid == inner.uid;
    let same_group = above.gid == inner.gid;
    // Of whom the directory above tells apart, in which classes of the inner one may they be?
    let owners = if same_owner { owner } else { group & others };
    let in_group = if same_group { group } else { group & others };
    let in_group = if same_owner { in_group } else { in_group & owner };
    let rest = if same_group { others } else { others & group };
    let rest = if same_owner { rest } else { rest & owner };
    let let_in = |class: u32, bits: u16| {
        if above.mode >> class & 1 == 1 { bits << class } else { 0 }
    };
    let mode = inner.mode & !0o777 | let_in(6, owners) | let_in(3, in_group) | let_in(0, rest);
    Attributes { mode, uid: above.uid, gid: above.gid, ..inner }
}

#[cfg(test)]
mod tests {
    use pkgfs_manifest::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// Nobody, somebody, and another.
    const IDS: std::ops::Range<u32> = 0..3;

    fn attributes() -> impl Strategy<Value = Attributes> {
        let mode = prop_oneof![0o700..=0o777_u16, Just(0o750), Just(0o755), 0..=0o777_u16];
        (mode, IDS, IDS).prop_map(|(mode, uid, gid)| Attributes {
            size: 0,
            mode,
            uid,
            gid,
            mtime: Timestamp::default(),
        })
    }

    /// What the kernel gives to a user in these groups.
    fn given(to: &Attributes, user: u32, groups: &[u32]) -> u16 {
        let class = match () {
            () if to.uid == user => 6,
            () if groups.contains(&to.gid) => 3,
            () => 0,
        };
        to.mode >> class & CLASS
    }

    fn callers() -> impl Iterator<Item = (u32, Vec<u32>)> {
        IDS.flat_map(|user| {
            (0..8).map(move |set| (user, IDS.filter(|group| set >> group & 1 == 1).collect()))
        })
    }

    fn all(levels: &[Attributes]) -> Attributes {
        let (inner, above) = levels.split_last().expect("one at least");
        above.iter().rev().fold(*inner, |inner, above| through(above, inner))
    }

    proptest! {
        #[test]
        fn nobody_is_given_more_than_on_the_way_through_all(
            levels in proptest::collection::vec(attributes(), 1..4)
        ) {
            let shown = all(&levels);
            let (inner, above) = levels.split_last().expect("one at least");
            for (user, groups) in callers() {
                let passes = above.iter().all(|level| given(level, user, &groups) & 1 == 1);
                let at_origin = if passes { given(inner, user, &groups) } else { 0 };
                prop_assert_eq!(given(&shown, user, &groups) & !at_origin, 0);
            }
        }

        #[test]
        fn through_one_closed_directory_all_are_given_what_is_open_to_all(
            above in attributes(),
            (uid, gid) in (IDS, IDS),
        ) {
            let inner = Attributes { mode: 0o555, uid, gid, ..above };
            let shown = through(&above, inner);
            for (user, groups) in callers() {
                let at_origin = if given(&above, user, &groups) & 1 == 1 { 0o5 } else { 0 };
                prop_assert_eq!(given(&shown, user, &groups), at_origin);
            }
        }
    }
}
