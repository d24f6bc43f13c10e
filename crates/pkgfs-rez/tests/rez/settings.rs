//! Settings: what `rez-config --json` prints is read for what rez works with.

use std::{fs, path::Path};

use pkgfs_rez::RezSettings;
use serde_json::{Value, json};

use crate::oracle::{installation, scratch, undisturbed};

/// The settings as a dictionary, spelled like rez's.
fn dictionary(settings: &RezSettings) -> Value {
    json!({
        "packages_path": settings.packages_path,
        "local_packages_path": settings.local_packages_path,
        "release_packages_path": settings.release_packages_path,
        "tmpdir": settings.tmpdir,
        "cache_packages_path": settings.cache_packages_path,
        "default_cachable": settings.default_cachable,
        "default_cachable_per_package": settings.default_cachable_per_package,
        "default_cachable_per_repository": settings.default_cachable_per_repository,
        "default_relocatable": settings.default_relocatable,
        "default_relocatable_per_package": settings.default_relocatable_per_package,
        "default_relocatable_per_repository": settings.default_relocatable_per_repository,
        "package_cache_local": settings.package_cache_local,
        "package_cache_same_device": settings.package_cache_same_device,
        "package_cache_space_buffer": settings.package_cache_space_buffer,
        "package_cache_used_threshold": settings.package_cache_used_threshold,
        "package_cache_max_variant_days": settings.package_cache_max_variant_days,
        "allow_unversioned_packages": settings.allow_unversioned_packages,
        "use_variant_shortlinks": settings.use_variant_shortlinks,
        "variant_shortlinks_dirname": settings.variant_shortlinks_dirname,
        "read_package_cache": settings.read_package_cache,
        "write_package_cache": settings.write_package_cache,
        "package_cache_async": settings.package_cache_async,
        "package_filenames": settings.package_filenames,
        "check_package_definition_files": settings.check_package_definition_files,
        "file_lock_dir": settings.file_lock_dir,
    })
}

/// rez's own values, by its own Python, of those settings that it has.
const ASK_REZ: &str = "
import json, sys
from rez.config import config
plugin = config.plugins.package_repository.filesystem
values = {}
for name in json.loads(sys.argv[1]):
    try:
        values[name] = getattr(plugin, name) if name in plugin else getattr(config, name)
    except AttributeError:
        pass
print(json.dumps(values))
";

/// What was read from `rez-config --json` under a configuration, and what rez says of each setting.
fn compare(version: &str, home: &Path, configuration: &str, tmpdir: &Path) -> (RezSettings, usize) {
    let file = home.join("rezconfig.py");
    fs::write(&file, configuration).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let program = installation(version).join("bin").join(program);
        assert!(program.exists(), "{}: run `cargo xtask setup`", program.display());
        let output = undisturbed(&program, home)
            .env("REZ_CONFIG_FILE", &file)
            .env("TMPDIR", tmpdir)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let settings = RezSettings::from_rez_config(&run("rez/rez-config", &["--json"])).unwrap();
    let ours = dictionary(&settings);
    let names: Vec<_> = ours.as_object().unwrap().keys().collect();
    let theirs: Value =
        serde_json::from_slice(&run("python", &["-c", ASK_REZ, &json!(names).to_string()]))
            .unwrap();
    let theirs = theirs.as_object().unwrap();
    for (name, value) in theirs {
        let same = match (ours[name].as_f64(), value.as_f64()) {
            (Some(ours), Some(theirs)) => ours.total_cmp(&theirs).is_eq(),
            // An optional table that is None is an empty one.
            _ if value.is_null() && ours[name] == json!({}) => true,
            _ => ours[name] == *value,
        };
        assert!(same, "{name} in rez {version}: {} is not {value}", ours[name]);
    }
    (settings, theirs.len())
}

const CHANGED: &str = r#"
packages_path = ["~/mine", "/sw/pkg"]
local_packages_path = "~/mine"
release_packages_path = "/sw/pkg"
cache_packages_path = "/var/cache/rez"
default_cachable = None
default_cachable_per_package = {"foo": True, "bar": False}
default_cachable_per_repository = {"/sw/pkg": True}
default_relocatable = False
default_relocatable_per_package = {"foo": True}
default_relocatable_per_repository = None
package_cache_local = True
package_cache_same_device = True
package_cache_max_variant_days = -1
allow_unversioned_packages = False
use_variant_shortlinks = False
variant_shortlinks_dirname = "links"
read_package_cache = False
write_package_cache = False
plugins = {"package_repository": {"filesystem": {
    "package_filenames": ["package", "pkg"], "check_package_definition_files": True,
    "file_lock_dir": ".lock"}}}
"#;

#[test]
fn the_settings_of_both_rezzes_are_what_they_print() {
    let home = scratch();
    for (version, expected) in [("3.4.0", 25), ("2.112.0", 22)] {
        let (_, compared) = compare(version, home.path(), "", home.path());
        assert_eq!(compared, expected, "settings that rez {version} has");
    }
}

#[test]
fn settings_that_were_changed_are_read_as_changed() {
    let home = scratch();
    for version in ["3.4.0", "2.112.0"] {
        let (settings, _) = compare(version, home.path(), CHANGED, home.path());
        assert_ne!(settings, RezSettings::defaults(home.path(), home.path()));
    }
}

#[test]
fn rez_2_112_gets_the_newer_settings_by_default() {
    let home = scratch();
    let (settings, _) = compare("2.112.0", home.path(), "default_cachable = True", home.path());
    assert_eq!(settings.package_cache_space_buffer, 100 << 20);
    assert!((settings.package_cache_used_threshold - 80.0).abs() < f64::EPSILON);
    assert!(settings.package_cache_async);
    assert_eq!(settings.tmpdir, home.path().to_str().unwrap());
}

#[test]
fn defaults_are_those_of_rez() {
    let home = scratch();
    let (printed, _) = compare("3.4.0", home.path(), "", home.path());
    assert_eq!(RezSettings::defaults(home.path(), home.path()), printed);
}
