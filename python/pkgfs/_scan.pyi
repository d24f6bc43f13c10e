import os
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Optional, Union, final

__version__: str

class ScanWarning(UserWarning):
    """A part of a repository could not be read; everything else was."""

@final
class ScannedPackage:
    """A package of a repository. Equal where all its attributes are; hashable; immutable."""

    __match_args__: ClassVar[tuple[str, str, str, str]]
    @property
    def family(self) -> str:
        """The family's name."""
    @property
    def version(self) -> Optional[str]:
        """The version as its directory is named, which rez may yet refuse to parse; bytes that are
        not UTF-8 are surrogates, as in os.listdir. None for an unversioned package and a combined
        family."""
    @property
    def format(self) -> Optional[Literal["py", "yaml"]]:
        """The definition's format, as rez names it; None where there is no definition."""
    @property
    def path(self) -> Optional[str]:
        """The definition file; None where there is none, which rez yields all the same unless
        check_package_definition_files is set."""
    @property
    def combined(self) -> bool:
        """Whether the file holds all versions of the family. Which those are, only loading it tells."""
    @property
    def repository(self) -> str:
        """The repository, as its real path."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def scan_repo(
    paths: Union[str, os.PathLike[str], Sequence[Union[str, os.PathLike[str]]]],
    *,
    package_filenames: Sequence[str] = ...,
    check_package_definition_files: bool = False,
    allow_unversioned_packages: bool = True,
    file_lock_dir: Optional[str] = None,
    fresh: bool = False,
    jobs: int = 24,
    on_error: Optional[Callable[[OSError], object]] = None,
) -> list[ScannedPackage]:
    """The packages of repositories, as rez's filesystem repository yields them.

    No definition is opened and rez is not needed. Families come in the order of the directory, the
    versions of each in the order of its own; nothing is sorted. The interpreter's lock is released
    while the repositories are read.

    Args:
        paths: The repositories.
        package_filenames: Names of definition files without extension (rez's setting of this name,
            by default ("package",)).
        check_package_definition_files: Leave out versions without a definition (likewise).
        allow_unversioned_packages: Take a definition in the family's directory for an unversioned
            package (likewise).
        file_lock_dir: The directory that rez keeps its locks in, which is no family (likewise).
        fresh: Read everything, whatever is remembered of the last scan.
        jobs: Operations on storage at a time, from 1 to 1024.
        on_error: Called with an OSError for each thing that could not be read; nothing is raised or
            warned of then but what it raises itself.

    Raises:
        OSError: A repository could not be read; its filename is the path. Give on_error to have
            the packages of the others.

    Warns:
        ScanWarning: A family or a version could not be read; everything else is there.
    """
