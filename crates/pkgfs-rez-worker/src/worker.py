"""Answers pkgfs's questions about packages by asking rez itself.

One JSON object a line on standard input, one a line on standard output, the first a greeting. Each
question is answered by a fork of this process, which has rez loaded: what a definition does to its
process (an exit, a changed environment, an imported module) ends with the answer, and so does every
process that it started. What definitions print is dropped, and what they read is empty. Ends with
its standard input, in the midst of anything, and takes all of that with it.
"""
import ctypes
import json
import os
import select
import signal
import sys
import time

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

SET_CHILD_SUBREAPER = 36
# How often a fork that may have died without a word is looked at, in milliseconds.
LOOK = 20


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


def ask_a_fork(question):
    """What a fork answers; None where pkgfs is gone."""
    until = time.monotonic() + question["seconds"]
    read, write = os.pipe()
    fork = os.fork()
    if fork == 0:
        try:
            answering = os.getpid()
            for descriptor in (QUESTIONS, ANSWERS, read):
                os.close(descriptor)
            reply = answer(question)
            # A definition that forks comes back here twice, and who lost its parent has ours.
            if os.getpid() == answering:
                send(write, reply)
        finally:
            os._exit(0)
    os.close(write)
    waiting = select.poll()
    waiting.register(QUESTIONS, 0)
    waiting.register(read, select.POLLIN)
    said, ended = b"", False
    try:
        while not said.endswith(b"\n"):
            if time.monotonic() > until:
                return {"late": True}
            ready = dict(waiting.poll(LOOK))
            if QUESTIONS in ready:
                return None
            if read in ready:
                more = os.read(read, 1 << 16)
                if not more:
                    break
                said += more
            elif ended:
                break
            else:
                # What it said is read before its end is believed.
                look = os.WEXITED | os.WNOHANG | os.WNOWAIT
                ended = os.waitid(os.P_PID, fork, look) is not None
        return json.loads(said) if said.endswith(b"\n") else {"died": True}
    finally:
        os.close(read)
        end_children()


def end_children():
    """Kills what the fork was and what it started: orphans become children of this process."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for child in children():
                    os.kill(child, signal.SIGKILL)
                os.waitpid(-1, 0)
        except ChildProcessError:
            return
        except ProcessLookupError:
            pass


def children():
    own = os.getpid()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == own:
            yield int(name)


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


def main():
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Loaded here once, and not by every fork. A setting that was read before a package is loaded is
    # one that the package's own `config` does not change (`Config.copy`): none is read here.
    package_repository_manager.get_repository(os.devnull)
    package_repository_manager.clear_caches()
    send(ANSWERS, {"rez": rez.__version__})
    for question in lines():
        reply = ask_a_fork(question)
        if reply is None:
            break
        send(ANSWERS, dict(reply, id=question["id"]))
    os._exit(0)


main()
