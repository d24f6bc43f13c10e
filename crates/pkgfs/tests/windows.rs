//! The program on Windows, or under Wine beside the stand-in for `projectedfslib.dll`: what a user types
//! from the first mount to the last unmount.
#![cfg(windows)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A profile of its own, with all that pkgfs keeps for a user.
struct Place {
    directory: TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        for part in ["local", "roaming\\pkgfs", "machine", "repo"] {
            fs::create_dir_all(place.at(part)).unwrap();
        }
        // rez itself is not what these tests are about.
        let rez = place.at("rez.json");
        fs::write(&rez, r#"{"package_cache_same_device": true, "tmpdir": "C:\\nowhere"}"#).unwrap();
        let print = format!("rez.config_command = ['cmd', '/c', 'type {}']\n", text(&rez));
        place.configure(&print);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self, toml: &str) {
        fs::write(self.at("roaming\\pkgfs\\config.toml"), toml).unwrap();
    }

    fn package(&self, name: &str, version: &str) {
        let directory = self.at("repo").join(name).join(version);
        fs::create_dir_all(directory.join("python")).unwrap();
        let definition = format!("name = '{name}'\nversion = '{version}'\ncachable = True\n");
        fs::write(directory.join("package.py"), definition).unwrap();
        fs::write(directory.join("python").join("module.py"), "answer = 42\n").unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pkgfs"));
        command.args(arguments);
        command.env("LOCALAPPDATA", self.at("local")).env("APPDATA", self.at("roaming"));
        command.env("ProgramData", self.at("machine"));
        // Where there is no ProjFS, what stands in for it lies beside the program.
        let library = Path::new(env!("CARGO_BIN_EXE_pkgfs")).with_file_name("projectedfslib.dll");
        if library.exists() {
            command.env("PKGFS_PROJFS_LIBRARY", library);
            command.env("PKGFS_PROJFS_STANDIN", self.at("standin"));
        }
        command
    }

    /// Runs the program and reads its output to the end: a daemon that kept a pipe would never let
    /// that come.
    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    #[track_caller]
    fn refused(self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.err.trim_end().lines().count(), 1, "{self:?}");
        words.iter().for_each(|word| assert!(self.err.contains(word), "no {word:?}: {self:?}"));
    }
}

/// A root that is left would be filled by rez with whole copies.
#[track_caller]
fn nothing_left(root: &Path) {
    assert!(!root.exists(), "{} is still there", root.display());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_needs_no_daemon() {
    let place = Place::new();
    assert!(place.run(&["--version"]).good().starts_with("pkgfs "));
    let help = place.run(&["--help"]).good();
    ["mount", "service", "logon"].iter().for_each(|word| assert!(help.contains(word), "{help}"));
    assert!(place.run(&["completions", "powershell"]).good().contains("pkgfs"));
    let status = place.run(&["status"]);
    assert_eq!((status.code, status.out.as_str()), (Some(3), "nothing is mounted\n"));
}

#[test]
fn settings_come_from_the_profile_and_lists_are_parted_as_search_paths() {
    let place = Place::new();
    let shown = place.run(&["config"]).good();
    let store = place.at("local").join("pkgfs").join("store");
    let store = serde_json::to_string(text(&store)).unwrap();
    assert!(shown.contains(&format!("store = {store}")), "{shown}");
    assert!(shown.contains("config.toml"), "{shown}");
    let mut command = place.command(&["config", "--json"]);
    let output = command.env("PKGFS_REPOSITORIES", r"C:\sw;D:\more").output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["repositories"]["value"], serde_json::json!([r"C:\sw", r"D:\more"]));
}

