//! What a command is about: variants named by handle, URI, path or package request.
//!
//! Those that are registered are found by their handles alone, nobody is asked. What is to be
//! added is looked for: a URI is tried in both of its readings, of a request rez is asked the
//! newest package.

use std::{collections::BTreeSet, sync::Arc};

use pkgfs_rez::{VariantHandle, requirement::Request, uri};
use pkgfs_store::RegistrationId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    View,
    node::SlotId,
    registering::NotRegistered,
    registry::{LevelPath, Slot},
    repositories::NotOffered,
};

/// One target of a command, as JSON: a text, or a handle as rez writes it into contexts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A URI, a path below the mountpoint, a variant's qualified name, or a package request.
    Text(String),
    /// A handle.
    Handle(Value),
}

/// What was found for some targets.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// Each once.
    pub registrations: Vec<RegistrationId>,
    /// Targets that mean nothing, each with the reason.
    pub refused: Vec<String>,
}

/// Handles to be registered for one target.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Each variant with the handles that may mean it, in the order to be tried.
    pub variants: Vec<Vec<VariantHandle>>,
    /// The target names more than its user chose by hand: what rez would not cache is passed
    /// over, as rez does.
    pub passing: bool,
}

/// What a text is read as.
enum Reading {
    Handles(Vec<VariantHandle>),
    Place(Vec<String>),
    QualifiedName(String),
    Request(Request),
}

impl Reading {
    fn of_target(target: &Target) -> Result<Self, String> {
        match target {
            Target::Handle(handle) => Ok(Self::Handles(vec![parse(handle)?])),
            Target::Text(text) => Self::of(text),
        }
    }

    fn of(text: &str) -> Result<Self, String> {
        if uri::is_uri(text) {
            return uri::read(text).map(Self::Handles).map_err(|error| error.to_string());
        }
        if text.contains('/') {
            let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
            return Ok(Self::Place(parts.map(str::to_owned).collect()));
        }
        if text.ends_with(']') {
            return Ok(Self::QualifiedName(text.to_owned()));
        }
        let request = Request::parse(text).map(Self::Request);
        request.ok_or_else(|| format!("{text:?} is no URI, path or package request"))
    }

    /// The packages of which registered variants can be meant.
    fn packages(&self) -> BTreeSet<&str> {
        match self {
            Self::Handles(handles) => handles.iter().map(|handle| handle.name.as_str()).collect(),
            // It may begin above the mount.
            Self::Place(parts) => parts.iter().map(String::as_str).collect(),
            // No name of a package has one of these in it.
            Self::QualifiedName(name) => name.split(['-', '[']).take(1).collect(),
            Self::Request(request) => [request.name()].into(),
        }
    }
}

/// Whether a text can be a target, or why not.
pub(crate) fn check(text: &str) -> Result<(), String> {
    Reading::of(text).map(drop)
}

impl View {
    /// The registered variants that targets mean.
    pub(crate) fn registered(&self, targets: &[Target]) -> Chosen {
        let mut chosen = Chosen::default();
        for target in targets {
            match self.meant(target, |_, slot| slot.registration) {
                Ok(known) if known.is_empty() => chosen.refused.push(target.means_none()),
                Ok(known) => chosen.registrations.extend(known),
                Err(reason) => chosen.refused.push(reason),
            }
        }
        chosen.registrations.sort_unstable();
        chosen.registrations.dedup();
        chosen
    }

    /// What is made of the registered variants that a target means.
    pub(crate) fn meant<T>(
        &self,
        target: &Target,
        make: impl Fn(&LevelPath, &Slot) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let mut all = Vec::new();
        self.each_meant(target, make, |page| {
            all.extend(page);
            true
        })?;
        Ok(all)
    }

