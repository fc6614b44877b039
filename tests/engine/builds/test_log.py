"""The log of a build: what it hides."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest

from scaffold.engine.builds.log import BuildLog

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def logged(values: tuple[str, ...], output: str) -> str:
    """The log of a command that prints something."""
    events: list[dict[str, Any]] = []
    log = BuildLog(events.extend)
    log.hide(values)
    descriptor = log.pipe()
    os.write(descriptor, output.encode())
    os.close(descriptor)
    log.close()
    return "\n".join(event["message"] for event in events)


@pytest.mark.parametrize(
    "output",
    [
        KEY,
        KEY.replace("\n", "\r\n"),
        KEY.replace("\n", " "),
        "".join(f"    {line}\n" for line in KEY.splitlines()),
        "hkiG9w0BAQEFAASC",
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_line_of_a_secret_is_hidden(output: str, ends: str) -> None:
    log = logged((KEY.replace("\n", ends),), f"before\n{output}\nafter\n")
    assert not any(line in log for line in KEY.splitlines())
    assert log.startswith("before\n")
    assert log.rstrip().endswith("after")


def test_of_a_secret_that_has_another_in_it_nothing_is_left() -> None:
    for values in itertools.permutations(["shop", "shop-password", "a-shop-password-of-production"]):
        assert logged(values, "it is a-shop-password-of-production, shop-password, shop") == "it is ***, ***, ***"


def test_short_values_leave_the_log_readable() -> None:
    assert logged(("1", "", "a\n\nb", "true"), "run 1 of 1: banana is true") == "run 1 of 1: banana is ***"


def test_what_the_engine_says_is_hidden_too() -> None:
    events: list[dict[str, Any]] = []
    log = BuildLog(events.extend)
    log.hide([KEY])
    log.say(f"Running command echo '{KEY}'")
    log.close()
    assert "PRIVATE" not in events[0]["message"]
    assert "MIIE" not in events[0]["message"]
