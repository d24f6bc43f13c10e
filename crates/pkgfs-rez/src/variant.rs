//! Where a variant's payload lies below its package's directory.
//!
//! A package without variants *is* its directory. A variant lies in directories named after its
//! requirements, or in one named after their hash (`VariantResourceHelper._subpath`). For the latter
//! rez prefers a link in `_v` that leads to it (`find_matching_symlink`); which links there are has to
//! be read from origin, which one counts is [`is_shortlink_to`].

use sha1::{Digest as _, Sha1};

use crate::{definition::Definition, pyrepr, requirement};

/// The directory of shortlinks below the package's directory (`variant_shortlinks_dirname`).
pub const SHORTLINKS_DIR: &str = "_v";

/// Where a payload lies, relative to the package's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subpath {
    /// The directories from the package's own downwards; none for a package without variants.
    pub parts: Vec<String>,
    /// Whether the one part is a hash, so that a shortlink may stand for it.
    pub hashed: bool,
}

impl std::fmt::Display for Subpath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("/"))
    }
}

/// Why a variant has no known place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariantError {
    /// The handle names a variant that the package does not have.
    #[error("the package has no variant {index}: it has {count}; it may have been released anew")]
    OutOfRange {
        /// The variant asked for.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// The handle names no variant, but the package has some.
    #[error("the package has {0} variants, and none was named; it may have been released anew")]
    NoIndex(usize),
    /// The variant's requirements are empty, for which rez itself finds no directory.
    #[error("variant {0} has no requirements to name its directory; rez cannot use it either")]
    Empty(u32),
    /// A requirement's printed form is not proven here.
    #[error("how rez prints the requirement {0:?} is not known here; it has to be asked")]
    NotPlain(String),
}

/// The place of variant `index`, as rez computes it without looking for shortlinks.
pub fn subpath(definition: &Definition, index: Option<u32>) -> Result<Subpath, VariantError> {
    let variants = &definition.variants;
    let Some(index) = index else {
        return if variants.is_empty() {
            Ok(Subpath::default())
        } else {
            Err(VariantError::NoIndex(variants.len()))
        };
    };
    let requirements = usize::try_from(index)
        .ok()
        .and_then(|at| variants.get(at))
        .ok_or(VariantError::OutOfRange { index, count: variants.len() })?;
    let printed: Vec<String> = requirements
        .iter()
        .map(|text| requirement::print(text).ok_or_else(|| VariantError::NotPlain(text.clone())))
        .collect::<Result<_, _>>()?;
    if definition.hashed_variants {
        return Ok(Subpath { parts: vec![hash(&printed)], hashed: true });
    }
    if printed.is_empty() {
        return Err(VariantError::Empty(index));
    }
    Ok(Subpath { parts: printed, hashed: false })
}

/// `sha1(str(list_of_requirements))` in hex.
fn hash(printed: &[String]) -> String {
    Sha1::digest(pyrepr::list(printed).as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a link in [`SHORTLINKS_DIR`] with this target, as `readlink` gives it, leads to the payload
/// of `subpath`: rez compares the text, with `.` and `..` resolved. Its own links are `../<hash>`
/// (`create_unique_base26_symlink`); one that is absolute, or that climbs above the package's
/// directory, is not decided here.
pub fn is_shortlink_to(target: &str, subpath: &Subpath) -> bool {
    let mut path = vec![SHORTLINKS_DIR];
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if path.pop().is_none() => return false,
            ".." => {}
            name => path.push(name),
        }
    }
    subpath.hashed && !target.starts_with('/') && path == subpath.parts
}
