"""`scaffold deploy --local`: on local AWS, whatever account the variables of the shell select."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.local import background
from scaffold.local.environment import running_local_aws
from scaffold.local.selection import reaching
from scaffold.views.deploy import text
from tests.cli.running import COMMAND, forked_scaffold, scaffold
from tests.deploy.services import make_kit_service, make_service, run
from tests.deploy.test_targets import HOSTILE, stacks

ENV = 'eval "$(scaffold local env)"'


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a stand-in for an account has been asked. All variables of the shell lead to it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        do_GET = do_POST  # noqa: N815

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for variable, value in HOSTILE.items():
            if variable.endswith("_PROXY"):  # Builds use it, for the packages of the application.
                continue
            monkeypatch.setenv(variable, value.replace("http://127.0.0.1:1", url).replace("127.0.0.1:1", url[7:]))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield asked
        server.shutdown()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote_helper: Path) -> Path:
    """A committed service, and nothing in the background."""
    monkeypatch.setattr("scaffold.aws.git_remote._BESIDE_INTERPRETER", remote_helper)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return make_service(tmp_path / "service", "orders", aws_region="eu-west-1")


def test_local_starts_one_in_the_background_and_asks_no_account(
    root: Path, account: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = background.start_in_background
    monkeypatch.setattr(background, "start_in_background", lambda region, speed: start(region, speed and None))
    try:
        done = forked_scaffold("deploy", "--local", cwd=root)
        assert done.returncode == 0, done.stderr
        found = background.find()
        assert found
        url = f"http://{found.endpoint}"
        assert f"running in the background, at {url}" in done.stderr
        assert "orders is deployed to local AWS, eu-west-1." in done.stdout
        assert f"{url}, until `scaffold local stop` ends it" in done.stdout
        assert re.search(rf"^  {re.escape(ENV)} +lets this shell use it", done.stdout, re.MULTILINE)
        again = run(root, local=True)
        assert not again.changed
        assert (again.background, ENV in text(again)) == (url, True)
        assert "Starting" not in capsys.readouterr().err
        with pytest.raises(UsageError, match="runs no pipelines"):
            run(root, local=True, wait=True)

        def fail(*_: object, **__: object) -> None:
            raise ScaffoldError("A stack is stuck.", "Run `scaffold repair dev`, then `scaffold deploy` again.")

        monkeypatch.setattr("scaffold.commands.deploy.deploy", fail)
        with pytest.raises(ScaffoldError) as refused:
            run(root, local=True)
        assert refused.value.remedy == f"Run `{ENV} && scaffold repair dev`, then `scaffold deploy --local` again."
    finally:
        background.stop()
    assert account == []


def test_a_plan_for_local_leaves_nothing_running(root: Path, account: list[str]) -> None:
    planned = run(root, local=True, plan=True)
    assert (planned.planned, planned.changed, planned.local, planned.background) == (True, True, True, None)
    assert background.find() is None
    assert account == []


def test_what_cannot_be_deployed_starts_nothing(root: Path) -> None:
    (root / "README.md").write_text("changed")
    (root / "new.txt").write_text("not committed")
    with pytest.raises(ScaffoldError):
        run(root, local=True)
    assert background.find() is None


def test_in_a_shell_with_local_aws_it_is_that_one(
    root: Path, account: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_elsewhere = {name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL_")}
    with running_local_aws("eu-west-1") as aws:
        for name, value in (aws.variables | lead_elsewhere).items():
            monkeypatch.setenv(name, value)
        result = run(root, local=True)
        assert (result.local, result.background) == (True, None)
        assert ENV not in text(result)
        assert "orders-pipeline" in stacks(aws.target)
    assert background.find() is None
    assert account == []


def test_a_profile_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="no profiles"):
        run(root, local=True, profile="team")


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        ("Run `cd x && scaffold repair dev` again.", f"Run `cd x && {ENV} && scaffold repair dev` again."),
        ("`aws cloudformation describe-stacks`", f"`{ENV} && aws cloudformation describe-stacks`"),
        ("Use `scaffold deploy --local`.", "Use `scaffold deploy --local`."),
        ("Run `scaffold update`, it runs on local AWS.", "Run `scaffold update`, it runs on local AWS."),
        ("`scaffold local -- scaffold deploy`", "`scaffold local -- scaffold deploy`"),
    ],
)
def test_commands_in_remedies_reach_the_same_local_aws(remedy: str, expected: str) -> None:
    assert reaching(remedy, f"{ENV} && ") == expected


@pytest.mark.slow
def test_the_commands_of_the_result_work_in_that_shell(tmp_path: Path, root: Path, account: list[str]) -> None:
    service = make_kit_service(tmp_path / "kit-service", environments="dev", aws_region="eu-west-1")

    def after_env(*words: str) -> subprocess.CompletedProcess[str]:
        script = f'eval "$("${{@:1:{len(COMMAND)}}}" local env)" && "$@"'
        return subprocess.run(
            ["bash", "-c", script, "bash", *COMMAND, *words], cwd=service, capture_output=True, text=True
        )

    deployed = scaffold("deploy", "--local", cwd=service)
    try:
        assert deployed.returncode == 0, deployed.stderr
        assert "The pipeline now releases it" in deployed.stdout
        shown = after_env("status")
        assert shown.returncode == 0, shown.stderr
        assert "in local AWS, eu-west-1" in shown.stdout
        destroyed = after_env("destroy", "--plan")
        assert "Signed in to local AWS" in destroyed.stderr
        assert "termination protection is on for" in destroyed.stderr
    finally:
        assert scaffold("local", "stop", cwd=root).returncode == 0
    assert account == []
