//! What packages at origin say of themselves: their variants, where these lie, whether they
//! may be cached.
//!
//! Literal definitions are read here (`pkgfs-rez`). What only rez can tell, the user's own rez
//! is asked (`pkgfs-rez-worker`); where none answers, the package is not offered, with the
//! reason. Answers are believed for a bounded time, and after that for as long as the
//! definition's file is the same: compared for difference, and only if its time was not too
//! young to be trusted when it was read.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_manifest::{FileState, Kind, Timestamp};
use pkgfs_origin::{LinkBounds, NameKind, Origin, OriginError};
use pkgfs_rez::{
    Definition, Format, Reading, RezSettings, Subpath, VariantError,
    definition::LEGACY_RELEASE_FILE, variant::is_shortlink_to,
};
use pkgfs_rez_worker::{RezError, RezWorker, ToldPackage};

use crate::asked::Asked;

/// Longest definition that is read here. rez's own are a few kilobytes.
const LONGEST_DEFINITION: u64 = 1 << 20;
/// Longest definition that rez is asked about: Python takes a hundred times as much memory.
const LONGEST_FOR_REZ: u64 = 16 << 20;
/// Definitions whose content is remembered.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(8192).expect("not zero");
/// File times younger than this are not trusted to change with the content.
const YOUNG: i64 = 2;
/// What rez said may depend on more than the definition's file: asked again after this time.
const REZ_BELIEVED: Duration = Duration::from_secs(60);
/// A definition that rez could not end is left alone for this long, unless its file changes.
const ENDLESS_AVOIDED: Duration = Duration::from_secs(600);

/// A package by its place: repository, name, version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub location: PathBuf,
    pub name: Box<str>,
    pub version: Option<Box<str>>,
}

/// What a place holds, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) enum Defined {
    Absent,
    Package(Arc<Package>),
    /// Not offered, for this reason.
    Not(Arc<str>),
}

/// A package that can be offered.
#[derive(Debug)]
pub(crate) struct Package {
    /// What decides whether it may be cached.
    pub definition: Definition,
    /// Whether it is a local build by its own word, where rez was asked.
    pub local: bool,
    /// Its variants in their order; one without an index where it has none.
    pub variants: Vec<Variant>,
}

/// A variant, and its root or why it has none.
#[derive(Debug)]
pub(crate) struct Variant {
    pub index: Option<u32>,
    pub root: Result<PathBuf, String>,
}

/// What a definition said when its file was in this state.
struct Known {
    state: FileState,
    until: Option<Instant>,
    defined: Defined,
}

pub(crate) struct Definitions {
    origin: Origin,
    rez: RezSettings,
    worker: Option<RezWorker>,
    answers: Asked<Place, Defined>,
    known: Mutex<LruCache<PathBuf, Known>>,
}

impl Definitions {
    pub(crate) fn new(
        origin: Origin,
        rez: RezSettings,
        worker: Option<RezWorker>,
        valid: Duration,
    ) -> Self {
        let known = Mutex::new(LruCache::new(MOST_KNOWN));
        Self { origin, rez, worker, answers: Asked::new(valid), known }
    }

    /// What a place holds.
    pub(crate) async fn get(&self, place: Place) -> Result<Defined, OriginError> {
        self.answers.get(place.clone(), async || self.look(&place).await).await
    }

    /// Forgets what was said of one place, or of all.
    pub(crate) fn forget(&self, place: Option<&Place>) {
        match place {
            Some(place) => self.answers.forget_one(place),
            None => {
                self.answers.forget();
                self.known.lock().clear();
            }
        }
    }

    async fn look(&self, place: &Place) -> Result<Defined, OriginError> {
        let directory = place.directory();
        for (stem, extension, format) in self
            .rez
            .package_filenames
            .iter()
            .flat_map(|stem| [(stem, "py", Format::Python), (stem, "yaml", Format::Yaml)])
        {
            let path = directory.join(format!("{stem}.{extension}"));
            if let Some(defined) = self.unchanged(&path).await? {
                return Ok(defined);
            }
            let (text, state) = match self.text(&path).await {
                Ok(Some(read)) => read,
                Ok(None) => continue,
                Err(OriginError::TooLarge { .. }) => return self.large(place, path).await,
                Err(error) => return Err(error),
            };
            let (defined, until) = self.read(place, &path, &text, format).await?;
            self.remember(path, state, &defined, until);
            return Ok(defined);
        }
        Ok(Defined::Absent)
    }

