"""The look-up of the account beside the questions of `scaffold new`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from scaffold.aws.caller import CallerLookup
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.local.test_environment import alive, eventually


def test_credentials_that_work_have_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_local_aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.variables["AWS_ENDPOINT_URL"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        with CallerLookup(None) as lookup:
            assert lookup.account(60) == "000000000000"
            assert lookup.account(0) == "000000000000"


@pytest.mark.parametrize(("options", "title"), [({"local": True}, "local AWS"), ({"wanted": False}, "not signed in")])
def test_local_aws_and_answers_without_a_summary_need_none(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool], title: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setattr("subprocess.Popen", None)
    with CallerLookup(None, **options) as lookup:
        assert lookup.title(60) == title


def test_without_configured_credentials_no_process_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr("subprocess.Popen", None)
    with CallerLookup(None) as lookup:
        assert lookup.account(60) is None


def test_a_source_that_asks_or_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has no terminal to ask at, and ends with the look-up."""
    mark = tmp_path / "began"
    program = tmp_path / "source.py"
    program.write_text(
        "import os, pathlib, time\n"
        f"path = pathlib.Path({str(mark)!r})\n"
        "path.with_suffix('.new').write_text(f'{os.getsid(0)} {os.getpid()}')\n"
        "path.with_suffix('.new').rename(path)\n"
        "time.sleep(120)\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {shlex.quote(sys.executable)} {shlex.quote(str(program))}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with CallerLookup(None) as lookup:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        session, process = map(int, mark.read_text().split())
        assert session != os.getsid(0)
        assert lookup.account(0.05) is None
        assert alive(process)
    assert eventually(lambda: not alive(process))
