"""Ends what definitions started, on Linux: orphans become children of this process."""
import ctypes
import os
import signal

SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bind(process):
    """What ends a process with all it starts: here nothing is needed."""
    return None


def end(bond, but=None):
    """Kills all children and what becomes one, but the process `but`."""
    while True:
        found = [child for child in children() if child != but]
        if not found:
            return
        for child in found:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ChildProcessError, ProcessLookupError):
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
