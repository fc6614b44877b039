"""Keeps what local AWS has and gives it back: tests start from a deployment that an earlier test has made."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ministack.app import _reset_all_state
from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

from scaffold.local.assembly import Assembly
from scaffold.local.protocol import Response
from tests.local_aws_forks import SNAPSHOTS

# A variable of a module, or an attribute of one of our objects, with the variables or attributes beside it.
_Place = tuple[str, dict[str, Any], str]


def with_snapshots(assemble: Callable[..., Assembly]) -> Callable[..., Assembly]:
    """Let the local AWS that a function puts together have the endpoint `SNAPSHOTS`.

    It takes `{"keep": NAME}` and `{"restore": NAME}`; the empty name is that of an account with nothing.
    """

    def assembled(state: Path, *arguments: Any, **options: Any) -> Assembly:
        assembly = assemble(state, *arguments, **options)
        assembly.router.controls[SNAPSHOTS] = _Snapshots(state).control
        return assembly

    return assembled


class _Snapshots:
    """What local AWS had, by the names of the snapshots: its containers, pickled, and its Git repositories.

    Args:
        state: The state directory of local AWS.
    """

    def __init__(self, state: Path) -> None:
        self._repositories, self._folder = state / "repositories", state / "snapshots"
        self._own = list(_of_objects())
        self._kept = {"": pickle.dumps(_contents(self._own))}

    def control(self, _method: str, document: Any) -> Response:
        """Keep or restore; 404 where there is nothing to restore."""
        if "keep" in document:
            self._keep(document["keep"])
        elif document["restore"] not in self._kept:
            return Response({}, 404)
        self._restore(document.get("restore", document.get("keep")))
        return Response({})

    def _keep(self, name: str) -> None:
        shutil.copytree(self._repositories, self._folder / name / "repositories")
        before = {key: pickle.dumps(content) for key, content in _contents(_of_modules()).items()}
        everything = pickle.dumps(_contents([*self._own, *_of_modules()]))
        _reset_all_state()
        after = _contents(_of_modules())
        constant = {key for key, content in after.items() if pickle.dumps(content) == before.get(key)}
        kept = {key: content for key, content in pickle.loads(everything).items() if key not in constant}
        self._kept[name] = pickle.dumps(kept)

    def _restore(self, name: str) -> None:
        _reset_all_state()
        shutil.rmtree(self._repositories, ignore_errors=True)
        if name:
            shutil.copytree(self._folder / name / "repositories", self._repositories)
        kept = pickle.loads(self._kept[name])
        for key, variables, variable in [*self._own, *_of_modules()]:
            if key in kept:
                _fill(variables[variable], kept[key])


def _of_modules() -> Iterator[_Place]:
    """Where ministack's modules have containers."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack.services."):
            for variable, value in vars(module).items():
                if isinstance(value, dict | list | set | deque | AccountScopedDict | AccountRegionScopedDict):
                    yield f"{name} {variable}", vars(module), variable


def _of_objects() -> Iterator[_Place]:
    """Where our objects have containers that are empty at the start."""
    number = 0
    for one in gc.get_objects():
        if type(one).__module__.startswith("scaffold.local.") and not dataclasses.is_dataclass(type(one)):
            for attribute, value in getattr(one, "__dict__", {}).items():
                if isinstance(value, dict | list | set | deque) and not value:
                    number += 1
                    yield f"{number} {attribute}", vars(one), attribute


def _contents(places: Any) -> dict[str, Any]:
    """The containers in places that can be pickled, by the names of the places."""
    found = {}
    for key, variables, variable in places:
        try:
            pickle.dumps(variables[variable])
        except Exception:  # pickle raises what it meets: locks and functions are no state
            continue
        found[key] = variables[variable]
    return found


def _fill(container: Any, kept: Any) -> None:
    container.clear()
    if isinstance(container, list | deque):
        container.extend(kept)
    elif isinstance(container, dict | set):
        container.update(kept)
    else:
        container._data.update(kept._data)
