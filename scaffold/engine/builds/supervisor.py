"""Runs the shell of a build, and kills whatever is left of the build when its standard input is closed.

    supervisor.py COMMANDS STATUSES SHELL DRIVER

A program of its own, so that a build ends with its engine also when that one is killed. COMMANDS and STATUSES are file
descriptors, which the shell gets as 3 and 4.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start the shell, wait for the end of standard input, kill everything."""
    commands, statuses = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":  # Processes that leave the group become children of this one, and are found.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # Those of a terminal; the pipe is what ends it.
        signal.signal(number, lambda *_: None)
    spare = os.dup(commands), os.dup(statuses)  # 3 and 4 may be in use by one another.
    os.dup2(spare[0], 3)
    os.dup2(spare[1], 4)
    shell = subprocess.Popen(
        [*sys.argv[3:]], stdin=subprocess.DEVNULL, pass_fds=(3, 4), start_new_session=True, restore_signals=True
    )
    for descriptor in {3, commands, statuses, *spare} - {4}:
        os.close(descriptor)
    for output in (1, 2):  # The shell has them; the reader of the log waits for their end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    threading.Thread(target=_reap, args=(shell.pid,), daemon=True).start()
    while os.read(0, 4096):
        pass
    _kill(shell.pid)


def _reap(shell: int) -> None:
    """Wait for every child, those that have lost their parent too, and tell when the shell has ended."""
    with suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, 0)
            if process == shell:
                code = os.waitstatus_to_exitcode(status)
                with suppress(OSError):
                    os.write(4, f"exit {code if code >= 0 else 128 - code}\n".encode())


def _kill(group: int) -> None:
    if sys.platform != "linux":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        return
    for _attempt in range(500):  # A child may start another one while it is being found.
        found = _descendants(os.getpid())
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.005)


def _descendants(root: int) -> list[int]:
    """The processes below a process that have not ended, by Linux's /proc."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (each build waits for this)
        with suppress(OSError), open(f"/proc/{name}/stat", "rb", buffering=0) as status:  # noqa: PTH123
            # The command's name in parentheses may have spaces.
            state, parent = status.read(4096).rpartition(b")")[2].split()[:2]
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(name))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


if __name__ == "__main__":
    main()
