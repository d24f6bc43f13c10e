"""Imports a module once it is told to, and tells what that took, as JSON.

Arguments: the module, and `opened` if the files that were opened are to be told, too.
"""

import json
import sys
import time

module, *more = sys.argv[1:]
opened = set()
if more:
    sys.addaudithook(
        lambda event, arguments: event == "open"
        and isinstance(arguments[0], str)
        and opened.add(arguments[0])
    )
print("ready", flush=True)
sys.stdin.readline()
before = len(sys.modules)
began = time.perf_counter_ns()
__import__(module)
nanoseconds = time.perf_counter_ns() - began
if more:
    with open("/proc/self/maps") as maps:
        opened.update(line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line)
told = {"nanoseconds": nanoseconds, "files": len(sys.modules) - before, "bytes": 0}
print(json.dumps(dict(told, opened=sorted(opened)) if more else told))
