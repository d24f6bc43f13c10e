//! How the kernel gets at the bytes of payloads.
//!
//! | mode | for | an open | a read of what is local |
//! | --- | --- | --- | --- |
//! | stateless | Linux, a mount that only its ordinary user can enter | no request | the page cache |
//! | passthrough | kernel ≥ 6.9, CAP_SYS_ADMIN | answered | the store's file itself |
//! | cached | anything else | answered | the page cache |
//!
//! Stateless is for no mount that root can enter: no OPEN reaches us there, so nothing but mode bits
//! keeps a file from being opened for writing, and those do not keep root.

use crate::sys;

/// How payloads are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Opens are not asked for: the kernel looks files up and reads them.
    Stateless,
    /// Opens hand the kernel the store's own file, where it is local.
    Passthrough,
    /// Opens are answered; the kernel keeps pages across them.
    Cached,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModeWanted {
    /// The best that the machine allows and the mount may risk.
    #[default]
    Auto,
    /// This one, or no mount.
    Only(Mode),
}

/// Why a mode that was asked for cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// Root could change what others read.
    #[error(
        "the mode stateless is only for a mount that its ordinary user alone can enter (not root's, \
         not with allow_other): set mode to auto"
    )]
    NotStateless,
    /// The kernel wants CAP_SYS_ADMIN for it.
    #[error("the mode passthrough needs CAP_SYS_ADMIN: mount as root, or set mode to auto")]
    NotPassthrough,
}

impl Mode {
    /// The mode for a mount; `private` says that nobody but its ordinary user can enter, and
    /// `may_pass` that the kernel lets this process hand it files.
    pub(crate) fn choose(
        wanted: ModeWanted,
        private: bool,
        may_pass: bool,
    ) -> Result<Self, ModeError> {
        match wanted {
            ModeWanted::Only(Self::Stateless) if !private => Err(ModeError::NotStateless),
            ModeWanted::Only(Self::Passthrough) if !may_pass => Err(ModeError::NotPassthrough),
            ModeWanted::Only(mode) => Ok(mode),
            ModeWanted::Auto if private => Ok(Self::Stateless),
            ModeWanted::Auto if may_pass => Ok(Self::Passthrough),
            ModeWanted::Auto => Ok(Self::Cached),
        }
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Passthrough => "passthrough",
            Self::Cached => "cached",
        }
    }
}

/// The mode for a mount of this process.
///
/// # Errors
/// When one was asked for that the machine does not allow, or the mount may not risk.
pub fn mode_for(wanted: ModeWanted, allow_other: bool) -> Result<Mode, ModeError> {
    let private = !allow_other && !rustix::process::geteuid().is_root();
    Mode::choose(wanted, private && sys::OPENS_MAY_BE_LEFT_OUT, sys::may_pass())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stateless_is_never_chosen_or_forced_where_root_can_enter() {
        for may_pass in [false, true] {
            let forced = Mode::choose(ModeWanted::Only(Mode::Stateless), false, may_pass);
            assert_eq!(forced, Err(ModeError::NotStateless));
            assert_ne!(Mode::choose(ModeWanted::Auto, false, may_pass), Ok(Mode::Stateless));
        }
        assert_eq!(Mode::choose(ModeWanted::Auto, true, false), Ok(Mode::Stateless));
        assert_eq!(Mode::choose(ModeWanted::Auto, false, true), Ok(Mode::Passthrough));
        assert_eq!(Mode::choose(ModeWanted::Auto, false, false), Ok(Mode::Cached));
    }
}
