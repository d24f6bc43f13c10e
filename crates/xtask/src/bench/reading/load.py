"""Loads every shared library below a directory with dlopen, and tells what that took, as JSON.

Finding them is not timed. Symbols are looked up when they are first needed, as for modules.
"""

import ctypes
import json
import os
import sys
import time

libraries = sorted(
    os.path.join(directory, name)
    for directory, _, names in os.walk(sys.argv[1])
    for name in names
    if name.endswith(".so") or ".so." in name
)
size = sum(os.path.getsize(library) for library in libraries)
mode = os.RTLD_LAZY | os.RTLD_LOCAL
began = time.perf_counter_ns()
loaded = [ctypes.PyDLL(library, mode) for library in libraries]
nanoseconds = time.perf_counter_ns() - began
print(json.dumps({"nanoseconds": nanoseconds, "files": len(loaded), "bytes": size}))
