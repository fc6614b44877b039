"""A remedy installs packages where this one runs."""

from __future__ import annotations

import pytest

from scaffold.core.installation import install_command


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/ann/.local/pipx/venvs/gitops-scaffold", "pipx install --force"),
        ("/home/ann/.local/share/pipx/venvs/gitops-scaffold", "pipx install --force"),
        ("/home/ann/.local/share/uv/tools/gitops-scaffold", "uv tool install --force"),
        ("/home/ann/uv/.venv", "pip install"),
        ("/usr", "pip install"),
    ],
)
def test_the_command_that_installs_a_requirement(prefix: str, command: str) -> None:
    assert install_command("gitops-scaffold[local]", prefix) == f"{command} 'gitops-scaffold[local]'"
