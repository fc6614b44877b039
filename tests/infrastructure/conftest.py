"""Generated services: one for each set of answers, in each test process."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.stacks import Stacks, load
from tests.kits import generate

Generated = Callable[..., Path]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Generate a service, once for each set of answers."""
    folder = tmp_path_factory.mktemp("generated")

    def of(**answers: Any) -> Path:
        key = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:12]
        return folder / key if (folder / key).exists() else generate(folder / key, **answers)

    return of


@pytest.fixture(scope="session")
def stacks_of(generated: Generated) -> Callable[..., Stacks]:
    """The stacks of the service for a set of answers. Read-only."""
    load_once = functools.cache(load)
    return lambda **answers: load_once(generated(**answers))
