"""Makes the rez repository that the tests of rez's commands use.

    repository.py DIRECTORY

Each test has a package of its own, so that no test depends on another's outcome: `PACKAGES` names
them. A package has two versions, 1.0 with a plain variant and 2.0 without variants, and a payload
with what payloads have: a module, data, an executable, a link.
"""

import os
import sys

PACKAGES = [
    "added",
    "aged",
    "asynchronous",
    "columned",
    "daemonised",
    "forced",
    "logged",
    "looked_up",
    "removed",
    "synchronous",
    "waited",
]

# Only `forced` says that it may not be cached.
UNCACHABLE = {"forced"}

DEFINITION = """\
name = "{name}"
version = "{version}"
cachable = {cachable}
{variants}

def commands():
    env.PATH.prepend("{{root}}/bin")
    env.PYTHONPATH.append("{{root}}/python")
"""


def make(directory):
    """Makes the repository in an existing or new directory."""
    _write(
        os.path.join(directory, "base", "1", "package.py"),
        'name = "base"\nversion = "1"\ncachable = False\n',
    )
    for name in PACKAGES:
        for version, variant in (("1.0", "base-1"), ("2.0", "")):
            package = os.path.join(directory, name, version)
            payload(os.path.join(package, variant), name)
            definition = DEFINITION.format(
                name=name,
                version=version,
                cachable=name not in UNCACHABLE,
                variants='variants = [["%s"]]\n' % variant if variant else "",
            )
            _write(os.path.join(package, "package.py"), definition)


def payload(root, name):
    """Makes a payload."""
    _write(os.path.join(root, "python", name + ".py"), "NAME = %r\n" % name)
    _write(os.path.join(root, "data", "empty"), "")
    _write(os.path.join(root, "data", "text"), "text of %s\n" % name)
    _write(os.path.join(root, "bin", name + "-tool"), "#!/bin/sh\necho tool of %s\n" % name)
    os.chmod(os.path.join(root, "bin", name + "-tool"), 0o755)
    os.symlink("text", os.path.join(root, "data", "link"))


def _write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(content)


if __name__ == "__main__":
    make(sys.argv[1])
