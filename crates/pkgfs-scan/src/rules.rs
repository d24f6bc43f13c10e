//! The settings of rez that decide what a package is.

use pkgfs_rez::{RezSettings, repository::PACKAGE};

/// How rez is set to enumerate. The default is rez's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Names of definition files without extension; the first that is found counts. Each is tried as
    /// `.py`, then as `.yaml`.
    pub package_filenames: Vec<String>,
    /// Whether a version directory without a definition is no package.
    pub check_package_definition_files: bool,
    /// Whether a definition right in the family's directory makes an unversioned package, beside
    /// which no version counts.
    pub allow_unversioned_packages: bool,
    /// The name in a repository's root that rez keeps its locks in; it is no family. rez refuses to
    /// work with more than a single name here; that matches nothing.
    pub file_lock_dir: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            package_filenames: vec![PACKAGE.to_owned()],
            check_package_definition_files: false,
            allow_unversioned_packages: true,
            file_lock_dir: None,
        }
    }
}

impl From<&RezSettings> for Rules {
    fn from(settings: &RezSettings) -> Self {
        Self {
            package_filenames: settings.package_filenames.clone(),
            check_package_definition_files: settings.check_package_definition_files,
            allow_unversioned_packages: settings.allow_unversioned_packages,
            file_lock_dir: settings.file_lock_dir.clone(),
        }
    }
}

impl Rules {
    /// What of the rules a family's record depends on, as text that differs where they do.
    pub(crate) fn identity(&self) -> String {
        let Self { package_filenames, check_package_definition_files, .. } = self;
        let allow = self.allow_unversioned_packages;
        format!("{package_filenames:?} {check_package_definition_files} {allow}")
    }
}
