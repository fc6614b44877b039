"""Where the programs of PostgreSQL's server are on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")


def of_debian() -> Path | None:
    """The programs of the newest of Debian's packages.

    It has the same path in an image, where a service's tests find it without the PATH.
    """
    versions = sorted(_DEBIAN.glob("[0-9]*/bin/initdb"), key=version_of)
    return versions[-1].parent if versions else None


def version_of(program: Path) -> int:
    """The major version of what is below Debian's folder."""
    return int(program.relative_to(_DEBIAN).parts[0])


def found() -> Path | None:
    """The folder of the PATH's PostgreSQL, otherwise Debian's."""
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else of_debian()
