//! No provider at all: a plain copy of the packages where a cache would show them. It says whether a
//! driver and what a scenario expects of file systems are right, without ProjFS and without the
//! stand-in; so it is what runs on any Windows, and under Wine.

use std::{fs, path::Path};

use crate::{
    Scene, Subject,
    subject::{Abilities, Running},
};

/// Plain copies.
pub struct Copied;

struct Copies;

impl Subject for Copied {
    fn name(&self) -> &'static str {
        "copied"
    }

    fn abilities(&self) -> Abilities {
        Abilities { plain: true, ..Abilities::default() }
    }

    fn start(&self, scene: &Scene) -> anyhow::Result<Box<dyn Running>> {
        fs::create_dir_all(scene.root())?;
        for family in fs::read_dir(scene.repository())?.filter_map(Result::ok) {
            for version in fs::read_dir(family.path())?.filter_map(Result::ok) {
                let name = family.file_name().to_string_lossy().into_owned();
                let version_name = version.file_name().to_string_lossy().into_owned();
                let handle = scene.handle(&name, &version_name);
                let h4 = scene.root().join(&name).join(&version_name).join(handle.h4());
                if !h4.exists() {
                    fs::create_dir_all(&h4)?;
                    // Verbatim, so that names keep what they end with.
                    copy(&fs::canonicalize(version.path())?, &fs::canonicalize(&h4)?.join("a"))?;
                    fs::write(h4.join("a.json"), format!("{{\"handle\": {}}}", handle.to_json()))?;
                }
            }
        }
        Ok(Box::new(Copies))
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)?.filter_map(Result::ok) {
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
            continue;
        }
        fs::write(&to, fs::read(entry.path())?)?;
        fs::File::options().write(true).open(&to)?.set_modified(entry.metadata()?.modified()?)?;
    }
    Ok(())
}

impl Running for Copies {
    fn stop(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }

    fn kill(self: Box<Self>) {}

    fn flush(&mut self, _: &str) -> anyhow::Result<()> {
        Ok(())
    }
}
