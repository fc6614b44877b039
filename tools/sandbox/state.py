"""What a run has created, in a file, so that an interrupted run can be cleaned up."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scaffold.core.errors import ScaffoldError

#: Everything of a run has this tag with the run's name. Stacks of the kit's service have it anyway.
TAG = "gitops-scaffold:service"
_PREFIX = "sbx-"


@dataclass(frozen=True)
class Resource:
    """Something that the run has created or changed, or was about to.

    Attributes:
        kind: A key of `cleaning.CLEANERS`.
        name: What identifies it in the region; of task definitions, their family.
        details: What its cleaner needs beside the name, such as a setting to restore.
    """

    kind: str
    name: str
    details: dict[str, Any] = field(default_factory=dict)


class State:
    """The record of a run. May be used from any thread; each change is on disk before the call returns.

    Attributes:
        run: The name of the run, which begins all names and is the value of its tag.
    """

    def __init__(self, path: Path, account: str, region: str, resources: list[Resource] | None = None) -> None:
        self.path = path
        self.run = path.stem
        self.account = account
        self.region = region
        self._resources = list(resources or [])
        self._lock = threading.Lock()
        #: The file descriptors by which a child process holds the lock of the record too.
        self.inherited: tuple[int, ...] = ()

    @classmethod
    def new(cls, folder: Path, account: str, region: str) -> State:
        """Begin a run with a name of its own."""
        state = cls(folder / f"{_PREFIX}{secrets.token_hex(3)}.json", account, region)
        folder.mkdir(parents=True, exist_ok=True)
        state.lock()
        state._save()
        return state

    @classmethod
    def read(cls, path: Path) -> State:
        """The record of an earlier run.

        Raises:
            ScaffoldError: It cannot be read.
        """
        try:
            document = json.loads(path.read_text("utf-8"))
            resources = [Resource(**one) for one in document["resources"]]
            return cls(path, document["account"], document["region"], resources)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ScaffoldError(
                f"{path} is not the record of a run.", "Delete what has the tag of the run in the console."
            ) from error

    def lock(self) -> bool:
        """Lock the record until this process and the children that inherit the lock have ended.

        Returns:
            False if another process has it locked.
        """
        opened = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return False
        self.inherited = (opened,)
        return True

    @property
    def _lock_path(self) -> Path:
        return self.path.with_suffix(".lock")

    @property
    def resources(self) -> list[Resource]:
        """What there is, in the order of its creation."""
        with self._lock:
            return list(self._resources)

    @property
    def clone(self) -> Path:
        """The folder of the kit's service."""
        return self.folder / "service"

    @property
    def folder(self) -> Path:
        """The folder of the run's clones and logs."""
        return self.path.with_suffix("")

    def record(self, kind: str, name: str, **details: Any) -> Resource:
        """Record something before it is created: a creation whose answer is lost is cleaned up too."""
        resource = Resource(kind, name, details)
        with self._lock:
            if resource not in self._resources:
                self._resources.append(resource)
                self._save()
        return resource

    def forget(self, resource: Resource) -> None:
        """Record that something is gone."""
        with self._lock:
            self._resources.remove(resource)
            self._save()

    def end(self) -> None:
        """Delete the record and the folder of a run of which nothing is left."""
        with self._lock:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.path.unlink(missing_ok=True)
            self._lock_path.unlink(missing_ok=True)
            for opened in self.inherited:
                os.close(opened)
            self.inherited = ()

    def _save(self) -> None:
        document = {
            "account": self.account,
            "region": self.region,
            "resources": [asdict(resource) for resource in self._resources],
        }
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        new.replace(self.path)


def records(folder: Path) -> Iterator[State]:
    """The records of the runs that were not cleaned up.

    Raises:
        ScaffoldError: One of them cannot be read.
    """
    for path in sorted(folder.glob(f"{_PREFIX}*.json")):
        yield State.read(path)
