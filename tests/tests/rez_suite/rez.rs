//! The production installs of rez, and the Python scripts that run with them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const NEWEST: &str = "3.4.0";
pub(crate) const OLDEST: &str = "2.112.0";

/// A production install of rez below `.work`.
pub(crate) struct Rez {
    venv: PathBuf,
}

impl Rez {
    pub(crate) fn version(version: &str) -> Self {
        let venv = workspace().join(".work").join(format!("rez-{version}"));
        let stamp = venv.join("bin/rez/.rez_production_install");
        assert!(stamp.exists(), "no rez {version} in {}: run `cargo xtask setup`", venv.display());
        Self { venv }
    }

    /// The search path with rez's commands first.
    pub(crate) fn search_path(&self) -> String {
        format!("{}:{}", self.venv.join("bin/rez").display(), std::env::var("PATH").unwrap())
    }

    /// A directory of the data of rez's own tests.
    pub(crate) fn test_data(&self, path: &str) -> PathBuf {
        let output = Command::new(self.venv.join("bin/python"))
            .args(["-EBc", "import rez; print(rez.__path__[0])"])
            .output()
            .unwrap();
        Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("data/tests").join(path)
    }

    /// Runs a script of `tests/rez` and requires that all of its tests passed.
    pub(crate) fn passes(&self, script: &str, arguments: &[&str], tests: usize) {
        let output = Command::new(self.venv.join("bin/python"))
            .arg("-EB")
            .arg(scripts().join(script))
            .args(arguments)
            .env("PATH", self.search_path())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script} failed ({}):\n{said}", output.status);
        let all_passed = format!("{tests} passed, 0 failed");
        assert_eq!(said.trim_end().lines().last(), Some(&*all_passed), "{script}:\n{said}");
    }
}

/// Makes the repository that `commands.py` works on.
pub(crate) fn make_repository(directory: &Path) {
    let script = scripts().join("repository.py");
    let status = Command::new("python3").arg("-B").arg(script).arg(directory).status().unwrap();
    assert!(status.success(), "repository.py failed ({status})");
}

fn scripts() -> PathBuf {
    workspace().join("tests/rez")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
