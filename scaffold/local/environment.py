"""Starts and ends local AWS, and provides the environment variables for its clients."""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from scaffold.console import indicator
from scaffold.core.errors import ScaffoldError
from scaffold.core.installation import install_command
from scaffold.core.loopback import direct_opener
from scaffold.core.target import RUNS_VARIABLE, Endpoint, Target, local_endpoint
from scaffold.local.client_settings import variables_for, write_files
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.downloads import DOWNLOADS, downloads
from scaffold.local.folder import own_folder
from scaffold.local.ministack_names import TESTED
from scaffold.local.reach import answers
from scaffold.local.shell import DOCKER_VARIABLE, docker_host

_EXTRA = ("hypercorn", "ministack", "trustme")
_REQUIREMENT = "gitops-scaffold[local]"
_START_SECONDS = 60.0
_END_SECONDS = 30.0
_ANSWER_SECONDS = 30.0

# The environment variables that the server inherits. No AWS setting, proxy or Docker address reaches it.
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG")


@dataclass(frozen=True)
class LocalAws:
    """Local AWS while it runs.

    Attributes:
        region: The region of its clients. All regions are served.
        variables: Environment variables with which AWS clients and Git reach it. They override the process's own.
    """

    region: str
    variables: dict[str, str]

    @property
    def target(self) -> Target:
        """This local AWS as a target."""
        endpoint = Endpoint(self.variables["AWS_ENDPOINT_URL"], ACCESS_KEY, SECRET_KEY, self.variables)
        return Target(self.region, endpoint=endpoint, local=True, runs=self.variables[RUNS_VARIABLE] == "1")

    def script_image_scans(self, script: Mapping[str, Any]) -> None:
        """Let image scans find something; docs/local-aws.md describes scripts."""
        self._control("PUT", "image-scans", script)

    def script_sbom_scans(self, script: Mapping[str, Any]) -> None:
        """Let Amazon Inspector find something in SBOMs; docs/local-aws.md describes scripts."""
        self._control("PUT", "sbom-scans", script)

    def inject_faults(self, service: str, faults: Sequence[str]) -> None:
        """Let the newest version of an ECS service have faults; docs/local-aws.md describes them."""
        self._control("PUT", "faults", {"service": service, "faults": list(faults)})

    def messages(self) -> list[str]:
        """The messages of SNS topics, the oldest first: the text, or the subject of one that is a document.

        Of one for chat, it is the title.
        """
        return [_readable(one) for one in self._control("GET", "messages", {})["messages"]]

    def _control(self, method: str, control: str, document: Mapping[str, Any]) -> dict[str, Any]:
        url = f"{self.variables['AWS_ENDPOINT_URL']}/_local/{control}"
        request = urllib.request.Request(url, json.dumps(document).encode(), method=method)  # noqa: S310
        with direct_opener().open(request, timeout=_ANSWER_SECONDS) as answer:
            answered: dict[str, Any] = json.load(answer)
        return answered


@dataclass(frozen=True)
class OwnLocalAws(LocalAws):
    """Local AWS that this process has started.

    Attributes:
        git_address: The host and port of the Git endpoint.
        process: The server, which ends with this process.
        containers: The container engine with its version; empty without one.
        no_containers: Why there is none.
    """

    git_address: str
    process: subprocess.Popen[str]
    containers: str
    no_containers: str

    def end(self) -> None:
        """End the server."""
        _end(self.process)

    def leave_to(self, record: Path) -> None:
        """Let the server outlive this process. It ends when the file is deleted."""
        assert self.process.stdin is not None  # noqa: S101
        os.write(self.process.stdin.fileno(), os.fsencode(f"{record}\n"))
        self.process.stdin.close()


def inside() -> bool:
    """Whether the environment variables of this process select a local AWS that is still running."""
    endpoint = local_endpoint()
    return endpoint is not None and answers(urlsplit(endpoint).netloc)


@contextmanager
def local_aws(region: str = "us-east-1") -> Iterator[dict[str, str]]:
    """Run local AWS for the time of a `with` block.

    Yields:
        Environment variables with which AWS clients and Git reach it. They have to override the process's own: some
        of them disable settings of the machine.

    Raises:
        ScaffoldError: The extra is not installed, or local AWS does not start.
    """
    with running_local_aws(region) as aws:
        yield aws.variables


@contextmanager
def running_local_aws(
    region: str = "us-east-1", runs: bool = False, speed: float = 1.0, failing: str = "", containers: str = "none"
) -> Iterator[OwnLocalAws]:
    """Run local AWS for the time of a `with` block.

    Args:
        region: The region of its clients.
        runs: Whether what is deployed to it runs: pipelines, builds and tasks. Otherwise it is only stored.
        speed: How many seconds of waiting, such as for an approval's timeout, pass in one second.
        failing: The pipeline action that fails whenever it is executed, as STAGE/ACTION; empty for none.
        containers: The container engine of what runs: `docker`, `podman`, `none`, or empty for what works.

    Raises:
        ScaffoldError: The extra or the container engine is not installed, or local AWS does not start.
    """
    with own_folder() as state:
        aws = start(state, region, [str(speed), containers, failing] if runs else [])
        try:
            yield aws
        finally:
            with indicator.busy("Waiting for local AWS to end"):
                aws.end()


