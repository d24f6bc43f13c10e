//! How long literal definitions take to be read: those of rez's own tests, and a released one of 500
//! lines.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{process, setup, workspace};

/// Measures it.
pub(super) fn run() -> Result<()> {
    let rez = setup::run()?.rez;
    let venv = rez.bin.ancestors().nth(2).context("rez is installed nowhere")?.to_owned();
    let mut found = Vec::new();
    collect(&venv.join("lib"), &mut found)?;
    let released = workspace::work_dir().join("bench/package.py");
    fs::create_dir_all(workspace::work_dir().join("bench"))?;
    fs::write(&released, definition())?;
    for files in [found, vec![released]] {
        let example =
            ["run", "--release", "-p", "pkgfs-rez", "--example", "read-definitions", "--"];
        process::run(process::cargo(&example).args(files))?;
    }
    Ok(())
}

/// The definitions in rez's test data below a directory.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            collect(&path, found)?;
        } else if (name == "package.py" || name == "package.yaml")
            && path.to_string_lossy().contains("rez/data/tests/")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// As rez writes it on release, with a long changelog and commands.
fn definition() -> String {
    let mut text = "# -*- coding: utf-8 -*-\n\nname = 'tool'\n\nversion = '4.12.1'\n\n\
         description = 'A tool of the pipeline.'\n\nauthors = ['a.user', 'b.user']\n\n\
         requires = ['python-3.9+<4', 'usd_core-25', '!nuke-12']\n\n\
         variants = [\n    ['platform-linux', 'python-3.9'],\n    ['platform-linux', 'python-3.11'],\n]\n\n\
         hashed_variants = True\n\ntools = ['tool', 'tool_ui']\n\ndef commands():\n"
        .to_owned();
    for line in 0..120 {
        let _ = writeln!(text, "    env.TOOL_PATH_{line}.append('{{root}}/share/{line}')");
    }
    text += "\nuuid = '6c43d533-92bb-4f8b-b812-7020bf54d3f1'\n\ntimestamp = 1700000000\n\nvcs = 'git'\n\n\
         changelog = \\\n    '''\n";
    for line in 0..350 {
        let _ = writeln!(text, "    commit {line:040x}: make the tool do what it was asked to do");
    }
    text + "    '''\n\nrevision = {'branch': 'master', 'commit': '0' }\n\nformat_version = 2\n"
}
