"""Local AWS comes and goes without a trace, whatever the machine is set to and however it is ended."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.local.client_settings import variables_for, write_files
from scaffold.local.environment import inside, local_aws, running_local_aws
from scaffold.local.folder import own_folder
from tests.local.conftest import Client, isolated

HOLD = """
import json, time
from scaffold.local.environment import running_local_aws
with running_local_aws() as aws:
    print(json.dumps({"pid": aws.process.pid, **aws.variables}), flush=True)
    time.sleep(60)
"""


def eventually(what: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def state_of(variables: dict[str, str]) -> Path:
    return Path(variables["AWS_CONFIG_FILE"]).parent


def listeners(pid: int) -> set[str]:
    """The addresses that a process listens on, in the kernel's hexadecimal notation."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            listening = fields[3] == "0A" or table.startswith("udp")
            if listening and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].split(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's /proc")
def test_it_listens_on_this_machine_only_and_leaves_nothing() -> None:
    with running_local_aws() as aws:
        variables, pid = aws.variables, aws.process.pid
        state = state_of(variables)
        assert answers(variables["AWS_ENDPOINT_URL"])
        assert answers(variables["CODE_COMMIT_ENDPOINT"])
        assert listeners(pid) == {"0100007F"}
        subprocess.run(["git", "init", "-q", "--bare", state / "tmp" / "left-behind"], check=True)
    assert not alive(pid)
    assert not state.exists()
    assert not answers(variables["AWS_ENDPOINT_URL"])
    assert not answers(variables["CODE_COMMIT_ENDPOINT"])


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGINT))]
)
def test_it_ends_with_its_starter(number: signal.Signals, tmp_path: Path) -> None:
    environment = isolated(tmp_path)
    starter = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    assert starter.stdout is not None
    told: dict[str, Any] = json.loads(starter.stdout.readline())
    starter.send_signal(number)
    starter.wait(15)
    starter.stdout.close()
    assert eventually(lambda: not alive(told["pid"]))
    assert eventually(lambda: not state_of(told).exists())
    assert eventually(lambda: not answers(told["AWS_ENDPOINT_URL"]))


def test_two_at_once_are_two_accounts(variables: dict[str, str], client: Client) -> None:
    with local_aws("eu-west-1") as other:
        assert other["AWS_ENDPOINT_URL"] != variables["AWS_ENDPOINT_URL"]
        assert other["AWS_REGION"] == "eu-west-1"
        client("codecommit", endpoint=other["AWS_ENDPOINT_URL"]).create_repository(repositoryName="only-there")
        assert "only-there" not in str(client("codecommit").list_repositories()["repositories"])


def test_settings_of_the_machine_do_not_lead_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: Callable[..., Any]
) -> None:
    config = tmp_path / "machine-config"
    config.write_text("[default]\nendpoint_url = http://192.0.2.1\n[profile team]\nregion = eu-north-1\n")
    disturbing = {
        "AWS_PROFILE": "team",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SESSION_TOKEN": "stale",
        "AWS_ENDPOINT_URL_S3": "http://192.0.2.1",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "example.org",
        "PERSIST_STATE": "1",
        "USE_SSL": "1",
        "GIT_SSL_CAINFO": str(tmp_path / "absent.pem"),
    }
    for name, value in disturbing.items():
        monkeypatch.setenv(name, value)
    with local_aws() as variables:
        assert variables["no_proxy"] == "example.org,127.0.0.1,localhost"
        made = shell(
            "aws s3 mb s3://here && aws codecommit create-repository --repository-name r > made && "
            "git ls-remote codecommit::us-east-1://r",
            **disturbing | variables,
        )
        assert made.returncode == 0, made.stderr


def test_what_stands_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Callable[..., Any]
) -> None:
    for module in ("ministack", "scaffold", "botocore", "git_remote_codecommit", "trustme"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    with local_aws() as variables:
        asked = shell("git ls-remote codecommit::us-east-1://absent", **variables, PYTHONPATH="")
    assert "not found" in asked.stderr


def test_git_goes_on_trusting_what_it_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bundle() -> str:
        write_files(tmp_path, "us-east-1", "of local AWS\n")
        return Path(variables_for(tmp_path, "us-east-1", "api", "git", runs=False)["GIT_SSL_CAINFO"]).read_text()

    (tmp_path / "bin").mkdir()
    monkeypatch.delenv("GIT_SSL_CAINFO")
    assert bundle().count("BEGIN CERTIFICATE") > 20
    assert bundle().endswith("\nof local AWS\n")
    (tmp_path / "own.pem").write_text("of the company")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "own.pem"))
    assert bundle() == "of the company\nof local AWS\n"


def test_a_stale_environment_is_not_inside(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", variables["AWS_ENDPOINT_URL"])
    assert not inside()
    monkeypatch.setenv("SCAFFOLD_LOCAL", "1")
    assert inside()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert not inside()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert not inside()


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "ministack" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ScaffoldError) as refused, local_aws():
        pass
    assert "ministack" in refused.value.happened
    assert "pip install 'gitops-scaffold[local]'" in refused.value.remedy


def test_a_start_that_fails_tells_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ScaffoldError, match="did not start"), local_aws():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_with_its_server_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    environment = isolated(tmp_path) | {"TMPDIR": str(tmp_path)}
    for attempt in range(2):
        starter = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
        )
        assert starter.stdout is not None
        told: dict[str, Any] = json.loads(starter.stdout.readline())
        folders = list(tmp_path.glob("gitops-scaffold-local-*"))
        assert folders == [state_of(told)], attempt
        # The server first, and its starter before it can notice.
        os.kill(starter.pid, signal.SIGSTOP)
        os.kill(told["pid"], signal.SIGKILL)
        starter.kill()
        starter.wait(15)
        starter.stdout.close()
    assert state_of(told).exists()


def test_a_folder_in_use_or_only_being_made_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "gitops-scaffold-local-new").mkdir()
    with own_folder() as first:
        with own_folder() as second:
            assert first.exists()
        assert not second.exists()
        assert first.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["gitops-scaffold-local-new"]
