//! How links are shown, rule by rule (`LinkBounds`).

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
};

use pkgfs_manifest::{Entry, Kind};
use pkgfs_origin::{LinkBounds, backend::Backend};

use super::Seen;
use crate::harness::{file, scratch};

/// A repository with two packages, and something outside it.
struct Site {
    root: tempfile::TempDir,
    repository: PathBuf,
    variant: PathBuf,
    other: PathBuf,
}

impl Site {
    fn new() -> Self {
        let root = scratch();
        let repository = root.path().canonicalize().unwrap().join("repo");
        let variant = repository.join("foo/1.0");
        let other = repository.join("bar/2.0");
        file(&variant, "lib/libfoo.so.1", "foo");
        file(&variant, "lib/deep/x", "");
        file(&other, "share/data", "shared data");
        file(root.path(), "elsewhere/f", "outside");
        Self { root, repository, variant, other }
    }

    fn elsewhere(&self) -> PathBuf {
        self.repository.parent().unwrap().join("elsewhere")
    }

    fn bounds(&self) -> LinkBounds {
        LinkBounds::of_variant(self.variant.clone(), vec![self.repository.clone()])
    }

    /// How a link in `lib` of the variant is shown.
    fn shown(&self, backend: &dyn Backend, target: impl AsRef<Path>) -> Entry {
        let link = self.variant.join("lib/link");
        _ = fs::remove_file(&link);
        symlink(target, link).unwrap();
        entry(backend, &self.variant.join("lib"), &self.bounds(), "link")
    }
}

fn entry(backend: &dyn Backend, dir: &Path, bounds: &LinkBounds, name: &str) -> Entry {
    let listing = backend.list(dir, bounds, &Seen::default()).unwrap();
    listing.entries()[listing.find(name.as_bytes()).unwrap()].clone()
}

fn link(target: impl AsRef<Path>) -> Kind {
    Kind::Link(target.as_ref().as_os_str().as_bytes().into())
}

pub fn links_inside_the_variant_are_kept(backend: &dyn Backend) {
    let site = Site::new();
    for target in ["libfoo.so.1", "./deep/x", "..", "../lib/libfoo.so.1", "deep//x", "."] {
        let shown = site.shown(backend, target);
        assert_eq!((shown.kind, shown.source), (link(target), None));
        assert_eq!(shown.attributes.size, target.len() as u64);
    }
}

pub fn absolute_links_into_the_variant_become_relative(backend: &dyn Backend) {
    let site = Site::new();
    for (target, shown) in
        [("lib/libfoo.so.1", "libfoo.so.1"), ("include/none.h", "../include/none.h"), ("lib", ".")]
    {
        let entry = site.shown(backend, site.variant.join(target));
        assert_eq!((entry.kind, entry.attributes.size), (link(shown), shown.len() as u64));
    }
}

pub fn links_that_climb_out_and_come_back_become_relative(backend: &dyn Backend) {
    let site = Site::new();
    // In the view, the directories above a variant have other names.
    let shown = site.shown(backend, "../../1.0/lib/deep/x");
    assert_eq!(shown.kind, link("deep/x"));
    // `..` after a link is not where the text says.
    symlink("lib/deep", site.variant.join("short")).unwrap();
    assert_eq!(site.shown(backend, "../short/../libfoo.so.1").kind, link("libfoo.so.1"));
    // By another name of the same directory.
    let alias = site.root.path().join("alias");
    symlink(&site.variant, &alias).unwrap();
    assert_eq!(site.shown(backend, alias.join("lib/deep")).kind, link("deep"));
}

pub fn dangling_links_are_kept(backend: &dyn Backend) {
    let site = Site::new();
    for target in ["nothing", "../../../bar/9.0/x", "/nowhere/at/all", "libfoo.so.1/x", "link"] {
        let shown = site.shown(backend, target);
        assert_eq!((shown.kind, shown.source), (link(target), None));
    }
    assert_eq!(site.shown(backend, "../link-loop/../x").kind, link("../link-loop/../x"));
}

pub fn links_into_a_repository_show_what_they_point_to(backend: &dyn Backend) {
    let site = Site::new();
    let data = site.other.join("share/data");
    for target in [Path::new("../../../bar/2.0/share/data"), &data] {
        let shown = site.shown(backend, target);
        assert_eq!((&shown.kind, shown.attributes.size), (&Kind::File, 11));
        assert_eq!(shown.source.as_deref(), Some(data.as_os_str().as_bytes()));
    }
    let shown = site.shown(backend, &site.other);
    assert_eq!(shown.kind, Kind::Directory);
    assert_eq!(shown.source.as_deref(), Some(site.other.as_os_str().as_bytes()));
    // A repository's path is compared name by name.
    let near = site.repository.with_file_name("repository");
    let target = file(&near, "f", "");
    assert_eq!(site.shown(backend, &target).kind, link(&target));
}

