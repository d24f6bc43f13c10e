//! The packages of rez repositories: names, versions and definition files, found by walking and
//! without evaluating anything.
//!
//! [`scan`] yields what rez's filesystem repository yields, entry for entry, and in its order where
//! rez has one. The rules are pure and lie in [`pkgfs_rez::repository`]; here are the walk and what
//! is kept of it. A few threads take families from a queue (`workers.rs`); a family is one listing,
//! and one look for the definition of each of its versions. Nothing else is asked: kinds come with
//! the listing, and only what a link leads to costs a look.
//!
//! What was read is kept in an index below the user's cache (`index.rs`), one file for a repository
//! and a set of rules. A family's directory that is as it was observed (`observation.rs`) is not
//! listed again. The index only ever saves work: damaged, foreign, unreadable or unwritable, it is as
//! if it were not there, and nobody waits for it.
//!
//! What cannot be read is a [`Problem`], and everything else is served.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! # let directory = tempfile::tempdir()?;
//! # let repository = directory.path().to_owned();
//! std::fs::create_dir_all(repository.join("numpy/2.2.6"))?;
//! std::fs::write(repository.join("numpy/2.2.6/package.py"), "name = 'numpy'")?;
//!
//! let options = pkgfs_scan::Options { index: None, ..Default::default() };
//! let scan = pkgfs_scan::scan(&[repository.clone()], &pkgfs_scan::Rules::default(), &options);
//! let package = &scan.repositories[0].packages[0];
//! assert_eq!(package.family.as_ref(), "numpy");
//! assert_eq!(package.version.as_deref(), Some("2.2.6".as_ref()));
//! let definition = package.definition.as_ref();
//! assert!(definition.is_some_and(|file| file.path.ends_with("numpy/2.2.6/package.py")));
//! # Ok(())
//! # }
//! ```

mod directory;
mod family;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod observation;
mod place;
mod probe;
mod problem;
mod reading;
mod root;
mod rules;
mod scan;
mod sys;
mod workers;

pub use pkgfs_rez::Format;
pub use place::index_directory;
pub use problem::{Part, Problem};
pub use rules::Rules;
pub use scan::{DEFAULT_JOBS, Definition, Options, Package, Repository, Scan, scan};
