"""What rez makes of repositories: every variant that it enumerates, as JSON.

Arguments: the repositories. For each variant: its handle, where the package cache would have it,
its root, the links that may stand for the root, and whether add_variant would take it, were the
root there. A package that rez cannot use is an error in its place.
"""

import json
import os
import sys

from rez.config import config
from rez.package_cache import PackageCache
from rez.package_repository import package_repository_manager
from rez.packages import Package


class Cache(object):
    path = ""


def told(package):
    found = []
    for variant in package.iter_variants():
        entry = {
            "handle": variant.handle.to_dict(),
            "path": PackageCache._get_hash_path(Cache, variant).lstrip("/"),
        }
        try:
            entry["root"] = variant.root
            entry["alike"] = alike(variant)
            entry["taken"] = (
                bool(package.is_cachable)
                and not variant.is_local
                and not package.repository.location.startswith(config.tmpdir + os.sep)
            )
        except Exception as error:
            entry["root"], entry["error"] = None, repr(error)[:200]
        found.append(entry)
    return found


def alike(variant):
    """The roots that rez may choose among: all links in `_v` with the same target."""
    resource = variant.resource
    if resource.base is None or resource.index is None or not resource.parent.hashed_variants:
        return []
    real = os.path.join(resource.base, resource._subpath(ignore_shortlinks=True))
    links = os.path.join(resource.base, config.variant_shortlinks_dirname)
    if variant.root == real or not os.path.isdir(links):
        return [real]
    target = os.readlink(variant.root)
    paths = [os.path.join(links, name) for name in os.listdir(links)]

    def absolute(link):
        text = os.readlink(link)
        return text if os.path.isabs(text) else os.path.normpath(os.path.join(links, text))

    same = [path for path in paths if os.path.islink(path) and absolute(path) == real]
    assert variant.root in same, (variant.root, target, same)
    return [real] + same


def of_package(resource):
    try:
        return {"variants": told(Package(resource))}
    except BaseException as error:
        return {"error": repr(error)[:300]}


def alone(resource):
    """The same in a process that has read no setting yet: rez's configuration remembers what was
    read, and a package's own `config` does not change it any more."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            with os.fdopen(write, "w") as out:
                json.dump(of_package(resource), out)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.wait()
    return json.loads(said) if said else {"error": "died"}


def main():
    found = []
    for path in sys.argv[1:]:
        repository = package_repository_manager.get_repository(path)
        for family in repository.iter_package_families():
            try:
                packages = list(repository.iter_packages(family))
            except BaseException as error:
                found.append({"family": family.name, "error": repr(error)[:300]})
                continue
            for resource in packages:
                entry = {"family": family.name, "version": str(resource.get("version") or "")}
                entry.update(alone(resource))
                found.append(entry)
    return found


# What packages print while they are loaded must not end up in the answer.
answer_to = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
json.dump(main(), answer_to)
