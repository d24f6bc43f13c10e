"""Runs rez's real commands against a package cache and looks at what came of it.

    <rez>/bin/python -EB commands.py --repository DIR --cache DIR [--synchronous] [--serves-first]
        [--serves-look-ups]

The repository is one that `repository.py` made; the cache is a plain directory (the control: this
is what rez does) or a mount. --synchronous adds what only a rez with a synchronous mode can do.
--serves-first asks more of the cache: that the very first environment already uses it.
--serves-look-ups asks that it does so with a rez that writes nothing to the cache. The last line
is `N passed, N failed`.
"""

import argparse
import filecmp
import json
import os
import sys
import tempfile
import time
import unittest

import rez_processes
from rez_processes import run, wait_for_daemons

OPTIONS = argparse.Namespace()
REZ = os.path.join(os.path.dirname(sys.executable), "rez")


def rez(command, *arguments, **options):
    return run(os.path.join(REZ, command), *arguments, **options)


def pkg_cache(*arguments, **options):
    """rez-pkg-cache on the cache under test; DIR stands before flags that take many values."""
    return rez("rez-pkg-cache", OPTIONS.cache, *arguments, **options)


def root_in_environment(name, version, *flags, environment=None):
    """Where an environment of a package has its root, after running its tool in it."""
    script = "%s-tool && echo root=$REZ_%s_ROOT" % (name, name.upper())
    arguments = [*flags, "%s-%s" % (name, version), "--", "sh", "-c", script]
    said = rez("rez-env", *arguments, environment=environment).stdout
    assert "tool of %s" % name in said, said
    return [line for line in said.splitlines() if line.startswith("root=")][-1][5:]


