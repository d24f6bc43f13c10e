//! Two users with different umasks and a synchronous rez share one cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pkgfs_tests::{MountOptions, Mounted, Ran, Scene, Tree, User};

use crate::actions::names;
use crate::payloads;

/// A user at work with a production install of rez.
struct Artist<'a> {
    user: User,
    umask: &'a str,
    home: PathBuf,
    cache: PathBuf,
}

impl<'a> Artist<'a> {
    fn new(scene: &Scene, mounted: &Mounted, user: User, umask: &'a str) -> Self {
        let home = scene.path(&format!("home-{}", user.id()));
        fs::create_dir_all(home.join("tmp")).unwrap();
        for path in [home.clone(), home.join("tmp")] {
            std::os::unix::fs::chown(path, Some(user.id()), Some(user.id())).unwrap();
        }
        let cache = mounted.mountpoint();
        let text = format!(
            "packages_path = [{:?}]\nlocal_packages_path = {:?}\ntmpdir = {:?}\n\
             cache_packages_path = {cache:?}\npackage_cache_same_device = True\n\
             package_cache_clean_limit = -1.0\ncolor_enabled = False\n",
            scene.repository().location(),
            home.join("local"),
            home.join("tmp"),
        );
        fs::write(home.join("rezconfig.py"), text).unwrap();
        Self { user, umask, home, cache }
    }

    /// Runs one of rez's commands, which must succeed.
    fn rez(&self, command: &str, arguments: &[&str]) -> String {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let bin = workspace.join(".work/rez-3.4.0/bin/rez");
        let program = bin.join(command);
        assert!(program.exists(), "no {}: run `cargo xtask setup`", program.display());
        let mut run = match self.user {
            User::Own => Command::new("env"),
            User::Ordinary => {
                // The interpreter may lie in root's home: this user may read anything, and still
                // write nothing that the modes do not allow.
                let id = self.user.id();
                let mut run = Command::new("setpriv");
                run.args([format!("--reuid={id}"), format!("--regid={id}")]);
                run.args(["--clear-groups", "--inh-caps=-all,+dac_read_search"]);
                run.args(["--ambient-caps=+dac_read_search", "--"]);
                run
            }
        };
        let script = format!("umask {}; exec \"$@\"", self.umask);
        run.args(["sh", "-c", &script, "rez"]).arg(program).args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REZ_")) {
            run.env_remove(name);
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        run.env("PATH", path)
            .env("HOME", &self.home)
            .env("REZ_CONFIG_FILE", self.home.join("rezconfig.py"))
            .env("REZ_DISABLE_HOME_CONFIG", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(&self.home)
            .stdin(Stdio::null());
        let ran = Ran::new(&mut run);
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(0), "{command} of user {}: {said}", self.user.id());
        assert!(!said.contains("Traceback"), "{command} of user {}: {said}", self.user.id());
        said
    }

    /// The root that a tool has in an environment.
    fn root(&self, version: &str) -> PathBuf {
        let request = format!("tool-{version}");
        let said = self.rez(
            "rez-env",
            &["--pkg-cache-mode", "sync", &request, "--", "sh", "-c", "echo root=$REZ_TOOL_ROOT"],
        );
        let root = said.lines().find_map(|line| line.strip_prefix("root=")).unwrap();
        root.into()
    }

    fn cache(&self, arguments: &[&str]) -> String {
        let mut all = vec![self.cache.to_str().unwrap()];
        all.extend(arguments);
        self.rez("rez-pkg-cache", &all)
    }
}

/// What rez copies belongs to who ran rez, here as in a plain directory.
fn assert_same_but_owners(original: &Path, payload: &Path) {
    let tree = |root| {
        let mut tree = Tree::of(root).unwrap().as_payload();
        tree.0.values_mut().for_each(|seen| seen.owner = (0, 0));
        tree
    };
    assert_eq!(tree(payload).difference(&tree(original)), None, "{}", payload.display());
}

