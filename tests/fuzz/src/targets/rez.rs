//! What rez and its users write: handles, contexts, settings, names, definitions.

use pkgfs_rez::{
    Format, LockOwner, Reading, RezSettings, VariantHandle, context,
    layout::{self, Entry},
    names, read, registration, repository,
    requirement::{self, Request},
    subpath, uri,
};

/// A registration and a pending request: a handle that is read is safe as a path and comes back.
pub(crate) fn registration(input: &[u8]) -> bool {
    let handles = [registration::parse(input), registration::parse_pending(input)];
    handles.iter().flatten().map(check).count() > 0
}

fn check(handle: &VariantHandle) {
    assert!(layout::is_h4(&handle.h4()), "{handle:?}");
    for part in [handle.name.as_str(), handle.version_dir()] {
        assert!(is_one_name(part.as_bytes()), "{handle:?}");
    }
    assert!(handle.location.starts_with(['/', '\\']) || handle.location.contains(':'));
    assert!(handle.location.split(['/', '\\']).all(|part| part != ".." && part != "."));
    assert!(!handle.location.contains('\0'), "{handle:?}");
    let text = registration::encode(handle);
    assert_eq!(registration::parse(text.as_bytes()).ok().as_ref(), Some(handle));
    let bare = handle.to_json();
    assert_eq!(registration::parse_pending(bare.as_bytes()).ok().as_ref(), Some(handle));
    // A URI may be read in two ways; the right one is among them.
    if let Ok(meant) = uri::read(&handle.uri()) {
        assert!(meant.contains(handle), "{handle:?} is not in {meant:?}");
    }
}

/// Whether bytes are one name in a directory, and neither it nor the one above.
pub(crate) fn is_one_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}

/// A resolved context, and each handle in it.
pub(crate) fn context(input: &[u8]) -> bool {
    let absolute = |location: &str| Some(format!("/bundle/{location}"));
    let handles = context::handles(input, absolute).unwrap_or_default();
    handles.iter().flat_map(VariantHandle::from_dict).map(|handle| check(&handle)).count() > 0
}

/// What `rez-config` prints.
pub(crate) fn settings(input: &[u8]) -> bool {
    let read = RezSettings::from_rez_config(input);
    read.map_err(|error| assert!(!error.to_string().contains('\n'), "{error}")).is_ok()
}

/// Names of all kinds, one a line: what is found in directories, and what users type.
pub(crate) fn names(input: &[u8]) -> bool {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let entries: Vec<_> = lines.iter().map(|line| (*line, repository::Kind::Directory)).collect();
    for version in repository::versions(&entries, true) {
        let _ = format!("{version:?}");
    }
    for line in lines {
        repository::directory_family(line);
        repository::combined_family(line);
    }
    let texts =
        input.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    texts.map(name).filter(|is_something| *is_something).count() > 0
}

/// Whether a text means something anywhere.
fn name(text: &str) -> bool {
    if names::is_valid_package_name(text) || names::is_valid_version_dir(text) {
        assert!(is_one_name(text.as_bytes()), "{text:?}");
    }
    if let Some(entry) = Entry::classify(text) {
        let again = match entry {
            Entry::Registration(stem) => layout::registration_name(stem),
            Entry::Copying(stem) => layout::copying_name(stem),
            Entry::Payload(stem) => stem.to_owned(),
        };
        assert_eq!(again, text);
        assert!(layout::is_stem(entry.stem()), "{text:?}");
    }
    if let Some(owner) = LockOwner::parse(text) {
        assert!(!owner.pids.is_empty() && !owner.pids.contains(&0), "{owner:?}");
    }
    // What is printed is a requirement again. Not always the same one: rez does not join all
    // ranges that touch at the first go (`bar-C..6|>6|fo2`), and neither do we.
    if let Some(printed) = requirement::print(text) {
        assert!(requirement::print(&printed).is_some(), "{text:?} is printed as {printed:?}");
    }
    let request = Request::parse(text);
    if let Some(request) = &request {
        let _ = request.takes(request.name(), Some("1.0")) | request.takes("tool", None);
    }
    let meant = uri::read(text).unwrap_or_default();
    meant.iter().for_each(check);
    pkgfs_view::fuzzing::target(text);
    request.is_some() || !meant.is_empty()
}

/// `package.py`.
pub(crate) fn python(input: &[u8]) -> bool {
    definition(input, Format::Python)
}

/// `package.yaml`.
pub(crate) fn yaml(input: &[u8]) -> bool {
    definition(input, Format::Yaml)
}

fn definition(input: &[u8], format: Format) -> bool {
    let definition = match read(input, format) {
        Reading::Literal(definition) => definition,
        Reading::NotLiteral { what: told, .. } | Reading::Broken { why: told, .. } => {
            assert!(!told.contains('\n'), "{told:?}");
            return false;
        }
    };
    for index in 0..definition.variants.len() {
        let Ok(place) = subpath(&definition, u32::try_from(index).ok()) else { continue };
        // Nothing in a definition leads out of the package's directory.
        assert!(place.parts.iter().all(|part| is_one_name(part.as_bytes())), "{place:?}");
    }
    true
}
