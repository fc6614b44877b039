"""The program's entry, and the one place where failures become exit codes."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from scaffold import __version__

if TYPE_CHECKING:
    from types import FrameType

EXIT_BROKEN_PIPE = 141


def main() -> int:
    """Run the command line and return its exit code. No traceback reaches the screen."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # answered before anything is imported that takes time
        print(f"scaffold {__version__}")
        return 0
    # A command makes much and keeps it until it ends: looking for garbage as often as Python does by
    # default, and once more at exit, takes a quarter of a short command's time and finds nothing.
    gc.set_threshold(100_000, 50, 50)
    try:
        code = _guarded(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader left (`scaffold --help | head`): keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    finally:
        gc.freeze()
    return code


def _guarded(arguments: list[str]) -> int:
    from scaffold.core.errors import EXIT_BUG, Interrupted, ScaffoldError

    _end_cleanly_when_told_to()
    own_arguments = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in own_arguments
    try:
        from scaffold.cli.app import run

        return run(arguments)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        error: ScaffoldError = Interrupted("Interrupted.", "Run the same command again: it goes on from what exists.")
    except ScaffoldError as known:
        error = known
    except Exception as bug:
        from scaffold.core.crash_log import write_log

        error = ScaffoldError(
            f"scaffold met a bug ({type(bug).__name__}).",
            f"Please report it and attach the log {write_log(bug, arguments)}.",
        )
        error.exit_code = EXIT_BUG
    from scaffold.console.console import Console

    Console(json=as_json).render_error(error)
    return error.exit_code


def _end_cleanly_when_told_to() -> None:
    """Turn SIGTERM and SIGHUP into an exception, so that temporary folders and child processes end too."""
    import signal

    from scaffold.core.signals import heeded

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in heeded():
        if number != signal.SIGINT:  # Python raises KeyboardInterrupt for it already
            signal.signal(number, leave)


if __name__ == "__main__":
    sys.exit(main())
