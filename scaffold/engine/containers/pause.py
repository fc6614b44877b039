"""An image whose only program waits: its container holds the network namespace of another one, as a pod's does."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

PROGRAM = "/pause"

_BASE = 0x400000
_HEADERS = 64 + 56
# By the architectures of Docker: the machine of ELF, and the system calls `pause` and `ppoll` in a loop.
_MACHINES = {
    "amd64": (0x3E, bytes.fromhex("b8220000000f05ebf7")),
    "arm64": (
        0xB7,
        struct.pack("<7I", 0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800928, 0xD4000001, 0x17FFFFFA),
    ),
}


def write(archive: Path, architecture: str) -> bool:
    """Write its file system to an archive, and return whether it exists for an architecture."""
    if architecture not in _MACHINES:
        return False
    machine, code = _MACHINES[architecture]
    size = _HEADERS + len(code)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    entry = tarfile.TarInfo(PROGRAM.lstrip("/"))
    entry.mode, entry.size = 0o755, size
    with tarfile.open(archive, "w") as tar:
        tar.addfile(entry, io.BytesIO(identity + header + segment + code))
    return True