    /// A definition's bytes. What is no file is passed over, as rez does.
    async fn text(&self, path: &Path) -> Result<Option<(Vec<u8>, FileState)>, OriginError> {
        let read = match self.origin.read(path, LONGEST_DEFINITION).await {
            // Released anew in this moment, or never a file.
            Err(OriginError::Changed { .. }) => match self.origin.stat(path).await {
                Ok(stat) if stat.kind != NameKind::File => return Ok(None),
                _ => self.origin.read(path, LONGEST_DEFINITION).await,
            },
            read => read,
        };
        match read {
            Ok(read) => Ok(Some(read)),
            Err(
                OriginError::NotFound { .. }
                | OriginError::NotADirectory { .. }
                | OriginError::IsADirectory { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A definition that is too large to be read here.
    async fn large(&self, place: &Place, path: PathBuf) -> Result<Defined, OriginError> {
        let state = self.origin.stat(&path).await?.attributes.state();
        let why = format!("{}: it has {} bytes", path.display(), state.size);
        let (defined, until) = if state.size > LONGEST_FOR_REZ {
            let told = format!("{why}, more than the {LONGEST_FOR_REZ} that a definition may have");
            (Defined::Not(told.into()), Believed::WhileUnchanged)
        } else {
            self.ask_rez(place, &format!("{why}, too many to be read here")).await
        };
        self.remember(path, state, &defined, until);
        Ok(defined)
    }

    /// What was said before, if the file is still the same.
    async fn unchanged(&self, path: &Path) -> Result<Option<Defined>, OriginError> {
        let known = {
            let mut known = self.known.lock();
            let fresh = |known: &&Known| known.until.is_none_or(|until| Instant::now() < until);
            known.get(path).filter(fresh).map(|known| (known.state, known.defined.clone()))
        };
        let Some((state, defined)) = known else { return Ok(None) };
        match self.origin.stat(path).await {
            Ok(stat) => Ok((stat.attributes.state() == state).then_some(defined)),
            // The read that follows says what is there now.
            Err(OriginError::NotFound { .. } | OriginError::NotADirectory { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remember(&self, path: PathBuf, state: FileState, defined: &Defined, until: Believed) {
        let age = Timestamp::now().secs.saturating_sub(state.mtime.secs);
        let until = match until {
            Believed::Never => return,
            Believed::For(time) => Some(Instant::now() + time),
            Believed::WhileUnchanged => None,
        };
        // A time in the future may stay the same through any number of changes.
        if age >= YOUNG {
            let known = Known { state, until, defined: defined.clone() };
            self.known.lock().put(path, known);
        }
    }

    async fn read(
        &self,
        place: &Place,
        path: &Path,
        text: &[u8],
        format: Format,
    ) -> Result<(Defined, Believed), OriginError> {
        let at = |line: u32, what: &str| match line {
            0 => format!("{}: {what}", path.display()),
            line => format!("{}: line {line}: {what}", path.display()),
        };
        let definition = match pkgfs_rez::read(text, format) {
            Reading::Literal(definition) => definition,
            Reading::NotLiteral { what, line } => {
                let why = at(line, &format!("it has {what}, which only rez can tell"));
                return Ok(self.ask_rez(place, &why).await);
            }
            Reading::Broken { why, line } => {
                return Ok((Defined::Not(at(line, &why).into()), Believed::WhileUnchanged));
            }
        };
        let dated = definition.has_timestamp;
        if !dated && self.is_there(&place.directory().join(LEGACY_RELEASE_FILE)).await? {
            let why = at(0, &format!("{LEGACY_RELEASE_FILE} beside it may override it"));
            return Ok(self.ask_rez(place, &why).await);
        }
        let (links, variants) = match self.variants(place, &definition).await {
            Ok(variants) => variants,
            Err(NotKnown::Requirement(error)) => {
                return Ok(self.ask_rez(place, &at(0, &error.to_string())).await);
            }
            Err(NotKnown::Origin(error)) => return Err(error),
        };
        // What lies beside the definition can change without it.
        let until = if dated && !links { Believed::WhileUnchanged } else { Believed::Never };
        let package = Package { definition, local: false, variants };
        Ok((Defined::Package(Arc::new(package)), until))
    }

    /// Where the variants lie, and whether links had a say in it.
    async fn variants(
        &self,
        place: &Place,
        definition: &Definition,
    ) -> Result<(bool, Vec<Variant>), NotKnown> {
        let base = place.directory();
        let count = u32::try_from(definition.variants.len()).unwrap_or(u32::MAX);
        let indices: Vec<_> = if count == 0 { vec![None] } else { (0..count).map(Some).collect() };
        let linked = count > 0 && definition.hashed_variants && self.rez.use_variant_shortlinks;
        let links = if linked { self.shortlinks(&base).await? } else { Vec::new() };
        let mut variants = Vec::with_capacity(indices.len());
        for index in indices {
            let root = match pkgfs_rez::subpath(definition, index) {
                Ok(subpath) => Ok(base.join(self.preferred(&links, &subpath))),
                Err(error @ VariantError::NotPlain(_)) => {
                    return Err(NotKnown::Requirement(error));
                }
                Err(error) => Err(error.to_string()),
            };
            variants.push(Variant { index, root });
        }
        Ok((linked, variants))
    }

    /// The path that rez goes by: a shortlink to the hashed directory, where there is one.
    fn preferred(&self, links: &[(String, String)], subpath: &Subpath) -> PathBuf {
        let link = links.iter().find(|(_, target)| is_shortlink_to(target, subpath));
        match link {
            Some((name, _)) => Path::new(&self.rez.variant_shortlinks_dirname).join(name),
            None => subpath.parts.iter().collect(),
        }
    }

    /// The links of a package to its hashed variants: names and targets.
    async fn shortlinks(&self, base: &Path) -> Result<Vec<(String, String)>, OriginError> {
        let directory = base.join(&self.rez.variant_shortlinks_dirname);
        let bounds = Arc::new(LinkBounds::of_variant(base.to_path_buf(), Vec::new()));
        let listing = match self.origin.list(&directory, &bounds).await {
            Ok(listing) => listing,
            Err(OriginError::NotFound { .. } | OriginError::NotADirectory { .. }) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let links = listing.entries().iter().filter_map(|entry| match &entry.kind {
            Kind::Link(target) => text(&entry.name).zip(text(target)),
            _ => None,
        });
        Ok(links.collect())
    }

    async fn ask_rez(&self, place: &Place, why: &str) -> (Defined, Believed) {
        let not = |reason: &dyn std::fmt::Display| Defined::Not(format!("{why}; {reason}").into());
        let Some(worker) = &self.worker else {
            return (not(&"no rez is there to be asked: set rez.python_command"), Believed::Never);
        };
        let Some(location) = place.location.to_str() else {
            return (not(&"its path is not text that rez could be told"), Believed::WhileUnchanged);
        };
        match worker.package(location, &place.name, place.version.as_deref()).await {
            Ok(Some(told)) => {
                (Defined::Package(Arc::new(told.into())), Believed::For(REZ_BELIEVED))
            }
            Ok(None) => (Defined::Absent, Believed::Never),
            Err(error) => {
                let believed = match error {
                    RezError::TimedOut { .. } | RezError::Died => Believed::For(ENDLESS_AVOIDED),
                    RezError::Raised(_) => Believed::For(REZ_BELIEVED),
                    _ => Believed::Never,
                };
                (not(&error), believed)
            }
        }
    }

    async fn is_there(&self, path: &Path) -> Result<bool, OriginError> {
        match self.origin.stat(path).await {
            Ok(_) => Ok(true),
            Err(OriginError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// For how long what was read of a file goes, beyond the time that any answer is believed.
enum Believed {
    Never,
    For(Duration),
    WhileUnchanged,
}

/// Why the variants of a literal definition are not known.
enum NotKnown {
    Requirement(VariantError),
    Origin(OriginError),
}

impl From<OriginError> for NotKnown {
    fn from(error: OriginError) -> Self {
        Self::Origin(error)
    }
}

impl Place {
    /// The directory that holds the definition.
    fn directory(&self) -> PathBuf {
        let family = self.location.join(&*self.name);
        self.version.as_ref().map_or_else(|| family.clone(), |version| family.join(&**version))
    }
}

impl From<ToldPackage> for Package {
    fn from(told: ToldPackage) -> Self {
        let variants = told.variants.into_iter().map(|variant| Variant {
            index: variant.index,
            root: variant.root.ok_or_else(|| variant.why.unwrap_or_default()),
        });
        let definition = Definition { cachable: Some(told.cachable), ..Definition::default() };
        Self { definition, local: told.local, variants: variants.collect() }
    }
}
