//! How a scene is mounted.

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
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            user: User::Own,
            allow_other: false,
            serves_look_ups: true,
            configuration: String::new(),
            rez_settings: json!({}),
        }
    }
}

impl MountOptions {
    /// The configuration file.
    pub(crate) fn file(&self) -> String {
        // Repository and store share a disk here, which rez refuses by default.
        let mut settings = json!({ "package_cache_same_device": true, "tmpdir": "/tmp" });
        let known = settings.as_object_mut().unwrap();
        known.extend(self.rez_settings.as_object().unwrap().clone());
        // An array of strings in JSON is one in TOML.
        let command = json!(["echo", settings.to_string()]);
        format!("rez.config_command = {command}\n{}\n", self.configuration)
    }
}