def start(state: Path, region: str, running: list[str], lock: IO[str] | None = None) -> OwnLocalAws:
    """Start local AWS, and wait until it answers.

    Args:
        state: An empty folder of its own.
        running: The server's arguments about what runs; none where nothing does.
        lock: An open file that the server keeps open, and so locked.

    Raises:
        ScaffoldError: The extra is not installed, or local AWS does not start.
    """
    _require_extra()
    with indicator.busy("Waiting for local AWS to start"):
        return _start_server(state, region, running, lock)


def _start_server(state: Path, region: str, running: list[str], lock: IO[str] | None) -> OwnLocalAws:
    for folder in ("home", "tmp", "bin"):
        (state / folder).mkdir()
    log = state / "server.log"
    with log.open("w") as output:
        server = _start(state, region, output, running, lock)
    try:
        addresses = _wait_until_ready(server, log)
        write_files(state, region, addresses["authority"])
    except BaseException:
        _end(server)
        raise
    variables = variables_for(state, region, addresses["api"], addresses["git"], runs=bool(running))
    return OwnLocalAws(region, variables, addresses["git"], server, addresses["containers"], addresses["no_containers"])


def _readable(message: Mapping[str, Any]) -> str:
    try:
        content = json.loads(message["message"])
    except ValueError:
        content = message["message"]
    match content:
        case str():
            return content
        case {"source": "custom", "content": {"title": str(title)}}:
            return f"In chat: {title}"
    return str(message["subject"])


def _require_extra() -> None:
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ScaffoldError(
            f"Local AWS needs packages that are not installed ({', '.join(missing)}).",
            f"Install them with: {install_command(_REQUIREMENT)}",
        )


def _start(state: Path, region: str, log: IO[str], running: list[str], lock: IO[str] | None) -> subprocess.Popen[str]:
    """Start the server in a session of its own, which the terminal's Ctrl-C does not reach."""
    # -P: modules in the current directory must not be imported in place of packages.
    command = [sys.executable, "-P", "-m", "scaffold.local.server", str(state), region, *running]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=log,
        text=True,
        env=_server_variables(state, runs=bool(running)),
        cwd=state,
        start_new_session=True,
        pass_fds=[lock.fileno()] if lock else [],
    )


def _server_variables(state: Path, *, runs: bool) -> dict[str, str]:
    package_parent = str(Path(__file__).resolve().parents[2])
    inherited_path = os.environ.get("PYTHONPATH")
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "PYTHONPATH": os.pathsep.join(filter(None, [package_parent, inherited_path])),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(state / "home"),
        "TMPDIR": str(state / "tmp"),
        # ministack's settings: loopback only, no persistence, no further listeners, no containers.
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(state / "tmp"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
        DOCKER_VARIABLE: docker_host() if runs else "",
        DOWNLOADS: json.dumps(downloads(os.environ)),
    }


def _wait_until_ready(server: subprocess.Popen[str], log: Path) -> dict[str, str]:
    """Read the line in which the server prints its addresses."""
    assert server.stdout is not None  # noqa: S101
    with selectors.DefaultSelector() as output:
        output.register(server.stdout, selectors.EVENT_READ)
        readable = output.select(_START_SECONDS)
    line = server.stdout.readline() if readable else ""
    if not line:
        server.kill()
        server.wait()
        lines = log.read_text(errors="replace").strip().splitlines()
        raise ScaffoldError(
            f"Local AWS did not start: {lines[-1] if lines else 'it gave no reason'}.",
            f"Run the command once more; if it fails again, reinstall with: {install_command(_REQUIREMENT)}",
        )
    said: dict[str, str] = json.loads(line)
    if "changed" in said:
        server.wait()
        raise ScaffoldError(
            f"Local AWS did not start: {said['changed']}.", f"Install that one: pip install 'ministack=={TESTED}'"
        )
    if "no_engine" in said:
        server.wait()
        raise ScaffoldError(
            f"Local AWS did not start: {said['no_engine']}.",
            "Make it work for this user, or set SCAFFOLD_CONTAINER_ENGINE=none.",
        )
    return said


def _end(server: subprocess.Popen[str]) -> None:
    """Close the pipe, which ends the server; kill it after a time-out."""
    assert server.stdin is not None  # noqa: S101
    assert server.stdout is not None  # noqa: S101
    with suppress(OSError):
        server.stdin.close()
    try:
        server.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()
