"""Enumerates repositories as rez does.

Standard input: a JSON list of {"repository": path, "settings": {name: value}}. Standard output: a JSON
list of {"packages": [[family, version, format, path, is combined], ...]}, in rez's order. Text is given
byte for byte, as Latin-1.

With --serve: a JSON list [what, path] a line, and for each the seconds it took: "bare" is the
enumeration alone, "full" one that also asks each package for its definition, "ours" and "ours again"
are `pkgfs.scan_repo`, everything read and only what has changed.
"""
import json
import logging
import os
import sys
import time

from rez.config import config
from rez.utils.resources import ResourcePool
from rezplugins.package_repository.filesystem import FileSystemPackageRepository

logging.disable(logging.CRITICAL)


def text(name):
    return None if name is None else os.fsencode(name).decode("latin-1")


def fresh(location):
    """The repository as a new process sees it."""
    return FileSystemPackageRepository(location, ResourcePool(cache_size=None))


def bare(location):
    """Every family and, of those that are directories, every package."""
    repository = fresh(location)
    found = []
    for family in repository.iter_package_families():
        combined = family.key == "filesystem.family.combined"
        found.append((family, None if combined else list(repository.iter_packages(family))))
    return found


def full(location):
    rows = []
    for family, packages in bare(location):
        if packages is None:
            rows.append([text(family.name), None, family.ext, text(family.filepath), True])
            continue
        for package in packages:
            form = package.file_format
            rows.append([
                text(package.name), text(package.get("version")), form and form.extension,
                text(package.filepath), False])
    return rows


def ours(location):
    import pkgfs
    return pkgfs.scan_repo(location, fresh=True)


def ours_again(location):
    import pkgfs
    return pkgfs.scan_repo(location)


def serve():
    for line in sys.stdin:
        what, location = json.loads(line)
        function = {"bare": bare, "full": full, "ours": ours, "ours again": ours_again}[what]
        begun = time.perf_counter()
        function(location)
        print(time.perf_counter() - begun, flush=True)


def answer(case):
    plugin = ["package_filenames", "check_package_definition_files", "file_lock_dir"]
    for name, value in case.get("settings", {}).items():
        prefix = "plugins.package_repository.filesystem." if name in plugin else ""
        config.override(prefix + name, value)
    return {"packages": full(case["repository"])}


if "--serve" in sys.argv:
    serve()
else:
    json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
