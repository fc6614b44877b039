"""What surrounds the process: the current folder, the home, the temporary folder, the disk."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from scaffold.core.os_failures import explain
from tests.cli.running import COMMAND, ROOT, assert_refused, scaffold


def in_shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `$SCAFFOLD` is the command line."""
    command = shlex.join(COMMAND)
    return subprocess.run(
        ["sh", "-c", script.replace("$SCAFFOLD", command)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "new orders --defaults",
        "destroy --yes",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("deploy", "local -- true", "deploy .")),
    ],
)
def test_a_current_folder_that_was_deleted(tmp_path: Path, arguments: str) -> None:
    done = in_shell(f'mkdir gone && cd gone && rmdir "$PWD" && $SCAFFOLD {arguments}', tmp_path)
    assert_refused(done, 1, "The current folder does not exist any more")


@pytest.mark.parametrize("arguments", ["--version", "--help", "deploy --json", "new --help"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_output_that_cannot_be_written(tmp_path: Path, arguments: str) -> None:
    done = in_shell(f"$SCAFFOLD {arguments} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert "No space left on device." in done.stderr
    assert "Traceback" not in done.stderr


def small_disk(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with a disk that is soon full mounted at `disk`, in a name space of its own."""
    mount = "mount -t tmpfs -o size=128k none disk && "
    (cwd / "disk").mkdir()
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("the system lets no user mount a file system")
    return in_shell(f"unshare -rm sh -c {shlex.quote(mount + script.replace('$SCAFFOLD', shlex.join(COMMAND)))}", cwd)


@pytest.mark.parametrize("variable", ["TMPDIR", pytest.param("HOME", marks=pytest.mark.slow)])
def test_a_full_disk(tmp_path: Path, variable: str) -> None:
    done = small_disk(f"{variable}=$PWD/disk $SCAFFOLD new orders --defaults", tmp_path)
    assert_refused(done, 1, "Free space")
    assert "gitops-scaffold" not in done.stderr.splitlines()[1]
    assert not (tmp_path / "orders").exists()


def test_a_full_disk_for_the_service(tmp_path: Path) -> None:
    assert_refused(small_disk("$SCAFFOLD new disk/orders --defaults", tmp_path), 1, "No space left")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    assert_refused(scaffold("new", "orders", "--defaults", cwd=tmp_path, HOME=str(tmp_path / "home")), 1, "unpacked")


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number), "/path") for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)),
        *(OSError(number, os.strerror(number)) for number in (errno.EACCES, errno.EMFILE, errno.EIO)),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
        RuntimeError("Could not determine home directory."),
    ],
    ids=str,
)
def test_what_the_system_refuses_is_a_sentence(error: OSError | RuntimeError) -> None:
    explained = explain(error)
    assert explained
    assert explained.exit_code == 1
    assert explained.happened.endswith(".")
    assert "[" not in explained.happened
    assert explained.remedy.endswith("run the same command again.")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file", "/x"), RuntimeError("odd")], ids=str)
def test_an_unexpected_failure_is_a_bug(error: OSError | RuntimeError) -> None:
    assert explain(error) is None