#[test]
fn a_scan_prints_a_line_a_package_with_the_paths_of_windows() {
    let place = Place::new();
    place.package("tool", "1.0.0");
    place.package("tool", "1.1.0");
    let repository = place.at("repo");
    fs::create_dir_all(repository.join("bare").join("2.0")).unwrap();
    fs::write(repository.join("whole.py"), "").unwrap();
    fs::write(repository.join("stray"), "").unwrap();
    let location = pkgfs_win32::paths::real(&repository).unwrap();
    let location = text(&location).to_lowercase();
    let expected = [
        format!("bare-2.0\t{location}\\bare\\2.0\\"),
        format!("tool-1.0.0\t{location}\\tool\\1.0.0\\package.py"),
        format!("tool-1.1.0\t{location}\\tool\\1.1.0\\package.py"),
        format!("whole\t{location}\\whole.py"),
    ];
    // As rez spells paths, and as people do.
    for spelling in [text(&repository).to_owned(), text(&repository).replace('\\', "/")] {
        let ran = place.run(&["scan", &spelling]);
        let mut lines: Vec<_> = ran.out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected, "{ran:?}");
        assert!(ran.err.contains("stray: a file where a package family would be"), "{ran:?}");
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(fs::read_dir(place.at("local").join("pkgfs").join("scan")).unwrap().count(), 1);

    let missing = place.at("missing");
    let ran = place.run(&["scan", "--json", text(&missing), text(&repository)]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("missing: the repository does not exist"), "{ran:?}");
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    let tool = lines.iter().find(|line| line["version"] == "1.1.0").unwrap();
    let path = format!("{location}\\tool\\1.1.0\\package.py");
    assert_eq!(tool["repository"], serde_json::json!(location));
    assert_eq!(tool["path"], serde_json::json!(path));

    // rez takes a repository of its path that does not exist for an empty one.
    let path = serde_json::json!({ "packages_path": [text(&missing), text(&repository)] });
    fs::write(place.at("rez.json"), path.to_string()).unwrap();
    let ran = place.run(&["scan"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 4), "{ran:?}");
}

#[test]
fn refusals_are_one_line_with_what_to_do() {
    let place = Place::new();
    let root = place.at("root");
    fs::write(&root, "").unwrap();
    place.run(&["mount", text(&root)]).refused(&["root", "not a directory", "remove it"]);
    fs::remove_file(&root).unwrap();
    fs::create_dir_all(root.join("x")).unwrap();
    place.run(&["mount", text(&root)]).refused(&["root", "not empty", "empty it"]);
    place.run(&["unmount", text(&root)]).refused(&["not mounted", "root"]);
    place.run(&["flush"]).refused(&["nothing is mounted", "mount it first"]);
    place.run(&["upgrade"]).refused(&["on Windows", "unmount it", "mount it with the other"]);
    place.configure("mode = 'stateless'\nrez.config_command = []\n");
    place.run(&["mount", text(&place.at("other"))]).refused(&["mode", "set mode to auto"]);
    place.configure("stroe = 'x'\n");
    place.run(&["config"]).refused(&["stroe", "did you mean `store`"]);
}

#[test]
fn a_mount_from_its_first_day_to_its_last() {
    let place = Place::new();
    place.package("tool", "1.0.0");
    let (root, repository) = (place.at("root"), place.at("repo"));
    let mount = ["mount", text(&root), "--repo", text(&repository)];
    let told = place.run(&mount).good();
    assert!(told.contains("is mounted (store "), "{told}");
    let told = place.run(&mount).good();
    assert!(told.contains("is already mounted"), "{told}");

    let status = place.run(&["status"]).good();
    assert!(status.contains("projfs") && status.contains("root"), "{status}");
    let uri = format!(r"{}\tool\1.0.0\package.py[]", text(&repository).to_lowercase());
    let added = place.run(&["add", &uri]).good();
    assert!(added.contains("added"), "{added}");
    let listed = place.run(&["list"]).good();
    assert!(listed.contains("tool"), "{listed}");
    assert!(place.run(&["pin", &uri]).good().contains("pinned"));
    assert!(place.run(&["unpin", &uri]).good().contains("unpinned"));
    place.run(&["warm", &uri, "--quiet"]).good();
    assert!(place.run(&["flush", &uri]).good().contains("flushed"));
    place.run(&["verify", "--quiet"]).good();
    place.run(&["clean", "--dry-run"]).good();
    place.run(&["profile", "show"]).good();
    assert!(place.run(&["remove", &uri]).good().contains("removed"));

    // However it is spelt, it is the same place.
    let shouted = text(&root).to_uppercase();
    let told = place.run(&["unmount", &shouted]).good();
    assert!(told.contains("is unmounted"), "{told}");
    nothing_left(&root);
    assert_eq!(place.run(&["status"]).code, Some(3));
    // The process is gone with its last mount, and its store free.
    let told = place.run(&mount).good();
    assert!(told.contains("is mounted (store "), "{told}");
    place.run(&["unmount", text(&root)]).good();
}

