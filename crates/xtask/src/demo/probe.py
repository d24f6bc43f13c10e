"""Runs inside rez-env: imports a module and tells what that took and which files it opened.

Usage: probe.py MODULE REPORT
"""

import json
import os
import sys
import time

module, report = sys.argv[1:]

roots = {}
for resolved in os.environ["REZ_USED_RESOLVE"].split():
    name = resolved.partition("-")[0]
    roots[name] = os.environ["REZ_%s_ROOT" % name.upper()]

# Files that Python opens are heard by an audit hook; libraries that the dynamic linker opens are
# found mapped afterwards.
opened = set()
sys.addaudithook(
    lambda event, arguments: event == "open"
    and isinstance(arguments[0], str)
    and opened.add(arguments[0])
)

start = time.perf_counter()
__import__(module)
seconds = time.perf_counter() - start

with open("/proc/self/maps") as maps:
    opened.update(line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line)
opened.add(os.path.join(roots["python"], "bin", "python"))

below = {}
for name, root in roots.items():
    prefix = root + os.sep
    below[name] = sorted(path[len(prefix):] for path in opened if path.startswith(prefix))

with open(report, "w") as out:
    json.dump(
        {
            "import_seconds": seconds,
            "roots": roots,
            "opened": below,
        },
        out,
    )
