"""What is hidden in text that is shown or logged, and what is not."""

from __future__ import annotations

import pytest

from scaffold.core.secrets import redact


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ann:word@a.example/kit", "https://***@a.example/kit"),
        ("https://ann:wo@rd@a.example/kit", "https://***@a.example/kit"),
        ("https://:word@a.example/kit", "https://***@a.example/kit"),
        ("https://token@a.example/kit", "https://***@a.example/kit"),
        ("git+HTTP://token@a.example/kit", "git+HTTP://***@a.example/kit"),
        ("ssh://git:word@a.example/kit", "ssh://***@a.example/kit"),
    ],
)
def test_credentials_in_a_url_are_hidden(address: str, shown: str) -> None:
    assert redact(f"fatal: unable to access '{address}': 403") == f"fatal: unable to access '{shown}': 403"


@pytest.mark.parametrize(
    "address",
    [
        "ssh://git@a.example/kit",
        "git@a.example:kit",
        "codecommit::eu-central-1://staging@orders-api",
        "https://a.example:8080/path/of@file",
        "http://127.0.0.1:4566",
    ],
)
def test_what_commands_need_of_a_url_is_shown(address: str) -> None:
    assert redact(f"Run `git pull {address} main`.") == f"Run `git pull {address} main`."
