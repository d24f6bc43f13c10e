//! Programs run from a payload as from any disk: exec, the dynamic loader, dlopen, scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkgfs_tests::{MountOptions, Ran, Scene, User};

/// Compiles one of the C files here and returns where the result is.
pub(crate) fn compile(into: &Path, source: &str, flags: &[&str]) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/view/programs");
    let mut command = Command::new("cc");
    command.arg("-O1").arg("-o").arg(into).arg(sources.join(source)).args(flags);
    let _ = Ran::new(&mut command).good();
    into.to_owned()
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", |root| {
        for directory in ["bin", "lib", "lib/plugins"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        let lib = root.join("lib");
        let shared = ["-shared", "-fPIC"];
        compile(&lib.join("libgreeting.so"), "greeting.c", &shared);
        compile(&lib.join("plugins/libplugin.so"), "plugin.c", &shared);
        let libraries = format!("-L{}", lib.display());
        let run_path = "-Wl,-rpath,$ORIGIN/../lib:$ORIGIN/../lib/plugins";
        compile(&root.join("bin/greet"), "greet.c", &[&libraries, "-lgreeting", "-ldl", run_path]);
        script(&root.join("bin/script"), "#!/bin/sh\nexec \"${0%/*}/greet\" \"$@\"\n", 0o755);
        script(&root.join("bin/not-executable"), "#!/bin/sh\nexit 0\n", 0o644);
        std::os::unix::fs::symlink("greet", root.join("bin/greet-link")).unwrap();
    });
    scene
}

fn script(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn programs_find_their_libraries_and_scripts_their_interpreter() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() });
    let bin = mounted.payload("tool", "1.0", None).join("bin");
    // Each cold in its turn, then all from the store, for root and for another user.
    for user in [User::Own, User::Ordinary] {
        for name in ["greet", "greet-link", "script"] {
            let ran = Ran::new(&mut user.command(bin.join(name)));
            assert_eq!((ran.code, &*ran.out), (Some(0), "hello, plugin\n"), "{name}: {}", ran.err);
        }
        let ran = Ran::new(user.command(bin.join("script")).args(["1", "2"]));
        assert_eq!(ran.code, Some(43), "{}", ran.err);
        let refused = Command::new(bin.join("not-executable")).output().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        mounted.remount();
    }
}

#[test]
fn a_script_may_name_an_interpreter_in_the_payload() {
    let scene = scene();
    // Where the payload will be shown is known beforehand: rez's handle says it.
    let mounted = scene.mount(&MountOptions::default());
    let interpreter = mounted.payload("tool", "1.0", None).join("bin/greet");
    scene.repository().release("scripts", "1.0", |root| {
        script(&root.join("run"), &format!("#!{}\n", interpreter.display()), 0o755);
    });
    let ran = Ran::new(&mut Command::new(mounted.payload("scripts", "1.0", None).join("run")));
    // The kernel passes the script's path as an argument.
    assert_eq!((ran.code, &*ran.out), (Some(42), "hello, plugin\n"), "{}", ran.err);
}
