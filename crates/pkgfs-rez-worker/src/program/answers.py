"""Answers questions about packages by asking rez itself; who asks, another part says.

What definitions print is dropped, and what they read is empty.
"""
import json
import os

QUESTIONS = os.dup(0)
ANSWERS = os.dup(1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)

import rez
from rez.package_repository import package_repository_manager
from rez.packages import get_package_from_handle, iter_packages
from rez.utils.formatting import PackageRequest
from rez.utils.resources import ResourceHandle

try:
    from rez.version import Version
except ImportError:  # before rez 3
    from rez.vendor.version.version import Version


def package(location, name, version):
    """A package by its place, as a handle leads to it; None where nothing defines it."""
    variables = {"repository_type": "filesystem", "location": location, "name": name}
    if version is not None:
        variables["version"] = version
    found = get_package_from_handle(ResourceHandle("filesystem.package", variables))
    if found.resource.filepath is None:
        return None
    return told(found)


def told(package):
    return {
        "name": package.name,
        "version": str(package.version) if package.version else None,
        "location": package.resource.location,
        "cachable": bool(package.is_cachable),
        "local": bool(package.is_local),
        "variants": [variant(found) for found in package.iter_variants()],
    }


def variant(found):
    try:
        root = found.root
        if root is None:
            return {"index": found.index, "why": "rez knows no place of it"}
        root.encode("utf-8")
        return {"index": found.index, "root": root}
    except Exception as error:
        return {"index": found.index, "why": "rez says " + shown(error)}


def requested(request):
    request = PackageRequest(request)
    if request.conflict or request.ephemeral:
        raise ValueError("%s asks for no package" % request)
    return request


def newest(request, locations):
    """The newest package that a request asks for; of equal ones, that of the first location."""
    request = requested(request)
    best = None
    for found in iter_packages(request.name, request.range, paths=locations):
        if best is None or found.version > best.version:
            best = found
    return best and told(best)


def matching(request, packages):
    """Which of these packages, pairs of name and version, a request asks for."""
    request = requested(request)
    return [
        name == request.name and request.range.contains_version(Version(version or ""))
        for name, version in packages
    ]


TOPICS = {"package": package, "newest": newest, "matching": matching}


def shown(error):
    said, traced, _ = str(error).strip().partition("\nFile ")
    lines = said.splitlines() or ["no message"]
    # Of a traceback the first line says what happened, of a failed validation the last.
    line = lines[0].rstrip(":") if traced else lines[-1]
    text = "%s: %s" % (type(error).__name__, line[:500])
    return text.encode("utf-8", "replace").decode("utf-8")


def answer(question):
    try:
        return {"answer": TOPICS[question["topic"]](**question["about"])}
    except BaseException as error:  # noqa: a definition may even raise SystemExit
        return {"error": shown(error)}


def send(descriptor, told):
    line = json.dumps(told).encode("ascii") + b"\n"
    while line:
        line = line[os.write(descriptor, line):]


def lines():
    """The questions, one at a time; ends with standard input."""
    buffered = b""
    while True:
        line, found, rest = buffered.partition(b"\n")
        if found:
            buffered = rest
            yield json.loads(line)
            continue
        more = os.read(QUESTIONS, 1 << 16)
        if not more:
            return
        buffered += more


def make_ready():
    """Loads what rez needs for any package.

    A setting that was read before a package is loaded is one that the package's own `config` does
    not change (`Config.copy`): none is read here.
    """
    package_repository_manager.get_repository(os.devnull)
    package_repository_manager.clear_caches()
    send(ANSWERS, {"rez": rez.__version__})
