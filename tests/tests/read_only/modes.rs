//! The ways in which a mount can serve bytes, each of which must keep payloads as they are.

use pkgfs_tests::{MountOptions, Mounted, User};

/// The modes that a mount with these options can be in. Stateless is refused wherever root can
/// enter, passthrough wherever an ordinary user mounts.
pub(crate) fn of(options: &MountOptions) -> [&'static str; 2] {
    match options.user {
        User::Own => ["passthrough", "cached"],
        User::Ordinary => ["stateless", "cached"],
    }
}

/// Options that ask for a mode.
pub(crate) fn options(mode: &str, options: MountOptions) -> MountOptions {
    let configuration = format!("mode = '{mode}'\n{}", options.configuration);
    MountOptions { configuration, ..options }
}

/// The mount must be in the mode that was asked for: a test of another one proves nothing.
pub(crate) fn assert_mode(mounted: &Mounted, mode: &str) {
    assert_eq!(mounted.mode(), mode);
}
