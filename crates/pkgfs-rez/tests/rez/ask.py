"""Answers questions about rez by asking rez itself: {"ask": …, "about": …} in, JSON out."""
import json
import logging
import sys
import unicodedata

from rez.config import config
from rez.package_cache import PackageCache
from rez.packages import get_package_from_repository
from rez.utils.base26 import get_next_base26
from rez.utils.formatting import PackageRequest, is_valid_package_name
from rez.utils.resources import ResourceHandle
from rez.vendor.lockfile import LockFile
from rez.version import Version

logging.disable(logging.CRITICAL)


def outcome(function, *args):
    """What a call came to: {"value": …} or {"error": …}."""
    try:
        return {"value": function(*args)}
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, str(error)[:300])}


class Named(object):
    """As much of a variant as PackageCache._get_hash_path looks at."""

    def __init__(self, handle):
        self.handle = handle
        self.name = handle.get("name")
        self.version = handle.get("version")


def handles(dicts):
    def one(ours):
        theirs = ResourceHandle.from_dict(ours["handle"])
        path = PackageCache._get_hash_path(Cache, Named(theirs))
        return {
            "path": path,
            "equal": ours["handle"] == theirs.to_dict(),
            "dumped": json.dumps(ours["handle"]),
        }

    return [one(ours) for ours in dicts]


class Cache(object):
    path = "/cache"


def characters(_):
    """For each code point: (p)rinted by repr, (e)scaped, or (u)nassigned as far as this Python knows."""
    def kind(character):
        if character.isprintable():
            return "p"
        return "u" if unicodedata.category(character) == "Cn" else "e"

    return "".join(kind(chr(code)) for code in range(sys.maxunicode + 1))


def texts(strings):
    return [{"repr": repr(s), "list": str([s, s]), "json": json.dumps(s)} for s in strings]


def written(cases):
    """Variants of packages on disk: the handle that rez itself would write."""
    found = []
    for case in cases:
        package = get_package_from_repository(case["name"], case["version"] or "", case["repository"])
        for variant in package.iter_variants():
            found.append({
                "handle": variant.handle.to_dict(),
                "text": json.dumps({"handle": variant.handle.to_dict()}),
                "path": PackageCache._get_hash_path(Cache, variant),
                "uri": variant.uri,
                "qualified_name": variant.qualified_name,
                "package_name": package.qualified_name,
                "base": package.base,
            })
    return found


def requirements(texts):
    def one(text):
        request = PackageRequest(text)
        return [str(request), request.safe_str()]

    return [outcome(one, text) for text in texts]


def names(texts):
    def version(text):
        return str(Version(text)) == text

    return [
        {"package": is_valid_package_name(text), "version": outcome(version, text).get("value", False)}
        for text in texts
    ]


def stems(previous):
    return [get_next_base26(stem) for stem in previous]


def definitions(cases):
    """Loads each package as rez does, and asks it under the case's settings."""
    def variants(package):
        return [[str(request) for request in variant] for variant in package.resource.variants or []]

    def roots(package):
        return [outcome(lambda: (variant.index, variant.root)) for variant in package.iter_variants()]

    answers = []
    for case in cases:
        for setting, value in case["settings"].items():
            config.override(setting, value)
        package = get_package_from_repository(case["name"], case["version"], case["repository"])
        resource = package.resource
        data = outcome(lambda: resource._data)
        answer = {"data": {"error": data["error"]} if "error" in data else {"value": None}}
        if "value" in data:
            for name in ("name", "version"):
                value = data["value"].get(name)
                answer[name] = value if type(value) is str else None
            answer["has_timestamp"] = "timestamp" in data["value"]
            raw = data["value"].get("variants", [])
            try:
                answer["requirements"] = [[str.__str__(text) for text in texts] for texts in raw]
            except TypeError:
                answer["requirements"] = None
        answer["variants"] = outcome(variants, package)
        answer["hashed_variants"] = outcome(lambda: bool(resource.hashed_variants))
        answer["cachable"] = outcome(lambda: package.cachable)
        answer["relocatable"] = outcome(lambda: package.relocatable)
        answer["is_cachable"] = outcome(lambda: package.is_cachable)
        answer["is_relocatable"] = outcome(lambda: package.is_relocatable)
        answer["base"] = outcome(lambda: package.base)
        answer["roots"] = outcome(roots, package)
        answers.append(answer)
    return answers


def refusals(cases):
    """What add_variant says of a package, without ever copying it."""
    class Stop(Exception):
        pass

    class Cautious(PackageCache):
        def _get_cached_root(self, variant):
            raise Stop

    answers = []
    for case in cases:
        for setting, value in case["settings"].items():
            config.override(setting, value)
        package = get_package_from_repository(case["name"], case["version"], case["repository"])
        variant = next(package.iter_variants())
        try:
            Cautious(case["cache"]).add_variant(variant)
        except Stop:
            answers.append(None)
        except Exception as error:
            answers.append(str(error))
    return answers


def locks(paths):
    import socket
    import threading

    return {
        "names": [LockFile(path).unique_name for path in paths],
        "host": socket.gethostname(),
        "thread": threading.current_thread().ident & 0xFFFFFFFF,
        "pid": LockFile("x").pid,
    }


def taken(cases):
    """Which versions each request takes."""
    def one(request, texts):
        request = PackageRequest(request)
        if request.conflict or request.ephemeral:
            raise ValueError("no request of a package")
        return [request.name] + [request.range.contains_version(Version(text)) for text in texts]

    return [outcome(one, *case) for case in cases]


QUESTIONS = (handles, characters, texts, written, requirements, names, stems, definitions,
             refusals, locks, taken)

# What a package prints while it is loaded must not end up in the answer.
answer_to, sys.stdout = sys.stdout, sys.stderr
asked = json.load(sys.stdin)
answer = {question.__name__: question for question in QUESTIONS}[asked["ask"]](asked["about"])
json.dump(answer, answer_to, allow_nan=False, default=repr)