pub fn links_elsewhere_become_absolute(backend: &dyn Backend) {
    let site = Site::new();
    let target = site.elsewhere().join("f");
    assert_eq!(site.shown(backend, &target).kind, link(&target));
    assert_eq!(site.shown(backend, "../../../../elsewhere/f").kind, link(&target));
    // The text counts, not what lies behind further links.
    symlink("f", site.elsewhere().join("current")).unwrap();
    let current = site.elsewhere().join("current");
    assert_eq!(site.shown(backend, "../../../../elsewhere/current").kind, link(&current));
    // Through a link out of the variant and `..` after it.
    symlink(site.elsewhere(), site.variant.join("out")).unwrap();
    assert_eq!(site.shown(backend, "../out/../elsewhere/f").kind, link(&target));
}

pub fn a_link_to_a_directory_that_holds_it_stays_a_link(backend: &dyn Backend) {
    let site = Site::new();
    let above = site.variant.parent().unwrap();
    assert_eq!(site.shown(backend, "../..").kind, link(above));
    assert_eq!(site.shown(backend, &site.repository).kind, link(&site.repository));
}

pub fn a_loop_through_two_packages_ends(backend: &dyn Backend) {
    let site = Site::new();
    let share = site.other.join("share");
    symlink(site.variant.join("lib"), share.join("back")).unwrap();
    let lib = site.variant.join("lib");
    let shown = site.shown(backend, &share);
    assert_eq!(shown.kind, Kind::Directory);
    let beyond = site.bounds().beyond_link(&lib, share.clone());
    assert_eq!(entry(backend, &share, &beyond, "back").kind, link(&lib));
}

pub fn links_in_a_tree_shown_in_place_work_like_those_in_a_variant(backend: &dyn Backend) {
    let site = Site::new();
    let share = site.other.join("share");
    file(&site.other, "share/sub/y", "");
    file(&site.other, "bin/tool", "tool");
    symlink("../data", share.join("sub/inside")).unwrap();
    symlink(share.join("data"), share.join("sub/absolute")).unwrap();
    symlink("../../bin/tool", share.join("sub/out")).unwrap();
    let own = site.variant.join("lib/libfoo.so.1");
    symlink(&own, share.join("sub/home")).unwrap();
    let beyond = site.bounds().beyond_link(&site.variant.join("include"), share.clone());
    let shown = |name| entry(backend, &share.join("sub"), &beyond, name);
    assert_eq!(shown("inside").kind, link("../data"));
    assert_eq!(shown("absolute").kind, link("../data"));
    // `../..` would climb out of what the view shows in the link's place.
    let tool = site.other.join("bin/tool");
    assert_eq!(shown("out").source.as_deref(), Some(tool.as_os_str().as_bytes()));
    assert_eq!(shown("home").source.as_deref(), Some(own.as_os_str().as_bytes()));
    // The variant itself is served even where no repository given holds it.
    let alone = LinkBounds { repositories: vec![site.other.clone()], ..beyond.clone() };
    let home = entry(backend, &share.join("sub"), &alone, "home");
    assert_eq!(home.source.as_deref(), Some(own.as_os_str().as_bytes()));
}

pub fn a_variant_root_that_is_itself_a_link_is_one_tree(backend: &dyn Backend) {
    let site = Site::new();
    let short = site.repository.join("foo/_v/a");
    fs::create_dir(short.parent().unwrap()).unwrap();
    symlink("../1.0", &short).unwrap();
    let target = site.variant.join("lib/deep");
    symlink(&target, site.variant.join("physical")).unwrap();
    symlink(short.join("lib/deep"), site.variant.join("by-shortlink")).unwrap();
    symlink("../2.0/f", site.variant.join("sibling")).unwrap();
    let sibling = file(&site.repository, "foo/2.0/f", "");
    let bounds = LinkBounds::of_variant(short.clone(), vec![site.repository.clone()]);
    let shown = |name| entry(backend, &short, &bounds, name);
    assert_eq!(shown("physical").kind, link("lib/deep"));
    assert_eq!(shown("by-shortlink").kind, link("lib/deep"));
    assert_eq!(shown("sibling").source.as_deref(), Some(sibling.as_os_str().as_bytes()));
}
