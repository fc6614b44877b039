"""Something that goes on beside the probes, such as a release, and its milestones, for which they wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from .verdicts import Unavailable

S = TypeVar("S")
Step = Callable[[], None]


class Scenario(Generic[S]):
    """Steps that run one after the other in a thread.

    Args:
        subject: What the steps work on.
        steps: The steps by the name of the milestone that each of them reaches.
        explain: The reason of an exception, in a sentence.
        told: Called with each milestone that is reached.
    """

    def __init__(
        self,
        subject: S,
        steps: Mapping[str, Step],
        explain: Callable[[Exception], str],
        told: Callable[[str], None],
    ) -> None:
        self.subject = subject
        self._steps = dict(steps)
        self._explain = explain
        self._told = told
        self._reached = {name: threading.Event() for name in steps}
        self._done: set[str] = set()
        self._failure = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin with the first step."""
        self._thread.start()

    def after(self, milestone: str) -> S:
        """Wait for a milestone.

        Raises:
            Unavailable: A step up to it has failed.
        """
        self._reached[milestone].wait()
        if milestone not in self._done:
            raise Unavailable(self._failure)
        return self.subject

    def join(self) -> None:
        """Wait until no step runs any more."""
        self._thread.join()

    def _run(self) -> None:
        try:
            for name, step in self._steps.items():
                step()
                self._done.add(name)
                self._told(name)
                self._reached[name].set()
        except Exception as error:
            self._failure = self._explain(error)
        finally:
            for event in self._reached.values():
                event.set()
