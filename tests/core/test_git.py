"""Git's failures by their kind, and Git without the variables and the configuration that change what it does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import REPOSITORY_VARIABLES, clean_environment, git, isolated_git
from scaffold.core.git_failures import GitFailed, GitFailure, classify
from tests.kits import IDENTITY


def failure(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> GitFailed:
    with pytest.raises(GitFailed) as raised:
        git(*arguments, cwd=cwd, env=env)
    return raised.value


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    git("init", "-q", "-b", "main", str(folder), cwd=tmp_path)
    (folder / "file").write_text("one\n")
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", "one", cwd=folder, env=IDENTITY)
    return folder


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A web server that answers every request with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/kit.git"
    assert failure("ls-remote", address, cwd=tmp_path).kind is GitFailure.NETWORK


def test_no_access(tmp_path: Path) -> None:
    for status in (401, 403):
        with answering(status) as server:
            assert failure("ls-remote", f"{server}/kit.git", cwd=tmp_path).kind is GitFailure.DENIED


def test_words_in_an_address_are_ignored(tmp_path: Path) -> None:
    with answering(404) as server:
        for name in ("proxy", "credentials", "connection-refused"):
            assert failure("ls-remote", f"{server}/{name}.git", cwd=tmp_path).kind is GitFailure.OTHER


def test_no_remote_helper(tmp_path: Path) -> None:
    assert failure("ls-remote", "nosuchhelper::x", cwd=tmp_path).kind is GitFailure.OTHER


def test_no_identity(repository: Path, tmp_path: Path) -> None:
    no_identity = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    commit = ("-c", "user.useConfigOnly=true", "commit", "--allow-empty", "-m", "x")
    assert failure(*commit, cwd=repository, env=no_identity).kind is GitFailure.NO_IDENTITY


def test_a_repository_of_another_user(repository: Path) -> None:
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    assert failure("status", cwd=repository, env=other).kind is GitFailure.DUBIOUS_OWNERSHIP


def test_refused_pushes(repository: Path, tmp_path: Path) -> None:
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    git("clone", "-q", "--bare", str(repository), str(bare), cwd=tmp_path)
    git("clone", "-q", str(bare), str(clone), cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repository, env=IDENTITY)
    git("push", "-q", str(bare), "main", cwd=repository)
    git("commit", "-q", "--allow-empty", "-m", "other", cwd=clone, env=IDENTITY)
    assert failure("push", "origin", "main", cwd=clone).kind is GitFailure.NOT_FAST_FORWARD
    git("fetch", "-q", cwd=clone)
    assert failure("push", "origin", "main", cwd=clone).kind is GitFailure.NOT_FAST_FORWARD
    assert failure("merge", "--ff-only", "origin/main", cwd=clone).kind is GitFailure.NOT_FAST_FORWARD
    git("tag", "v1", cwd=repository)
    git("push", "-q", str(bare), "v1", cwd=repository)
    git("tag", "v1", cwd=clone)
    assert failure("push", "origin", "v1", cwd=clone).kind is GitFailure.OTHER
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / "pre-receive").write_text("#!/bin/sh\necho main is protected >&2\nexit 1\n")
    (bare / "hooks" / "pre-receive").chmod(0o755)
    git("reset", "-q", "--hard", "origin/main", cwd=clone)
    git("commit", "-q", "--allow-empty", "-m", "three", cwd=clone, env=IDENTITY)
    assert failure("push", "origin", "main", cwd=clone).kind is GitFailure.REMOTE_REJECTED


def test_other_failures(tmp_path: Path) -> None:
    failed = failure("clone", "-q", str(tmp_path / "nowhere"), "x", cwd=tmp_path)
    assert failed.kind is GitFailure.OTHER
    assert "nowhere" in failed.reason
    assert failed.happened.startswith("`git clone` failed: repository ")


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("ssh: Could not resolve hostname git.example.com: Name or service not known", GitFailure.NETWORK),
        ("ssh: connect to host git.example.com port 22: No route to host", GitFailure.NETWORK),
        ("fatal: unable to access 'https://x/y/': Received HTTP code 407 from proxy after CONNECT", GitFailure.NETWORK),
        (
            'File "/venv/botocore/credentials.py", line 1\nbotocore.exceptions.EndpointConnectionError: '
            'Could not connect to the endpoint URL: "https://sts.amazonaws.com/"',
            GitFailure.NETWORK,
        ),
        ("fatal: Unable to locate credentials", GitFailure.DENIED),
        ("git@git.example.com: Permission denied (publickey,password).", GitFailure.DENIED),
        ("ERROR: Permission to team/kit.git denied to ann.", GitFailure.DENIED),
        ("fatal: could not read Username for 'https://git.example.com': terminal prompts disabled", GitFailure.DENIED),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/y/'", GitFailure.DENIED),
        ("git: 'remote-codecommit' is not a git command. See 'git --help'.", GitFailure.HELPER_MISSING),
        ("fatal: unable to find remote helper for 'codecommit'", GitFailure.HELPER_MISSING),
        ("git: 'comit' is not a git command. See 'git --help'.", GitFailure.OTHER),
        ("fatal: could not create work tree dir 'x': Permission denied", GitFailure.OTHER),
        ("*** Please tell me who you are.", GitFailure.NO_IDENTITY),
        ("fatal: empty ident name (for <>) not allowed", GitFailure.NO_IDENTITY),
        ("", GitFailure.OTHER),
    ],
)
def test_messages_of_other_hosts(stderr: str, kind: GitFailure) -> None:
    assert classify(stderr) is kind


def test_all_variables_of_a_repository_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = set(git("rev-parse", "--local-env-vars", cwd=tmp_path).split())
    assert listed - {"GIT_CONFIG_COUNT"} <= set(REPOSITORY_VARIABLES)
    for name in listed:
        monkeypatch.setenv(name, "x")
    assert not set(clean_environment()) & (listed - {"GIT_CONFIG_COUNT"})


def test_the_repository_of_a_running_hook_is_ignored(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    git("init", "-q", str(tmp_path / "other"), cwd=tmp_path)
    assert git("rev-parse", "--show-toplevel", cwd=tmp_path / "other") == str((tmp_path / "other").resolve())


def test_configuration_in_the_environment_applies_to_the_users_repositories_only(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "test.key")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "value")
    assert git("config", "test.key", cwd=repository) == "value"
    with pytest.raises(GitFailed):
        isolated_git("config", "test.key", cwd=repository)


@pytest.mark.parametrize("ended", ["kill -INT $$", "exit 130"])
def test_a_git_that_was_interrupted_interrupts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: str) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n{ended}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(KeyboardInterrupt):
        git("status", cwd=tmp_path)


def test_git_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScaffoldError, match="Git is not installed"):
        git("version", cwd=tmp_path)
    with pytest.raises(FileNotFoundError):
        git("version", cwd=tmp_path / "nowhere")