#[test]
fn a_mount_may_keep_the_access_lists_of_origin() {
    let place = Place::new();
    place.package("tool", "1.0.0");
    let configured = fs::read_to_string(place.at("roaming\\pkgfs\\config.toml")).unwrap();
    place.configure(&format!("origin.keep_acls = true\n{configured}"));
    let shown = place.run(&["config", "--json"]).good();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["origin.keep_acls"]["value"], serde_json::json!(true));
    let (root, repository) = (place.at("root"), place.at("repo"));
    place.run(&["mount", text(&root), "--repo", text(&repository)]).good();
    // Settings of a running daemon are part of what it is.
    let mut other = place.command(&["mount", text(&root), "--repo", text(&repository)]);
    let output = other.env("PKGFS_ORIGIN_KEEP_ACLS", "false").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("other settings (origin)"), "{said}");
    place.run(&["unmount", text(&root)]).good();
    nothing_left(&root);
}

#[test]
fn a_root_that_a_mount_makes_is_for_those_who_are_let_in() {
    let place = Place::new();
    let private = place.at("private");
    fs::create_dir(&private).unwrap();
    pkgfs_win32::ownership::make_private(&private).unwrap();
    let (root, repository) = (private.join("root"), place.at("repo"));
    let mount = ["mount", text(&root), "--repo", text(&repository)];
    for (more, everyone) in [(&[][..], false), (&["--allow-other"][..], true)] {
        place.run(&[&mount[..], more].concat()).good();
        let others = pkgfs_win32::ownership::others(&root).unwrap();
        assert_eq!(others.iter().any(|other| other == "S-1-1-0"), everyone, "{others:?}");
        place.run(&["unmount", text(&root)]).good();
        nothing_left(&root);
    }
}

#[test]
fn a_mount_whose_daemon_was_killed_is_told_of_recovered_and_taken_away() {
    let place = Place::new();
    let (root, repository) = (place.at("root"), place.at("repo"));
    let mount = ["mount", text(&root), "--repo", text(&repository)];
    let kill = || {
        let status = place.run(&["status", "--json"]).good();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let number = status["mounts"][0]["daemon"]["pid"].to_string();
        let killed = Command::new("taskkill").args(["/F", "/PID", &number]).output().unwrap();
        assert!(killed.status.success(), "{killed:?}");
    };
    place.run(&mount).good();
    kill();
    let status = place.run(&["status"]).good();
    assert!(status.contains("daemon has died"), "{status}");
    let told = place.run(&mount).good();
    assert!(told.contains("the daemon of an earlier mount had died"), "{told}");
    kill();
    let told = place.run(&["unmount", text(&root)]).good();
    assert!(told.contains("its daemon had died"), "{told}");
    nothing_left(&root);
    assert_eq!(place.run(&["status"]).code, Some(3));
}

#[test]
fn what_is_mounted_at_logon_is_said_once() {
    let place = Place::new();
    place.run(&["logon", "install"]).refused(&["no mountpoint", "set `mountpoint`"]);
    let root = serde_json::to_string(text(&place.at("root"))).unwrap();
    place.configure(&format!("mountpoint = {root}\n"));
    assert!(place.run(&["logon", "install"]).good().contains("will be mounted at each logon"));
    assert!(place.run(&["logon", "install"]).good().contains("already"));
    assert!(place.run(&["logon", "uninstall"]).good().contains("any more"));
    assert!(place.run(&["logon", "uninstall"]).good().contains("nothing is mounted at logon"));
}
