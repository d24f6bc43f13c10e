"""The packages of rez repositories, found without rez and without evaluating anything.

    >>> import pkgfs
    >>> for package in pkgfs.scan_repo(["/sw/packages"]):
    ...     print(package.family, package.version, package.path)
"""

from ._scan import ScannedPackage, ScanWarning, __version__, scan_repo

__all__ = ["ScanWarning", "ScannedPackage", "__version__", "scan_repo"]
