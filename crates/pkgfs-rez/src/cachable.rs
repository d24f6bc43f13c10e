//! Whether rez would cache a package, and why not.
//!
//! [`is_cachable`] is `Package.is_cachable` (packages.py), which decides what rez asks for;
//! [`refuse`] is the further checks of `PackageCache.add_variant` (package_cache.py), which rez makes
//! only when it copies: a handle in `.sys/pending` has passed the former alone.

use crate::{definition::Definition, handle::VariantHandle, settings::RezSettings};

/// Why a variant is not cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The package or rez's settings say so.
    #[error(
        "the package is not cachable; set `cachable` in the package or rez's `default_cachable`"
    )]
    NotCachable,
    /// It is in the repository of local builds.
    #[error(
        "the package is a local build, which changes in place; see rez's `package_cache_local`"
    )]
    Local,
    /// It is on the device that the cache is on.
    #[error(
        "the package is on the same device as the cache; see rez's `package_cache_same_device`"
    )]
    SameDevice,
    /// It is in a temporary repository.
    #[error(
        "the package is in a temporary repository below rez's `tmpdir`; nothing there is cached"
    )]
    Temporary,
}

/// rez's `Package.is_cachable`: the package's word, then the repository's, the package name's, the
/// general default, and at last whether it may be moved. Repositories are looked up by the handle's
/// canonical location as it is spelled.
pub fn is_cachable(
    definition: &Definition,
    name: &str,
    location: &str,
    settings: &RezSettings,
) -> bool {
    definition
        .cachable
        .or_else(|| settings.default_cachable_per_repository.get(location).copied())
        .or_else(|| settings.default_cachable_per_package.get(name).copied())
        .or(settings.default_cachable)
        .unwrap_or_else(|| is_relocatable(definition, name, location, settings))
}

/// rez's `Package.is_relocatable`.
pub fn is_relocatable(
    definition: &Definition,
    name: &str,
    location: &str,
    settings: &RezSettings,
) -> bool {
    definition
        .relocatable
        .or_else(|| settings.default_relocatable_per_repository.get(location).copied())
        .or_else(|| settings.default_relocatable_per_package.get(name).copied())
        .unwrap_or(settings.default_relocatable)
}

/// Why `PackageCache.add_variant` would refuse the variant, in its order. `same_device` says whether
/// payload and cache have one `st_dev`.
pub fn refuse(
    definition: &Definition,
    handle: &VariantHandle,
    settings: &RezSettings,
    same_device: bool,
) -> Option<Refusal> {
    if !is_cachable(definition, &handle.name, &handle.location, settings) {
        return Some(Refusal::NotCachable);
    }
    refuse_location(&handle.location, settings, same_device)
}

/// The checks of [`refuse`] that need no definition.
pub fn refuse_location(
    location: &str,
    settings: &RezSettings,
    same_device: bool,
) -> Option<Refusal> {
    if !settings.package_cache_local && is_local(location, settings) {
        return Some(Refusal::Local);
    }
    if !settings.package_cache_same_device && same_device {
        return Some(Refusal::SameDevice);
    }
    is_temporary(location, settings).then_some(Refusal::Temporary)
}

/// `Variant.is_local`: the repository is the one of `local_packages_path`.
pub fn is_local(location: &str, settings: &RezSettings) -> bool {
    let local = settings.local_packages_path.as_str();
    let local = if local.len() > 1 { local.trim_end_matches('/') } else { local };
    !local.is_empty() && location == local
}

/// Whether the repository is below rez's `tmpdir`, compared as text the way rez does.
pub fn is_temporary(location: &str, settings: &RezSettings) -> bool {
    let separator = if settings.tmpdir.contains('\\') { '\\' } else { '/' };
    location
        .strip_prefix(settings.tmpdir.as_str())
        .is_some_and(|below| below.starts_with(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RezSettings {
        RezSettings {
            local_packages_path: "/home/me/packages/".into(),
            tmpdir: "/tmp".into(),
            default_cachable: Some(true),
            ..RezSettings::default()
        }
    }

    fn at(location: &str) -> VariantHandle {
        VariantHandle { location: location.into(), name: "foo".into(), version: None, index: None }
    }

    #[test]
    fn refusals_come_in_the_order_of_add_variant() {
        let (settings, plain) = (settings(), Definition::default());
        let refused =
            |location: &str, same_device| refuse(&plain, &at(location), &settings, same_device);
        assert_eq!(refused("/sw/pkg", false), None);
        assert_eq!(refused("/home/me/packages", true), Some(Refusal::Local));
        assert_eq!(refused("/tmp/x", true), Some(Refusal::SameDevice));
        assert_eq!(refused("/tmp/x", false), Some(Refusal::Temporary));
        assert_eq!(refused("/tmp", false), None);
        assert_eq!(refused("/tmpfoo", false), None);
        let no = Definition { cachable: Some(false), ..Definition::default() };
        assert_eq!(
            refuse(&no, &at("/home/me/packages"), &settings, true),
            Some(Refusal::NotCachable)
        );
    }

    #[test]
    fn settings_lift_the_refusals_they_are_for() {
        let lifted = RezSettings {
            package_cache_local: true,
            package_cache_same_device: true,
            ..settings()
        };
        assert_eq!(refuse_location("/home/me/packages", &lifted, true), None);
        assert_eq!(refuse_location("/tmp/x", &lifted, true), Some(Refusal::Temporary));
    }
}