fn share(configuration: &str, umasks: [&str; 2]) {
    let scene = Scene::new();
    let repository = scene.repository();
    for version in ["1.0", "2.0", "3.0", "4.0"] {
        repository.release("tool", version, |root| {
            payloads::small(root);
            fs::set_permissions(root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
        });
    }
    let mounted = scene.mount(&MountOptions {
        allow_other: true,
        configuration: configuration.to_owned(),
        ..MountOptions::default()
    });
    let first = Artist::new(&scene, &mounted, User::Own, umasks[0]);
    let second = Artist::new(&scene, &mounted, User::Ordinary, umasks[1]);
    let uri = |version: &str| {
        let package = repository.location().join("tool").join(version).join("package.py");
        format!("{}[]", package.display())
    };
    // One's variant is the other's, in the first environment already; and both write one log.
    for (version, one, other) in [("1.0", &first, &second), ("2.0", &second, &first)] {
        let root = one.root(version);
        assert!(root.starts_with(&one.cache), "{}", root.display());
        assert_eq!(other.root(version), root);
        assert_same_but_owners(&repository.directory("tool", version), &root);
        User::Ordinary.run(|| fs::read(root.join("run")).unwrap());
    }
    for (version, one, other) in [("3.0", &first, &second), ("4.0", &second, &first)] {
        one.cache(&["--pkg-cache-mode", "sync", "-a", &uri(version)]);
        assert!(other.cache(&["-c", "variant_uri", "status"]).contains(&uri(version)));
        let removed = other.cache(&["-r", &uri(version)]);
        assert!(removed.contains("successfully removed"), "{removed}");
        one.cache(&["--pkg-cache-mode", "sync", "-a", &uri(version)]);
        other.cache(&["--logs"]);
        other.cache(&["--clean"]);
    }
    let sys = mounted.mountpoint().join(".sys");
    assert_eq!(names(&sys), ["log", "pending", "to_delete"]);
    assert_eq!(names(&sys.join("to_delete")), Vec::<String>::new());
    for log in names(&sys.join("log")) {
        let mode = fs::metadata(sys.join("log").join(log)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
    }
    let shown = names(&mounted.mountpoint().join("tool"));
    assert_eq!(shown, ["1.0", "2.0", "3.0", "4.0"]);
}

#[test]
fn two_users_with_different_umasks_share_what_rez_copies_in_by_itself() {
    share("[registration]\non_lookup = false\non_pending = false", ["077", "022"]);
}

#[test]
fn two_users_with_different_umasks_share_what_is_registered_on_pending() {
    share("registration.on_lookup = false", ["022", "077"]);
}

#[test]
fn two_users_with_different_umasks_share_what_is_registered_on_look_up() {
    share("", ["077", "027"]);
}

#[test]
fn rez_copies_in_a_payload_with_extended_attributes_by_itself_and_it_is_sealed() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", |root| {
        payloads::small(root);
        for name in ["", "python", "run"] {
            let (path, flags) = (root.join(name), rustix::fs::XattrFlags::empty());
            rustix::fs::setxattr(path, "user.studio", b"shots", flags).unwrap();
        }
    });
    let mounted = scene.mount(&payloads::left_to_rez());
    let artist = Artist::new(&scene, &mounted, User::Own, "022");
    let root = artist.root("1.0");
    assert!(root.starts_with(&artist.cache), "{}", root.display());
    // Everything but the attributes is there, and read-only.
    let tree = |root: &Path| {
        let mut tree = Tree::of(root).unwrap().as_payload();
        tree.0.values_mut().for_each(|seen| seen.attributes.clear());
        tree
    };
    let original = repository.directory("tool", "1.0");
    assert_eq!(tree(&root).difference(&tree(&original)), None);
    let refused = fs::write(root.join("run"), "other").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(payloads::ready(&mounted), 1);
}
