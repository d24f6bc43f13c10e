"""Runs rez's commands and waits for the daemons that they leave behind.

Every process started here, and all that it starts, carries a mark in its environment, by which
`/proc` tells whether one still runs.
"""

import os
import subprocess
import time

MARK = "REZ_TEST_RUN"
PATIENCE = 60.0


def mark_self():
    """Marks this process's children."""
    os.environ[MARK] = str(os.getpid())


def run(program, *arguments, check=True, environment=None):
    """Runs a command of rez; returns its exit code and what it said on both outputs."""
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=environment,
        timeout=PATIENCE,
    )
    if check and done.returncode != 0:
        raise AssertionError(
            "%s %s ended with %d:\n%s"
            % (os.path.basename(program), " ".join(arguments), done.returncode, done.stdout)
        )
    return done


def wait_for_daemons():
    """Waits until nothing that carries the mark of this process runs."""
    wanted = ("%s=%d" % (MARK, os.getpid())).encode()
    deadline = time.monotonic() + PATIENCE
    while True:
        running = [pid for pid in os.listdir("/proc") if pid.isdigit() and _has(pid, wanted)]
        if not running:
            return
        if time.monotonic() > deadline:
            raise AssertionError("rez still runs: processes %s" % ", ".join(running))
        time.sleep(0.02)


def _has(pid, wanted):
    if int(pid) == os.getpid():
        return False
    try:
        with open("/proc/%s/environ" % pid, "rb") as environ:
            return wanted in environ.read().split(b"\0")
    except OSError:
        return False
