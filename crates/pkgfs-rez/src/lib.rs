//! rez's conventions as pure functions: handles, cache layout, package definitions, settings.
//!
//! Everything here works on bytes and names that somebody else has read: no file is opened, nothing
//! is waited for, no process is started. Each rule names the file and function of rez (3.4.0) it was
//! taken from, and `tests/` asks a real rez the same questions.
//!
//! The invariant: an answer is what rez would answer, or there is no answer. Where rez would have to
//! run code to know ([`Reading::NotLiteral`]) or where a spelling is not proven
//! ([`VariantError::NotPlain`]), the caller is told so and never gets a guess.
//!
//! ```
//! use pkgfs_rez::VariantHandle;
//! let handle = VariantHandle {
//!     location: "/sw/pkg".into(),
//!     name: "numpy".into(),
//!     version: Some("2.2.6".into()),
//!     index: None,
//! };
//! assert_eq!(handle.h4(), "8418");
//! ```

pub mod cachable;
pub mod context;
pub mod definition;
pub mod handle;
pub mod layout;
pub mod locations;
pub mod lock;
pub mod names;
pub mod pyrepr;
pub mod registration;
pub mod repository;
pub mod requirement;
pub mod settings;
pub mod uri;
pub mod variant;

pub use cachable::{Refusal, is_cachable, is_relocatable, refuse};
pub use definition::{Definition, Format, Reading, read};
pub use handle::{HandleError, VariantHandle};
pub use locations::Locations;
pub use lock::LockOwner;
pub use registration::RegistrationError;
pub use settings::{RezSettings, SettingsError};
pub use variant::{Subpath, VariantError, subpath};