    /// The same a few at a time, for as long as `take` wants more.
    pub(crate) fn each_meant<T>(
        &self,
        target: &Target,
        make: impl Fn(&LevelPath, &Slot) -> Option<T>,
        mut take: impl FnMut(Vec<T>) -> bool,
    ) -> Result<(), String> {
        let reading = Reading::of_target(target)?;
        let means_handle = self.meaning(target)?;
        let means = |level: &LevelPath, slot: &Slot| match (&slot.handle, &reading) {
            (None, _) => false,
            (Some(_), Reading::Place(parts)) => is_place(parts, level, slot),
            (Some(handle), _) => means_handle(handle),
        };
        for package in reading.packages() {
            let mut walk = self.walk(Some(package));
            let mut next =
                || walk.next(|level, slot| means(level, slot).then(|| make(level, slot))?);
            while let Some(page) = next().map_err(|error| error.to_string())? {
                if !take(page) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a target means a variant, as far as its handle tells: a place in the mount is none
    /// of a handle's.
    pub(crate) fn meaning(
        &self,
        target: &Target,
    ) -> Result<impl Fn(&VariantHandle) -> bool, String> {
        let reading = Reading::of_target(target)?;
        Ok(move |handle: &VariantHandle| match &reading {
            Reading::Handles(handles) => {
                let locations = &self.settings.locations;
                let own = locations.at_canonical(handle);
                handles.iter().any(|handle| locations.at_canonical(handle) == own)
            }
            Reading::Place(_) => false,
            Reading::QualifiedName(name) => *name == handle.qualified_name(),
            Reading::Request(request) => request.takes(&handle.name, handle.version.as_deref()),
        })
    }

    /// The variants that a target means, registered or not.
    pub(crate) async fn wanted(&self, target: &Target) -> Result<Wanted, String> {
        let text = match target {
            Target::Handle(handle) => {
                return Ok(Wanted { variants: vec![vec![parse(handle)?]], passing: true });
            }
            Target::Text(text) => text,
        };
        match Reading::of(text)? {
            Reading::Handles(handles) => Ok(Wanted { variants: vec![handles], passing: false }),
            Reading::Place(_) | Reading::QualifiedName(_) => {
                let handles = self.meant(target, |_, slot| slot.handle.clone())?;
                let variants: Vec<_> = handles.into_iter().map(|handle| vec![handle]).collect();
                if variants.is_empty() {
                    return Err(target.means_none());
                }
                Ok(Wanted { variants, passing: false })
            }
            Reading::Request(_) => {
                let newest = self.requested(text).await;
                let newest = newest.map_err(|error| format!("{text}: {error}"))?;
                if newest.is_empty() {
                    let told = "no package in the repositories is meant by it";
                    return Err(format!("{text}: {told}"));
                }
                let variants = newest.into_iter().map(|handle| vec![handle]).collect();
                Ok(Wanted { variants, passing: true })
            }
        }
    }

    /// Registers the first of these handles that there is something for, or finds it registered.
    /// The second part tells whether it is new.
    pub(crate) async fn take_in_first(
        self: &Arc<Self>,
        handles: Vec<VariantHandle>,
    ) -> Result<(SlotId, bool), NotRegistered> {
        let mut absent = None;
        for handle in handles {
            let known = self.registry.lock().of_handle(&handle.to_json())?;
            if let Some(id) = known {
                self.heal(id, 0).await;
                return Ok((id, false));
            }
            self.repositories.ask_anew(&handle);
            match self.take_in(handle, 0, true).await {
                Ok(id) => return Ok((id, true)),
                Err(NotRegistered::NotOffered(reason @ NotOffered::Absent(_))) => {
                    // What the first reading says is said of the target.
                    absent.get_or_insert(reason);
                }
                Err(reason) => return Err(reason),
            }
        }
        Err(absent.unwrap_or_else(|| NotOffered::Told("nothing is meant".to_owned())).into())
    }
}

fn parse(handle: &Value) -> Result<VariantHandle, String> {
    VariantHandle::from_dict(handle).map_err(|error| {
        let name = handle.pointer("/variables/name").and_then(Value::as_str);
        format!("{}: {error}", name.unwrap_or("a handle"))
    })
}

impl Target {
    /// Why nothing is done about it.
    pub(crate) fn means_none(&self) -> String {
        format!("{}: no registered variant is meant by it", self.shown())
    }

    /// As its user knows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Handle(handle) => parse(handle).map_or_else(|error| error, |handle| handle.uri()),
        }
    }
}

/// Whether a path is that of a variant, of something in it, or of a directory above it. The path
/// may begin above the mount.
fn is_place(path: &[String], level: &LevelPath, slot: &Slot) -> bool {
    let place = [Some(&level.name), level.version.as_ref(), level.h4.as_ref(), Some(&slot.stem)];
    let place: Vec<&str> = place.into_iter().flatten().map(|part| &**part).collect();
    let common = path.len().min(place.len());
    let same = |part: &[String]| part.iter().zip(&place).all(|(a, b)| a == b);
    !path.is_empty() && same(&path[..common])
        || path.windows(place.len()).any(|part| part.len() == place.len() && same(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_in_one_line(text in any::<String>(), path in r"[/a-z0-9.\[\]<>=+-]{0,20}") {
            for text in [text, path] {
                if let Err(reason) = Reading::of(&text) {
                    prop_assert!(!reason.contains('\n'), "{reason}");
                }
            }
        }
    }
}
