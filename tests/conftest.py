"""The environment of every test: a temporary home, and none of the machine's Git, AWS or proxy settings."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from scaffold.local.environment import OwnLocalAws, running_local_aws
from tests.fast_botocore import fast_botocore
from tests.fast_copier import fast_copier
from tests.fork_server import AWS_CLI, GIT_REMOTE_CODECOMMIT, fork_server, programs, shared_servers
from tests.kits import keep_kits_in
from tests.local_aws_forks import LOCAL_AWS, forking_local_aws, local_aws_server

# Settings of the machine that would change a test: repositories, committers, accounts, proxies.
_PREFIXES = ("AWS_", "GIT_", "XDG_", "COPIER_", "COOKIECUTTER_", "SCAFFOLD_", "CODE_COMMIT_", "BOTO_")
_NAMES = {"EMAIL", "NO_COLOR", "EDITOR", "VISUAL", *(f"{kind}_proxy" for kind in ("http", "https", "all", "no"))}


def isolated(home: Path, environment: dict[str, str] | None = None) -> dict[str, str]:
    """An environment with nothing of the machine but its programs.

    Args:
        environment: The environment to reduce; this process's by default.
    """
    kept = {
        name: value
        for name, value in (os.environ if environment is None else environment).items()
        if not name.startswith(_PREFIXES) and name.lower() not in {known.lower() for known in _NAMES}
    }
    return kept | {
        "HOME": str(home),
        # A local AWS that runs in the background on this machine is not used.
        "XDG_RUNTIME_DIR": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_TEMPLATE_DIR": "",  # new repositories are without sample hooks
        # Each connection would read the machine's authorities, which takes longer than a push to local AWS.
        "GIT_SSL_CAINFO": os.devnull,
        "GIT_SSL_CAPATH": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        "SCAFFOLD_CONTAINER_ENGINE": "none",  # Tests behave the same on a machine that has one.
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
    }


@contextmanager
def only(environment: dict[str, str]) -> Iterator[None]:
    """Let this process have these environment variables and no others."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _keeping_bytecode() -> Iterator[None]:
    """Keep what pytest compiles, whatever PYTHONDONTWRITEBYTECODE says: it takes half of the collection."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def pytest_configure(config: pytest.Config) -> None:
    """Collect garbage less often: at Python's default, that takes a tenth of the time."""
    shared_servers.update(getattr(config, "workerinput", {}).get("fork_servers", {}))
    gc.set_threshold(50_000, 20, 20)
    with _keeping_bytecode():
        from hypothesis import HealthCheck, settings
    # An example takes as long as the machine lets it. Each run tries others.
    settings.register_profile("tests", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Let all workers of pytest-xdist share the processes that take longest to start."""
    node.workerinput["fork_servers"] = _servers_of_all_workers(node.config)


@functools.cache
def _servers_of_all_workers(config: pytest.Config) -> dict[str, str]:
    running = ExitStack()
    config.add_cleanup(running.close)
    home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="fork-servers-")))
    with only(isolated(home)):
        servers = {function: fork_server(function) for function in (AWS_CLI, GIT_REMOTE_CODECOMMIT)}
        servers[LOCAL_AWS] = local_aws_server()
        return {function: os.fspath(running.enter_context(server)) for function, server in servers.items()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test: at the end, it would run for minutes beside idle workers."""
    items.sort(key=lambda item: item.name != "test_newer_versions_become_pull_requests_that_nobody_has_approved")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the compiled tests."""
    with _keeping_bytecode():
        return (yield)


def pytest_collection_finish() -> None:
    """Leave what lives as long as the run, modules and tests, out of garbage collections."""
    gc.freeze()


_ENVIRONMENT = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session", autouse=True)
def _isolation(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary home for each worker process, so that the embedded kit is unpacked once."""
    # A shell starts background jobs with SIGINT ignored, which every command under test would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keep_kits_in(tmp_path_factory.mktemp("kits"))
    with only(isolated(tmp_path_factory.mktemp("home"))):
        pytestconfig.stash[_ENVIRONMENT] = dict(os.environ)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Report a test that leaves other environment variables to those of other modules."""
    yield
    if nextitem is not None and nextitem.path == item.path:
        return
    left, expected = dict(os.environ), item.config.stash[_ENVIRONMENT]
    changed = {name for name in {*left, *expected} if left.get(name) != expected.get(name)} - {"PYTEST_CURRENT_TEST"}
    assert nextitem is None or not changed, f"{item.path} leaves other values of {', '.join(sorted(changed))}."


@pytest.fixture(scope="session")
def remote_helper() -> Iterator[Path]:
    """The folder of a git-remote-codecommit that starts quickly."""
    with programs(git_remote_codecommit=GIT_REMOTE_CODECOMMIT) as folder:
        yield folder


@pytest.fixture(scope="session")
def path_with_aws_cli() -> Iterator[str]:
    """A PATH with an AWS CLI that starts quickly.

    The lowest versions that the package allows are tested with the machine's `aws`.
    """
    if not importlib.util.find_spec("awscli"):
        yield os.environ["PATH"]
        return
    with programs(aws=AWS_CLI) as folder:
        yield f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def local_aws_for_builds(path_with_aws_cli: str) -> Callable[..., AbstractContextManager[OwnLocalAws]]:
    """Runs local AWS whose builds have that AWS CLI; takes the arguments of `running_local_aws`."""

    @contextmanager
    def run(*arguments: Any, **options: Any) -> Iterator[OwnLocalAws]:
        with ExitStack() as running:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", path_with_aws_cli)  # It finds the programs when it starts.
                aws = running.enter_context(running_local_aws(*arguments, runs=True, **options))
            yield aws

    return run


@pytest.fixture(scope="session", autouse=True)
def _fast_libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    compiled = shared / "compiled-templates"
    compiled.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast_copier(monkeypatch, compiled)
        fast_botocore(monkeypatch)
        with forking_local_aws(monkeypatch):
            yield
