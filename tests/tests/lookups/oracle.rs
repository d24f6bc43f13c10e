//! The real rez, and what it says of repositories.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pkgfs_tests::{MountOptions, VariantHandle};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const NEWEST: &str = "3.4.0";
pub(crate) const OLDEST: &str = "2.112.0";

/// A package as rez enumerates it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) family: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) variants: Vec<Variant>,
}

/// A variant as rez sees it.
#[derive(Debug, Deserialize)]
pub(crate) struct Variant {
    pub(crate) handle: Value,
    /// The directory in the cache that its registration is in.
    pub(crate) path: PathBuf,
    pub(crate) root: Option<PathBuf>,
    /// What the root might be called as well; the first is the directory itself.
    #[serde(default)]
    pub(crate) alike: Vec<PathBuf>,
    /// Whether rez would cache it, were its root there.
    #[serde(default)]
    pub(crate) taken: bool,
}

impl Variant {
    pub(crate) fn is_offered(&self) -> bool {
        self.taken && self.root.as_ref().is_some_and(|root| root.is_dir())
    }
}

/// The commands of an installed rez.
pub(crate) fn commands(version: &str) -> PathBuf {
    let commands = installation(version).join("bin/rez");
    assert!(commands.join(".rez_production_install").exists(), "run `cargo xtask setup`");
    commands
}

/// What lies in its package of Python.
pub(crate) fn python_package(version: &str, path: &str) -> PathBuf {
    let libraries = std::fs::read_dir(installation(version).join("lib")).unwrap();
    let mut places = libraries.map(|library| library.unwrap().path().join("site-packages/rez"));
    places.find(|place| place.is_dir()).unwrap().join(path)
}

/// A command that runs a Python program in this rez, with the settings that these options give it.
pub(crate) fn python(version: &str, options: &MountOptions) -> Command {
    let mut command = Command::new(installation(version).join("bin/python"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REZ_") {
            command.env_remove(name);
        }
    }
    command.arg("-EB").envs(options.variables()).env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// All that rez enumerates in these repositories.
pub(crate) fn ask(version: &str, options: &MountOptions, repositories: &[&Path]) -> Vec<Package> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rez/variants.py");
    let output = python(version, options).arg(script).args(repositories).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rez did not answer: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Options for a mount of repositories with a rez that can be asked, or cannot.
pub(crate) fn options(
    version: &str,
    repositories: &[&Path],
    settings: Value,
    asked: bool,
) -> MountOptions {
    let repositories = json!(repositories);
    let nobody = if asked { "" } else { "rez.python_command = [\"/nonexistent/rez-python\"]\n" };
    MountOptions {
        serves_look_ups: false,
        configuration: format!("repositories = {repositories}\n{nobody}"),
        rez_settings: settings,
        rez: Some(commands(version)),
        ..MountOptions::default()
    }
}

/// rez's handle as the view spells it.
pub(crate) fn uri_of(handle: &Value) -> Option<String> {
    let variables = &handle["variables"];
    (handle["key"] == "filesystem.variant").then(|| {
        VariantHandle {
            location: variables["location"].as_str().unwrap().to_owned(),
            name: variables["name"].as_str().unwrap().to_owned(),
            version: variables["version"].as_str().map(str::to_owned),
            index: variables["index"].as_u64().map(|index| u32::try_from(index).unwrap()),
        }
        .uri()
    })
}

fn installation(version: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    workspace.join(".work").join(format!("rez-{version}"))
}
