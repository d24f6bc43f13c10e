//! What there is to show: packages under rez's names, payloads under numbers.

use std::{
    fs::{self, Metadata},
    os::windows::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use pkgfs_projfs_engine::{Wide, wide};
use pkgfs_rez::VariantHandle;

/// The directory below which payloads are.
pub(crate) const TREES: &str = ".pkgfs";

/// One package.
pub(crate) struct Package {
    pub(crate) name: String,
    version: String,
    h4: String,
    json: String,
    directory: PathBuf,
}

/// Something that shows.
#[derive(Clone)]
pub(crate) struct Node {
    /// Its path below the root, in its own case.
    pub(crate) path: Wide,
    pub(crate) what: What,
    /// When it was last written, as `FILETIME` counts.
    pub(crate) written: i64,
    /// Whether nobody may change it.
    pub(crate) sealed: bool,
}

#[derive(Clone)]
pub(crate) enum What {
    Directory,
    File { size: u64, at: PathBuf },
    Text(String),
    Link { target: Wide, directory: bool },
}

/// All packages of a repository.
pub(crate) fn packages(repository: &Path) -> anyhow::Result<Vec<Package>> {
    let real = fs::canonicalize(repository)?;
    let text = real.to_string_lossy().into_owned();
    let location = text.strip_prefix(r"\\?\").unwrap_or(&text).to_lowercase();
    let mut found = Vec::new();
    for family in fs::read_dir(&real)?.filter_map(Result::ok) {
        for version in fs::read_dir(family.path())?.filter_map(Result::ok) {
            let name = family.file_name().to_string_lossy().into_owned();
            let version_name = version.file_name().to_string_lossy().into_owned();
            let handle = VariantHandle {
                location: location.clone(),
                name: name.clone(),
                version: Some(version_name.clone()),
                index: None,
            };
            found.push(Package {
                name,
                version: version_name,
                h4: handle.h4(),
                json: format!("{{\"handle\": {}}}", handle.to_json()),
                directory: version.path(),
            });
        }
    }
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(found)
}

/// The children of a directory, sorted as ProjFS wants them; nothing where it is none.
pub(crate) fn children(packages: &[Package], path: &Wide) -> Option<Vec<Node>> {
    let parts = path.components();
    let below = |name: &str, what: What| Node {
        path: path.join(&Wide::from(name)),
        what,
        written: 0,
        sealed: false,
    };
    let same = |part: &Wide, name: &str| wide::compare(&part.0, &Wide::from(name).0).is_eq();
    let mut nodes: Vec<Node> = match parts.as_slice() {
        [] => {
            let mut names: Vec<&str> =
                packages.iter().map(|package| package.name.as_str()).collect();
            names.dedup();
            names.push(TREES);
            names.into_iter().map(|name| below(name, What::Directory)).collect()
        }
        [trees] if same(trees, TREES) => {
            let tree =
                |tree: usize| Node { sealed: true, ..below(&tree.to_string(), What::Directory) };
            (0..packages.len()).map(tree).collect()
        }
        [trees, number, rest @ ..] if same(trees, TREES) => {
            let package = packages.get(number.to_string().parse::<usize>().ok()?)?;
            let mut directory = package.directory.clone();
            for part in rest {
                directory.push(String::from_utf16(&part.0).ok()?);
            }
            payload(path, &directory)?
        }
        [name] => packages
            .iter()
            .filter(|package| same(name, &package.name))
            .map(|package| below(&package.version, What::Directory))
            .collect(),
        [name, version] => packages
            .iter()
            .filter(|package| same(name, &package.name) && same(version, &package.version))
            .map(|package| below(&package.h4, What::Directory))
            .collect(),
        [name, version, h4] => packages
            .iter()
            .enumerate()
            .filter(|(_, package)| {
                same(name, &package.name)
                    && same(version, &package.version)
                    && same(h4, &package.h4)
            })
            .flat_map(|(tree, package)| {
                let target = Wide::from(format!(r"..\..\..\{TREES}\{tree}").as_str());
                [
                    below("a", What::Link { target, directory: true }),
                    below("a.json", What::Text(package.json.clone())),
                ]
            })
            .collect(),
        _ => return None,
    };
    if nodes.is_empty() && !same(parts.first()?, TREES) {
        return None;
    }
    nodes.sort_by(|a, b| wide::compare(&a.path.0, &b.path.0));
    Some(nodes)
}

fn payload(path: &Wide, directory: &Path) -> Option<Vec<Node>> {
    let entries = fs::read_dir(directory).ok()?;
    let node = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok()?;
        let name = Wide(entry.file_name().encode_wide().collect());
        let at = entry.path();
        Some(Node {
            path: path.join(&name),
            what: what(&metadata, at)?,
            written: metadata.last_write_time() as i64,
            sealed: true,
        })
    };
    Some(entries.filter_map(Result::ok).filter_map(node).collect())
}

fn what(metadata: &Metadata, at: PathBuf) -> Option<What> {
    if metadata.is_symlink() {
        let target: Vec<u16> = fs::read_link(&at).ok()?.as_os_str().encode_wide().collect();
        return Some(What::Link { target: Wide(target), directory: at.is_dir() });
    }
    if metadata.is_dir() {
        return Some(What::Directory);
    }
    Some(What::File { size: metadata.len(), at })
}

/// What shows at a path.
pub(crate) fn find(packages: &[Package], path: &Wide) -> Option<Node> {
    let (above, name) = path.split();
    children(packages, &above)?
        .into_iter()
        .find(|node| wide::compare(&node.path.split().1.0, &name.0).is_eq())
}
