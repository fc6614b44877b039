"""What the operating system refuses: in a sentence with its remedy."""

from __future__ import annotations

import errno
import os

from scaffold.core.errors import ScaffoldError

_AGAIN = "then run the same command again."
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO}
# Python's own words, which have no code.
_NO_TEMPORARY_FOLDER = "No usable temporary directory"
_NO_HOME = "home directory"


def explain(error: OSError | RuntimeError) -> ScaffoldError | None:
    """The error for a failure that the user can fix; None for an unexpected one."""
    if isinstance(error, RuntimeError):
        home = ScaffoldError("Your home directory cannot be determined.", f"Set HOME, {_AGAIN}")
        return home if _NO_HOME in str(error) else None
    if isinstance(error, FileNotFoundError | PermissionError) and not _has_current_folder():
        return ScaffoldError(
            "The current folder does not exist any more, or may not be read.",
            f"Change to another one (`cd`), {_AGAIN}",
        )
    if _NO_TEMPORARY_FOLDER in str(error):
        return ScaffoldError(
            "There is no folder for temporary files that can be written.",
            f"Free space in /tmp, or set TMPDIR to another folder, {_AGAIN}",
        )
    reason = (error.strerror or str(error)).rstrip(".")
    happened = f"{error.filename}: {reason}." if error.filename else f"{reason}."
    if error.errno in _FULL:
        return ScaffoldError(happened, f"Free space there, or set TMPDIR to a folder elsewhere, {_AGAIN}")
    if error.errno in _DENIED:
        return ScaffoldError(happened, f"Allow your user to read and write it, {_AGAIN}")
    if error.errno in _EXHAUSTED:
        return ScaffoldError(happened, f"End other programs or free the resource, {_AGAIN}")
    return None


def _has_current_folder() -> bool:
    try:
        os.listdir(os.getcwd())  # noqa: PTH109, PTH208 (as the system sees it)
    except OSError:
        return False
    return True
