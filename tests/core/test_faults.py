"""The faults that can be injected, as they are written."""

from __future__ import annotations

import pytest

from scaffold.core.faults import Fault, parse


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (["errors:20%"], Fault(errors=0.2)),
        (["errors:100%"], Fault(errors=1.0)),
        (["errors:0.5%"], Fault(errors=0.005)),
        (["latency:2s"], Fault(latency=2.0)),
        (["latency:250ms"], Fault(latency=0.25)),
        (["exit"], Fault(exits=True)),
        (["unhealthy"], Fault(unhealthy=True)),
        (["errors:10%", "latency:1.5s"], Fault(errors=0.1, latency=1.5)),
        ([], Fault()),
    ],
)
def test_faults_are_read(texts: list[str], fault: Fault) -> None:
    assert parse(texts) == fault


@pytest.mark.parametrize(
    "text", ["", "errors", "errors:20", "errors:0%", "errors:101%", "errors:-1%", "latency:2", "latency:s", "Exit", "x"]
)
def test_other_texts_are_no_faults(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        parse([text])
