"""The limits of containers."""

from __future__ import annotations

import resource

# Open files as on Fargate. Podman lowers its own number of processes to the largest process id.
_LIMITS = {"nofile": (resource.RLIMIT_NOFILE, 65535), "nproc": (resource.RLIMIT_NPROC, 8192)}


def limits() -> dict[str, str]:
    """Limits of containers that a root user without the capability to raise limits may set, in the form SOFT:HARD."""
    found = {}
    for name, (kind, most) in _LIMITS.items():
        own = resource.getrlimit(kind)[1]
        limit = most if own == resource.RLIM_INFINITY else min(own, most)
        found[name] = f"{limit}:{limit}"
    return found
