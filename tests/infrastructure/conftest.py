"""Generated services: one for each set of answers, shared by all test processes."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.stacks import Stacks, load
from tests.kits import generate

Generated = Callable[..., Path]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate a service, once for each set of answers in a test run. Read-only."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "infrastructure"
    folder.mkdir(exist_ok=True)

    def of(**answers: Any) -> Path:
        key = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:12]
        service, done = folder / key, folder / f"{key}.done"
        with (folder / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(service, ignore_errors=True)
                generate(service, **answers)
                done.touch()
        return service

    return of


@pytest.fixture(scope="session")
def stacks_of(generated: Generated) -> Callable[..., Stacks]:
    """The stacks of the service for a set of answers. Read-only."""
    load_once = functools.cache(load)
    return lambda **answers: load_once(generated(**answers))
