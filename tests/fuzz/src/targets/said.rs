//! What other processes say: on the control socket, and between the daemon and its worker.

use std::fmt::Debug;

use pkgfs_daemon::{
    CleanOrder, DaemonStatus, Failure, FlushOrder, Launch, ListLine, MountOrder, Mounted,
    ProfileList, RemoveOrder, Report, Target, TargetsOrder, UnmountOrder, Unmounted, VerifyLine,
    VerifyOrder, WarmLine, WarmOrder,
};
use serde::{Serialize, de::DeserializeOwned};

/// Frames, from either side.
pub(crate) fn frame(input: &[u8]) -> bool {
    pkgfs_origin::fuzzing::frames(input)
}

/// The body of a request or of an answer, read as each of them.
pub(crate) fn control(input: &[u8]) -> bool {
    let targets = [
        comes_back::<TargetsOrder>(input).map(|order| order.targets),
        comes_back::<RemoveOrder>(input).map(|order| order.targets),
        comes_back::<FlushOrder>(input).map(|order| order.variants),
        comes_back::<WarmOrder>(input).map(|order| order.targets),
    ];
    let others = [
        comes_back::<MountOrder>(input).is_some(),
        comes_back::<UnmountOrder>(input).is_some(),
        comes_back::<CleanOrder>(input).is_some(),
        comes_back::<VerifyOrder>(input).is_some(),
        comes_back::<Mounted>(input).is_some(),
        comes_back::<Unmounted>(input).is_some(),
        comes_back::<ListLine>(input).is_some(),
        comes_back::<Report>(input).is_some(),
        comes_back::<WarmLine>(input).is_some(),
        comes_back::<VerifyLine>(input).is_some(),
        comes_back::<DaemonStatus>(input).is_some(),
        comes_back::<Failure>(input).is_some(),
        comes_back::<Launch>(input).is_some(),
    ];
    let was_read = targets.iter().any(Option::is_some) || others.contains(&true);
    for target in targets.into_iter().flatten().flatten() {
        if let Target::Text(text) = target {
            pkgfs_view::fuzzing::target(&text);
        }
    }
    was_read
}

/// Profiles from another machine.
pub(crate) fn import(input: &[u8]) -> bool {
    let profiles = comes_back::<ProfileList>(input).unwrap_or_default().profiles;
    profiles.iter().map(pkgfs_view::fuzzing::imported_profile).filter(|taken| *taken).count() > 0
}

/// Reads an input; what is read must come back from its own spelling.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(input: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(input).ok()?;
    let spelled = serde_json::to_string(&read).expect("what was read has a spelling");
    let again: T = serde_json::from_str(&spelled).expect("its own spelling is read");
    assert_eq!(read, again);
    Some(read)
}
