//! How a scene is mounted.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::User;

/// How [`Scene::mount`](crate::Scene::mount) runs `pkgfs mount`.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// Who mounts.
    pub user: User,
    /// Let other users in.
    pub allow_other: bool,
    /// Serve look-ups from the scene's repository.
    pub serves_look_ups: bool,
    /// Further lines of the configuration file, TOML.
    pub configuration: String,
    /// What `rez-config --json` is taken to say, besides what a scene needs.
    pub rez_settings: Value,
    /// The directory with the commands of a real rez: it is asked then, with `rez_settings` in its
    /// environment.
    pub rez: Option<PathBuf>,
    /// Further variables of the environment of `pkgfs`.
    pub environment: Vec<(String, String)>,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            user: User::Own,
            allow_other: false,
            serves_look_ups: true,
            configuration: String::new(),
            rez_settings: json!({}),
            rez: None,
            environment: Vec::new(),
        }
    }
}

impl MountOptions {
    /// The configuration file.
    pub(crate) fn file(&self) -> String {
        // An array of strings in JSON is one in TOML.
        let command = match &self.rez {
            Some(commands) => json!([commands.join("rez-config"), "--json"]),
            None => json!(["echo", self.settings().to_string()]),
        };
        format!("rez.config_command = {command}\n{}\n", self.configuration)
    }

    /// The settings as variables that a real rez reads, and whatever else was asked for.
    pub fn variables(&self) -> Vec<(String, String)> {
        let settings = self.settings();
        let settings = settings.as_object().unwrap().iter();
        let named = settings
            .map(|(name, value)| (format!("REZ_{}_JSON", name.to_uppercase()), value.to_string()));
        let alone = [("REZ_DISABLE_HOME_CONFIG".to_owned(), "1".to_owned())];
        let of_rez = if self.rez.is_some() { named.chain(alone).collect() } else { Vec::new() };
        of_rez.into_iter().chain(self.environment.iter().cloned()).collect()
    }

    fn settings(&self) -> Value {
        // Repository and store share a disk here, which rez refuses by default.
        let mut settings = json!({ "package_cache_same_device": true, "tmpdir": "/tmp" });
        let known = settings.as_object_mut().unwrap();
        known.extend(self.rez_settings.as_object().unwrap().clone());
        settings
    }
}
