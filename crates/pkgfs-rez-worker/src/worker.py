"""Answers pkgfs's questions about packages by asking rez itself.

One JSON object a line on standard input, one a line on standard output, the first a greeting.
Definitions are programs: what they print goes to standard error, what they read is empty, and
whatever they raise is an answer. Ends with its standard input, in the midst of anything.
"""
import json
import os
import queue
import sys
import threading

QUESTIONS = os.fdopen(os.dup(0), "r", encoding="utf-8")
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)

import rez
from rez.config import config
from rez.package_repository import package_repository_manager
from rez.packages import get_package_from_handle, iter_packages
from rez.utils.formatting import PackageRequest
from rez.utils.resources import ResourceHandle
from rez.version import Version


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
        "variants": [
            {"index": variant.index, "root": variant.root} for variant in package.iter_variants()
        ],
    }


def newest(request, locations):
    """The newest package that a request asks for; of equal ones, that of the first location."""
    request = PackageRequest(request)
    if request.conflict or request.ephemeral:
        raise ValueError("%s asks for no package" % request)
    best = None
    for found in iter_packages(request.name, request.range, paths=locations):
        if best is None or found.version > best.version:
            best = found
    return best and told(best)


def matching(request, packages):
    """Which of these packages, pairs of name and version, a request asks for."""
    request = PackageRequest(request)
    return [
        name == request.name and request.range.contains_version(Version(version or ""))
        for name, version in packages
    ]


TOPICS = {"package": package, "newest": newest, "matching": matching}


def answer(question):
    # What is on disk now, not what it was at an earlier question.
    package_repository_manager.clear_caches()
    try:
        return {"answer": TOPICS[question["topic"]](**question["about"])}
    except BaseException as error:  # noqa: a definition may even raise SystemExit
        lines = str(error).strip().splitlines() or ["no message"]
        return {"error": "%s: %s" % (type(error).__name__, lines[-1][:500])}


def say(told):
    ANSWERS.write(json.dumps(told) + "\n")
    ANSWERS.flush()


def listen(questions):
    for line in QUESTIONS:
        questions.put(json.loads(line))
    os._exit(0)


def main():
    questions = queue.Queue()
    threading.Thread(target=listen, args=(questions,), daemon=True).start()
    say({"rez": rez.__version__})
    while True:
        question = questions.get()
        say(dict(answer(question), id=question["id"]))


main()
