"""What a probe gets: the account, the run's name and record, and what several probes share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from .account import Account
from .scenario import Scenario
from .state import TAG, State
from .verdicts import Unavailable

T = TypeVar("T")
Tell = Callable[[str], None]


# More than twice as long as a run takes.
_LIMIT = timedelta(hours=3)


class Ending(Exception):
    """The run ends; the message says why."""


class Sandbox:
    """The surroundings of the probes of one run.

    Args:
        tell: Shows a line of progress.
    """

    def __init__(self, account: Account, state: State, tell: Tell) -> None:
        self.account = account
        self.state = state
        self._tell = tell
        #: When the run began.
        self.started = datetime.now(UTC)
        self._latest = time.monotonic() + _LIMIT.total_seconds()
        self._ending = threading.Event()
        self._scenarios: dict[str, Scenario[Any]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    @property
    def run(self) -> str:
        """The name of the run, with which each name of the run begins."""
        return self.state.run

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tag of the run, as most APIs take it."""
        return [{"Key": TAG, "Value": self.run}]

    @property
    def tag_map(self) -> dict[str, str]:
        """The tag of the run, as the other APIs take it."""
        return {TAG: self.run}

    def tell(self, line: str) -> None:
        """Show a line of progress, with the minutes since the beginning."""
        seconds = (datetime.now(UTC) - self.started).total_seconds()
        self._tell(f"{seconds / 60:5.1f} min  {line}")

    def name(self, subject: str) -> str:
        """The name of something of a probe. None of the kit's kinds of stack is named so."""
        return f"{self.run}-probe-{subject}"

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, with the caller's credentials."""
        return self.account.client(service, region)

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """An ARN in this account and region."""
        where = self.account.region if region is None else region
        return f"arn:{self.account.partition}:{service}:{where}:{self.account.id}:{resource}"

    def wait(self, look: Callable[[], T], what: str, seconds: float = 300) -> T:
        """Look again and again until there is something to see.

        Args:
            look: Returns something true once it has happened.
            what: The end of the sentence "… did not happen".

        Raises:
            Unavailable: It did not happen in time.
            Ending: The run ends.
        """
        end = time.monotonic() + seconds
        while True:
            if found := look():
                return found
            if time.monotonic() > end:
                raise Unavailable(f"within {seconds:.0f} seconds, {what} did not happen")
            self.pause(0.2 if self.account.local else 5)

    def settle(self, seconds: float) -> None:
        """Wait for something that must not happen. Local AWS does everything at once."""
        self.pause(1 if self.account.local else seconds)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Ending: The run ends.
        """
        if self._ending.wait(seconds):
            raise Ending("the run was interrupted")
        if time.monotonic() > self._latest:
            raise Ending(f"the run has taken more than {_LIMIT.total_seconds() / 3600:g} hours")

    @property
    def ends(self) -> bool:
        """Whether the run ends."""
        return self._ending.is_set()

    def end(self) -> None:
        """Let all waits end."""
        self._ending.set()

    def alone(self, what: str) -> AbstractContextManager[Any]:
        """A lock for something that two probes must not change at the same time."""
        with self._lock:
            return self._locks.setdefault(what, threading.Lock())

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What several probes observe, made by the first of them that asks for it. A failure is that of all."""
        with self.alone(what):
            if what not in self._made:
                future: Future[Any] = Future()
                self._made[what] = future
                try:
                    future.set_result(make())
                except Exception as error:
                    future.set_exception(error)
            made: T = self._made[what].result()
            return made

    def shares(self, name: str, scenario: Scenario[Any]) -> None:
        """Let probes observe a scenario."""
        self._scenarios[name] = scenario

    def after(self, scenario: str, milestone: str) -> Any:
        """Wait for a milestone of a scenario: what it has brought about.

        Raises:
            Unavailable: It was not reached.
        """
        return self._scenarios[scenario].after(milestone)
