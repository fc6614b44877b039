"""The program's entry point, and the one place where failures become exit codes."""

from __future__ import annotations

import gc
import os
import sys

from scaffold import __version__

TYPE_CHECKING = False  # Type checkers know the name; importing it would take a quarter of the time of `--version`.
if TYPE_CHECKING:
    from types import FrameType

    from scaffold.core.errors import ScaffoldError

EXIT_BROKEN_PIPE = 141


def main() -> int:
    """Run the command line and return its exit code. No traceback reaches the screen."""
    arguments = sys.argv[1:]
    # A command keeps most of its objects until it ends: collecting garbage as often as Python does by
    # default, and once more at exit, takes a quarter of a short command's time and finds nothing.
    gc.set_threshold(100_000, 50, 50)
    try:
        if arguments == ["--version"]:  # before anything is imported that takes time
            print(f"scaffold {__version__}")
            code = 0
        elif arguments[:1] == ["__complete"]:  # a shell waits for it while somebody types
            code = _complete(arguments[1:])
        else:
            code = _guarded(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe (`scaffold --help | head`).
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        _discard_output()
        print(f"Error: The result could not be written: {error.strerror}.", file=sys.stderr)
        print("  Free space, or send the output elsewhere, then run the same command again.", file=sys.stderr)
        return 1
    finally:
        gc.freeze()
    return code


def _complete(arguments: list[str]) -> int:
    """Print how a command line may go on. Whatever is wrong, a shell gets nothing, and no message into its line."""
    from scaffold.completion.complete import reply

    try:
        shell, position, *words = arguments
        if said := reply(shell, int(position), words):
            print(said)
    except (ValueError, IndexError, KeyError, OSError):
        return 1
    return 0


def _discard_output() -> None:
    """Keep the interpreter from complaining at exit about output that cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _guarded(arguments: list[str]) -> int:
    from scaffold.core.errors import Interrupted, ScaffoldError

    _install_signal_handlers()
    own_arguments = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in own_arguments
    try:
        from scaffold.cli.app import run

        return run(arguments)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        error: ScaffoldError = Interrupted("Interrupted.", "Run the same command again: it continues from what exists.")
    except ScaffoldError as known:
        error = known
    except (OSError, RuntimeError) as failure:
        from scaffold.core.os_failures import explain

        error = explain(failure) or _bug(failure, arguments)
    except Exception as bug:
        error = _bug(bug, arguments)
    from scaffold.console.console import Console

    Console(json=as_json).render_error(error)
    return error.exit_code


def _bug(bug: Exception, arguments: list[str]) -> ScaffoldError:
    from scaffold.core.crash_log import write_log
    from scaffold.core.errors import Bug

    return Bug(
        f"Unexpected error ({type(bug).__name__}): this is a bug in scaffold.",
        f"Please report it and attach the log {write_log(bug, arguments)}.",
    )


def _install_signal_handlers() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that temporary folders are deleted and child processes end."""
    import signal

    from scaffold.core.signals import handled_signals

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in handled_signals():
        if number != signal.SIGINT:  # Python raises KeyboardInterrupt for it already
            signal.signal(number, leave)


if __name__ == "__main__":
    sys.exit(main())