class Commands(unittest.TestCase):
    """What both versions of rez can do."""

    def uri(self, name, version="1.0"):
        index = "0" if version == "1.0" else ""
        path = os.path.join(OPTIONS.repository, name, version, "package.py")
        return "%s[%s]" % (path, index)

    def origin(self, name, version="1.0"):
        variant = "base-1" if version == "1.0" else ""
        return os.path.join(OPTIONS.repository, name, version, variant).rstrip("/")

    def listed(self, name, version="1.0"):
        """The status that rez-pkg-cache lists for a variant, or None."""
        wanted = self.uri(name, version)
        for line in pkg_cache("-c", "variant_uri", "status").stdout.splitlines():
            parts = line.split()
            if parts and parts[0] == wanted:
                return parts[1]
        return None

    def cached_root(self, name, version="1.0"):
        """Where rez-pkg-cache says that a variant is cached."""
        wanted = self.uri(name, version)
        for line in pkg_cache("-c", "variant_uri", "cache_path").stdout.splitlines():
            parts = line.split()
            if parts and parts[0] == wanted:
                return parts[1]
        self.fail("%s is not listed as cached" % wanted)

    def in_cache(self, path):
        return path.startswith(OPTIONS.cache + os.sep)

    def assert_same_payload(self, root, name, version="1.0"):
        origin = self.origin(name, version)
        for directory, _, files in os.walk(origin):
            for file in files:
                path = os.path.join(directory, file)
                copy = os.path.join(root, os.path.relpath(path, origin))
                self.assertTrue(filecmp.cmp(path, copy, shallow=False), copy)
                self.assertEqual(os.stat(path).st_mtime, os.stat(copy).st_mtime, copy)

    def remove_when_listed(self, name, version="1.0"):
        if self.listed(name, version):
            pkg_cache("-r", self.uri(name, version))

    def test_an_asynchronous_environment_leads_to_one_that_uses_the_cache(self):
        for version in ("1.0", "2.0"):
            first = root_in_environment("asynchronous", version)
            if OPTIONS.serves_first:
                self.assertTrue(self.in_cache(first), first)
            wait_for_daemons()
            second = root_in_environment("asynchronous", version)
            wait_for_daemons()
            self.assertTrue(self.in_cache(second), second)
            self.assert_same_payload(second, "asynchronous", version)

    def test_an_added_variant_is_cached_and_found_again(self):
        said = pkg_cache("-a", self.uri("added"), self.uri("added", "2.0")).stdout
        for version in ("1.0", "2.0"):
            self.assertEqual(self.listed("added", version), "cached")
            root = self.cached_root("added", version)
            self.assertTrue(self.in_cache(root), root)
            self.assertIn(root, said)
            self.assert_same_payload(root, "added", version)
            again = pkg_cache("-a", self.uri("added", version)).stdout
            self.assertIn("Already exists: " + root, again)

    def test_adding_what_is_nowhere_fails(self):
        done = pkg_cache("-a", self.uri("added", "7.0"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No such variant", done.stdout)

    def test_a_removed_variant_is_gone_until_it_is_added_again(self):
        uri = self.uri("removed")
        pkg_cache("-a", uri)
        root = self.cached_root("removed")
        self.assertIn("successfully removed", pkg_cache("-r", uri).stdout)
        self.assertFalse(os.path.exists(root))
        self.assertFalse(os.path.exists(root + ".json"))
        self.assertIsNone(self.listed("removed"))
        self.assertIn("No such variant found in cache", pkg_cache("-r", uri).stdout)
        pkg_cache("-a", uri)
        self.assertEqual(self.listed("removed"), "cached")
        self.assert_same_payload(self.cached_root("removed"), "removed")

    def test_cleaning_deletes_what_was_removed(self):
        pkg_cache("-a", self.uri("logged"))
        pkg_cache("-r", self.uri("logged"))
        to_delete = os.path.join(OPTIONS.cache, ".sys", "to_delete")
        self.assertTrue([name for name in os.listdir(to_delete) if name.startswith("logged-")])
        said = pkg_cache("--clean").stdout
        self.assertIn("Deleted " + os.path.join(to_delete, "logged-"), said)
        self.assertEqual([], [name for name in os.listdir(to_delete) if name.startswith("logged-")])
        # The log that --logs shows has what --clean said.
        self.assertIn("Deleted " + os.path.join(to_delete, "logged-"), pkg_cache("--logs").stdout)

    def test_cleaning_removes_only_what_was_not_used_for_long(self):
        pkg_cache("-a", self.uri("aged"), self.uri("aged", "2.0"))
        json_path = self.cached_root("aged") + ".json"
        long_ago = time.time() - 400 * 24 * 3600
        os.utime(json_path, (long_ago, long_ago))
        self.assertEqual(int(os.stat(json_path).st_mtime), int(long_ago))
        pkg_cache("--clean")
        self.assertIsNone(self.listed("aged"))
        self.assertEqual(self.listed("aged", "2.0"), "cached")

    def test_an_environment_marks_its_variants_as_used(self):
        pkg_cache("-a", self.uri("waited"))
        json_path = self.cached_root("waited") + ".json"
        long_ago = time.time() - 10 * 24 * 3600
        os.utime(json_path, (long_ago, long_ago))
        before = time.time() - 1
        root_in_environment("waited", "1.0")
        wait_for_daemons()
        self.assertGreater(os.stat(json_path).st_mtime, before)

    def test_the_daemon_takes_up_what_is_pending(self):
        pending = os.path.join(OPTIONS.cache, ".sys", "pending")
        pkg_cache(check=False)  # makes the directories, as any use of the cache does
        handle = {
            "key": "filesystem.variant",
            "variables": {
                "repository_type": "filesystem",
                "location": OPTIONS.repository,
                "name": "daemonised",
                "version": "1.0",
                "index": 0,
            },
        }
        with open(os.path.join(pending, "daemonised-1.0-test.json"), "w") as out:
            json.dump(handle, out)
        pkg_cache("--daemon")
        wait_for_daemons()
        self.assertEqual(self.listed("daemonised"), "cached")
        self.assert_same_payload(self.cached_root("daemonised"), "daemonised")
        self.assertEqual([], os.listdir(pending))

    def test_the_columns_asked_for_are_printed(self):
        pkg_cache("-a", self.uri("columned"))
        columns = ("status", "package", "variant_uri", "orig_path", "cache_path")
        rows = [line.split() for line in pkg_cache("-c", *columns).stdout.splitlines()]
        row = next(row for row in rows if row and "columned-1.0" in row[1])
        self.assertEqual(row[0], "cached")
        self.assertEqual(row[2:4], [self.uri("columned"), self.origin("columned")])
        self.assertTrue(self.in_cache(row[4]), row)

    def test_only_force_adds_what_may_not_be_cached(self):
        uri = self.uri("forced")
        done = pkg_cache("-a", uri, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("not cachable", done.stdout)
        self.assertIsNone(self.listed("forced"))
        self.assertNotIn(OPTIONS.cache, root_in_environment("forced", "1.0"))
        wait_for_daemons()
        pkg_cache("-f", "-a", uri)
        self.assertEqual(self.listed("forced"), "cached")
        self.assert_same_payload(self.cached_root("forced"), "forced")

    def test_nothing_is_left_locked_or_being_copied(self):
        pkg_cache("-a", self.uri("added"))
        self.assertNotIn(".lock.lock", os.listdir(os.path.join(OPTIONS.cache, ".sys")))
        for directory, directories, files in os.walk(OPTIONS.cache):
            directories[:] = [name for name in directories if name != ".sys"]
            self.assertEqual([], [name for name in files if name.startswith(".copying-")], directory)


class LookUps(Commands):
    """What a cache that registers on look-up can do besides."""

    def test_a_rez_that_writes_nothing_finds_everything_in_the_cache(self):
        environment = dict(os.environ, REZ_WRITE_PACKAGE_CACHE="0")
        for version in ("1.0", "2.0"):
            root = root_in_environment("looked_up", version, environment=environment)
            self.assertTrue(self.in_cache(root), root)
            self.assertEqual(self.listed("looked_up", version), "cached")
            self.assert_same_payload(root, "looked_up", version)
        self.assertEqual([], os.listdir(os.path.join(OPTIONS.cache, ".sys", "pending")))


class SynchronousCommands(Commands):
    """What a rez with a synchronous mode can do besides."""

    def test_a_synchronous_environment_uses_the_cache_at_once(self):
        for version in ("1.0", "2.0"):
            root = root_in_environment("synchronous", version, "--pkg-cache-mode", "sync")
            wait_for_daemons()
            self.assertTrue(self.in_cache(root), root)
            self.assert_same_payload(root, "synchronous", version)

    def test_both_modes_add(self):
        for version, mode in (("1.0", "sync"), ("2.0", "async")):
            self.remove_when_listed("synchronous", version)
            pkg_cache("--pkg-cache-mode", mode, "-a", self.uri("synchronous", version))
            self.assertEqual(self.listed("synchronous", version), "cached")


def configure(directory):
    """Points rez at the repository and the cache, and at nothing of the caller's."""
    for name in list(os.environ):
        if name.startswith("REZ_"):
            del os.environ[name]
    path = os.path.join(directory, "rezconfig.py")
    with open(path, "w") as out:
        out.write("packages_path = [%r]\n" % OPTIONS.repository)
        out.write("local_packages_path = %r\n" % os.path.join(directory, "local"))
        out.write("tmpdir = %r\n" % os.path.join(directory, "tmp"))
        out.write("cache_packages_path = %r\n" % OPTIONS.cache)
        # Repository and plain cache share a disk here.
        out.write("package_cache_same_device = True\n")
        out.write("color_enabled = False\n")
    os.mkdir(os.path.join(directory, "tmp"))
    os.environ.update(
        REZ_CONFIG_FILE=path,
        REZ_DISABLE_HOME_CONFIG="1",
        HOME=directory,
        PATH=REZ + os.pathsep + os.environ["PATH"],
        PYTHONDONTWRITEBYTECODE="1",
    )


def main():
    parser = argparse.ArgumentParser(description="rez's real commands on a package cache")
    parser.add_argument("--repository", metavar="DIR", required=True, type=os.path.realpath)
    parser.add_argument("--cache", metavar="DIR", required=True, type=os.path.realpath)
    parser.add_argument("--synchronous", action="store_true")
    parser.add_argument("--serves-first", action="store_true")
    parser.add_argument("--serves-look-ups", action="store_true")
    parser.add_argument("tests", metavar="TEST", nargs="*")
    parser.parse_args(namespace=OPTIONS)

    with tempfile.TemporaryDirectory(prefix="rez-commands-") as directory:
        configure(directory)
        rez_processes.mark_self()
        abilities = [Commands]
        if OPTIONS.synchronous:
            abilities.insert(0, SynchronousCommands)
        if OPTIONS.serves_look_ups:
            abilities.insert(0, LookUps)
        case = type("Commands", tuple(abilities), {})
        loader = unittest.TestLoader()
        if OPTIONS.tests:
            suite = loader.loadTestsFromNames(OPTIONS.tests, case)
        else:
            suite = loader.loadTestsFromTestCase(case)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
        wait_for_daemons()
    failed = len(result.failures) + len(result.errors) + len(result.skipped)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed or not result.testsRun else 0)


if __name__ == "__main__":
    main()
