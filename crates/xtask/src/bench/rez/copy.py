"""Copies packages into a package cache as rez does, and tells what each took, as JSON.

Arguments: the repository, the cache, and names of packages.
"""

import json
import sys
import time

from rez.package_cache import PackageCache
from rez.packages import iter_packages

repository, cache = sys.argv[1:3]
told = {}
for name in sys.argv[3:]:
    (package,) = iter_packages(name, paths=[repository])
    (variant,) = package.iter_variants()
    variant.root
    began = time.perf_counter()
    root, status = PackageCache(cache).add_variant(variant)
    seconds = time.perf_counter() - began
    assert status == PackageCache.VARIANT_CREATED, (name, status)
    told[name] = {"seconds": seconds, "root": root}
print(json.dumps(told))
