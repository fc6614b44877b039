"""The local AWS that runs in the background, at most one for each user.

A record describes it, in a folder that is private to the user. It runs as long as the record exists and the server
holds the lock of its state directory. A record without such a lock was left by a server that was killed, or by a
reboot; whoever finds it deletes it.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.folder_lock import is_abandoned, is_held, locked, one_at_a_time, open_lock
from scaffold.local.client_settings import variables_for
from scaffold.local.environment import LocalAws, start
from scaffold.local.folder import delete_abandoned, delete_folder, new_folder
from scaffold.local.reach import RunningService, answers, kill, running_services
from scaffold.local.shell import container_engine

_NAME = "gitops-scaffold"
_RECORD = "local-aws.json"
_END_SECONDS = 30.0
_PAUSE = 0.05


@dataclass(frozen=True)
class Background:
    """A local AWS in the background.

    Attributes:
        endpoint: The host and port of the endpoint of all services.
        git: The host and port of the Git endpoint.
        region: The region of its clients.
        speed: How many seconds of waiting pass in one second; None if nothing runs, but is only stored.
        pid: The process ID of the server.
        started_at: When it was started, in ISO 8601.
        state: Its state directory.
    """

    endpoint: str
    git: str
    region: str
    speed: float | None
    pid: int
    started_at: str
    state: str

    @property
    def runs(self) -> bool:
        """Whether pipelines, builds and services run."""
        return self.speed is not None

    def services(self) -> list[RunningService] | None:
        """The services that run; None if it does not answer."""
        if not self.runs:
            return [] if answers(self.endpoint) else None
        return running_services(self.endpoint)

    @property
    def aws(self) -> LocalAws:
        """It, with variables for the children of this process."""
        variables = variables_for(Path(self.state), self.region, self.endpoint, self.git, runs=self.runs)
        return LocalAws(self.region, variables)


@dataclass(frozen=True)
class Started:
    """What `start_in_background` has found or started.

    Attributes:
        earlier: Whether it was running before.
    """

    background: Background
    earlier: bool


def find() -> Background | None:
    """The local AWS that runs in the background; None for none. What a killed one has left is deleted."""
    with suppress(FileNotFoundError), _exclusive(_folder()) as folder:
        found = _read(folder)
        if found is None:
            _delete(folder)
        return found
    return None


def start_in_background(region: str, speed: float | None) -> Started:
    """Start local AWS so that it outlives this process, unless one runs already, whatever its options.

    Args:
        region: The region of its clients.
        speed: How many seconds of waiting pass in one second; None to only store what is deployed.

    Raises:
        ScaffoldError: It does not start, or another user can access the folder of its record.
    """
    with _created(_folder()) as folder:
        if found := _read(folder):
            return Started(found, earlier=True)
        with ExitStack() as undo:
            undo.callback(_delete, folder)
            state = new_folder()
            undo.callback(delete_folder, state)
            with locked(state) as lock:
                aws = start(state, region, [str(speed), container_engine()] if speed else [], lock)
                undo.callback(aws.end)
                undo.callback(_delete, folder)  # First, since it ends a server that was left to its record.
                _require_lock(state)
                background = Background(
                    endpoint=aws.variables["AWS_ENDPOINT_URL"].removeprefix("http://"),
                    git=aws.git_address,
                    region=region,
                    speed=speed,
                    pid=aws.process.pid,
                    started_at=datetime.now(UTC).isoformat(timespec="seconds"),
                    state=str(state),
                )
                _write(folder, background)
                try:
                    aws.leave_to(folder / _RECORD)
                except BrokenPipeError:
                    raise ScaffoldError(
                        "Local AWS ended while it was starting.", "Run `scaffold local start` again."
                    ) from None
            undo.pop_all()
        return Started(background, earlier=False)


def stop() -> Background | None:
    """End the local AWS in the background, and delete what it or a killed one has left.

    Returns:
        The one that ran; None for none.

    Raises:
        ScaffoldError: It does not end.
    """
    with suppress(FileNotFoundError), _exclusive(_folder()) as folder:
        found = _read(folder)
        if found:
            with suppress(FileNotFoundError):  # It has ended at this moment.
                _end(folder, found)
        _delete(folder)
        return found
    return None


def _folder() -> Path:
    """The private folder: in XDG_RUNTIME_DIR, which `su` may leave to be another user's, or in the temporary folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    with suppress(OSError):
        if runtime and Path(runtime).stat().st_uid == os.geteuid():
            return Path(runtime) / _NAME
    return Path(tempfile.gettempdir()) / f"{_NAME}-{os.geteuid()}"


@contextmanager
def _created(folder: Path) -> Iterator[Path]:
    """The folder for a `with` block, created if there is none; other processes wait."""
    while True:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        with ExitStack() as stack:
            try:
                stack.enter_context(_exclusive(folder))
            except FileNotFoundError:  # Deleted meanwhile, by `stop`.
                continue
            yield folder
            return


@contextmanager
def _exclusive(folder: Path) -> Iterator[Path]:
    """The folder for a `with` block; other processes wait.

    Raises:
        FileNotFoundError: There is no such folder.
        ScaffoldError: Another user can access it.
    """
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    if not private:
        raise ScaffoldError(
            f"{folder} is not a folder that only you can access.",
            "Delete it, or set XDG_RUNTIME_DIR to a folder of your own, and run the same command again.",
        )
    with one_at_a_time(folder):
        yield folder


def _read(folder: Path) -> Background | None:
    """What the record describes, if it runs.

    Raises:
        ScaffoldError: It runs, and another version of scaffold has written the record.
    """
    record = folder / _RECORD
    with suppress(OSError, ValueError, LookupError, TypeError):  # No record, none of ours, or no lock any more.
        described = json.loads(record.read_text())
        with open_lock(Path(described["state"])) as lock:
            if not is_held(lock):
                return None
        if set(described) != {field.name for field in fields(Background)}:
            raise ScaffoldError(
                "The local AWS in the background was started by another version of scaffold.",
                f"End it with that version, or delete {record}, which ends it too.",
            )
        return Background(**described)
    return None


def _write(folder: Path, background: Background) -> None:
    unfinished = folder / f"{_RECORD}.new"
    unfinished.write_text(json.dumps(asdict(background)))
    unfinished.replace(folder / _RECORD)


def _delete(folder: Path) -> None:
    """Delete the folder, and the state directories of killed servers."""
    delete_abandoned()
    with suppress(OSError, ValueError, TypeError):
        state = Path(Background(**json.loads((folder / _RECORD).read_text())).state)
        if is_abandoned(state):
            delete_folder(state)
    shutil.rmtree(folder, ignore_errors=True)


def _end(folder: Path, background: Background) -> None:
    """End the server by deleting its record; kill it after a time-out."""
    state = Path(background.state)
    with open_lock(state) as lock:
        (folder / _RECORD).unlink()
        if not _becomes_true(lambda: not is_held(lock)):
            kill(background.pid, background.state)
            if not _becomes_true(lambda: not is_held(lock)):
                raise ScaffoldError(
                    f"Local AWS (process {background.pid}) does not end.",
                    "If it runs in a container, run the same command there; otherwise end the process.",
                )
    _becomes_true(lambda: not answers(background.endpoint))  # The lock may be released before the ports.
    delete_folder(state)


def _require_lock(state: Path) -> None:
    with suppress(OSError), open_lock(state):
        return
    raise ScaffoldError(
        f"{state.parent} is on a file system without locks.", "Set TMPDIR to a folder on a disk of this machine."
    )


def _becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _END_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
