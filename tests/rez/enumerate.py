"""Enumerates repositories as rez does.

Standard input: a JSON list of {"repository": path, "settings": {name: value}, "repeat": n}. Standard
output: a JSON list of {"packages": [[family, version, format, path, is combined], ...], "bare": [s],
"full": [s]}, each package in rez's order, and the seconds of each repetition: of the enumeration alone,
and of one that also asks each package for its definition. Text is given byte for byte, as Latin-1.
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


def timed(function, location, repeat):
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        function(location)
        times.append(time.perf_counter() - begun)
    return times


answers = []
plugin = ["package_filenames", "check_package_definition_files", "file_lock_dir"]
for case in json.load(sys.stdin):
    for name, value in case.get("settings", {}).items():
        config.override("plugins.package_repository.filesystem." + name if name in plugin else name, value)
    repeat = case.get("repeat", 0)
    where = case["repository"]
    answers.append({
        "packages": full(where), "bare": timed(bare, where, repeat), "full": timed(full, where, repeat)})
json.dump(answers, sys.stdout)
