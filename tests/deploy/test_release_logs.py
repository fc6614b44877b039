"""The last lines of a build, as they are shown where it has failed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from scaffold.aws import release_logs


def lines_of(message: str) -> tuple[str, ...]:
    """The last lines of a build that has printed this."""
    build = {"id": "b:1", "buildStatus": "FAILED", "logs": {"groupName": "group", "streamName": "stream"}}
    client = SimpleNamespace(
        batch_get_builds=lambda **_: {"builds": [build]},
        get_log_events=lambda **_: {"events": [{"message": message}]},
    )
    session: Any = SimpleNamespace(client=lambda _name: client)
    return release_logs.of_build(session, "b:1")


def test_a_line_has_500_characters_at_most() -> None:
    found = lines_of(f"[Container] Running\n{'x' * 100_000}\n\n{'y' * 500}\nshort  \n")
    assert found == (f"{'x' * 500}…", "y" * 500, "short")


def test_no_beginning_of_a_secret_is_left_where_a_line_is_cut() -> None:
    (found,) = lines_of(f"{'x' * 480} https://user:hunter-two@registry.example/{'y' * 100}")
    assert found.endswith("x https://***@registr…")
