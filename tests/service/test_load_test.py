"""The load test of a service: what Locust measures is compared with limits that cannot be left out."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.kits import generate
from tests.service.conftest import machine_environment, replace_by_link, serving

POLICY = "config/policies/load-test.toml"
LOCUSTFILE = "config/tests/load/locustfile.py"
HEADER = "Type,Name,Request Count,Failure Count,Median Response Time,95%\n"


@pytest.fixture(scope="module")
def with_load_test(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only: tests that change it use `loaded`."""
    return generate(tmp_path_factory.mktemp("load") / "service", customize=True, load_test="dev")


@pytest.fixture
def loaded(with_load_test: Path, tmp_path: Path) -> Path:
    """A copy of a service with a load test."""
    return shutil.copytree(with_load_test, tmp_path / "service")


def run(service: Path, url: str = "http://127.0.0.1:9", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, service / "config/scripts/load_test.py", service / "test-reports/load.xml"],
        cwd=service,
        env={**machine_environment(), "SERVICE_URL": url, "EXPECTED_VERSION": "new", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def set_policy(service: Path, **settings: object) -> None:
    """Replace values of the policy."""
    lines = (service / POLICY).read_text().splitlines()
    for name, value in settings.items():
        (index,) = [number for number, line in enumerate(lines) if line.startswith(f"{name} =")]
        lines[index] = f"{name} = {value}"
    (service / POLICY).write_text("\n".join(lines))


def report(service: Path) -> dict[str, tuple[str, str | None]]:
    """The tests of the report, each with its duration and the reason if it has failed."""
    root = ElementTree.parse(service / "test-reports/load.xml").getroot()
    assert (root.tag, {child.tag for child in root}) == ("testsuites", {"testsuite"})
    return {
        str(test.get("name")): (str(test.get("time")), next((str(one.get("message")) for one in test), None))
        for test in root.iter("testcase")
    }


def install_stand_in(service: Path, *rows: str, code: int = 0) -> None:
    """Put a program in place of the installed Locust that writes these results."""
    folder = service / "test-reports/locust"
    (folder / "bin").mkdir(parents=True)
    results = HEADER + "".join(f"{row}\n" for row in rows)
    script = "#!/bin/sh\nfor last; do :; done\nenv >variables\n"
    script += f'cat >"${{last}}_stats.csv" <<END\n{results}END\nexit {code}\n'
    (folder / "bin/locust").write_text(script)
    (folder / "bin/locust").chmod(0o755)
    locked = (service / "config/tests/load/requirements.txt").read_bytes()
    (folder / "installed").write_text(hashlib.sha256(locked).hexdigest())


def test_results_within_the_limits_pass_and_the_duration_is_the_latency(loaded: Path) -> None:
    install_stand_in(loaded, "GET,/,200,2,5,900", ",Aggregated,200,2,5,500")
    done = run(loaded, AWS_SECRET_ACCESS_KEY="s3cret")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Load test passed: 200 requests, 1.00 % errors, p95 latency 500 ms.\n"
    assert report(loaded) == {"requests": ("0.000", None), "errors": ("0.000", None), "p95 latency": ("0.500", None)}
    assert "s3cret" not in (loaded / "variables").read_text()


@pytest.mark.parametrize(
    ("row", "failed"),
    [
        (",Aggregated,200,2,5,510", "p95 latency: 510 ms, at most 500 ms"),
        (",Aggregated,200,2,5,nan", "p95 latency: nan ms, at most 500 ms"),
        (",Aggregated,200,3,5,500", "errors: 1.50 %, at most 1 %"),
        (",Aggregated,199,0,5,5", "requests: 199, at least 200"),
        (",Aggregated,0,0,N/A,N/A", "requests: 0, at least 200"),
    ],
)
def test_what_exceeds_a_limit_fails(loaded: Path, row: str, failed: str) -> None:
    install_stand_in(loaded, row)
    done = run(loaded)
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first == f"Failed: {failed}"
    assert last.startswith("Load test failed: ")
    name, _, reason = failed.partition(": ")
    assert report(loaded)[name][1] == reason


@pytest.mark.parametrize("rows", [(), ("GET,/,200,2,5,9",), (",Aggregated,many,2,5,9",), (",Aggregated,9,0,5,N/A",)])
def test_without_results_it_fails(loaded: Path, rows: tuple[str, ...]) -> None:
    install_stand_in(loaded, *rows)
    assert run(loaded).stderr == "Load test failed: Locust has written no results.\n"
    assert report(loaded) == {"load test": ("0", "Locust has written no results")}


def test_an_exit_code_of_locust_fails_whatever_the_results(loaded: Path) -> None:
    install_stand_in(loaded, ",Aggregated,200,0,5,5", code=3)
    assert run(loaded).stderr == "Load test failed: Locust ended with exit code 3.\n"


def drop_a_setting(service: Path) -> None:
    (service / POLICY).write_text((service / POLICY).read_text().replace("error_percent", "errors"))


WRONG: list[tuple[Callable[[Path], object], str]] = [
    (lambda service: (service / POLICY).unlink(), f"{POLICY} cannot be read: No such file or directory"),
    (lambda service: (service / POLICY).write_text("users"), f"{POLICY} is not valid TOML: "),
    (drop_a_setting, "and no others; correct 'error_percent'"),
    (lambda service: set_policy(service, error_percent=100), "error_percent in "),
    (lambda service: set_policy(service, p95_milliseconds='"500"'), "has to be a whole number from 1 to 60000"),
    (lambda service: set_policy(service, p95_milliseconds="inf"), "has to be a whole number from 1 to 60000"),
    (lambda service: set_policy(service, error_percent="nan"), "has to be a number from 0 to 99"),
    (lambda service: set_policy(service, minimum_requests="true"), "has to be a whole number from 1 to"),
    (lambda service: set_policy(service, minimum_requests=0), "has to be a whole number from 1 to"),
    (lambda service: replace_by_link(service / POLICY, service, leads_to_it=True), "is a symbolic link"),
    (lambda service: (service / "config/tests/load/requirements.txt").unlink(), "requirements.txt cannot be read"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_a_policy_that_cannot_be_applied_fails(loaded: Path, change: Callable[[Path], object], words: str) -> None:
    install_stand_in(loaded, ",Aggregated,200,0,5,5")
    change(loaded)
    done = run(loaded)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Load test failed: ")
    assert words in done.stderr
    assert len(report(loaded)) == 1


@pytest.mark.parametrize(("url", "version"), [("", "1"), ("ftp://x", "1"), ("http://x", "")])
def test_missing_variables_are_a_usage_error(loaded: Path, url: str, version: str) -> None:
    done = run(loaded, url, EXPECTED_VERSION=version)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Set SERVICE_URL (http://... or https://...) and EXPECTED_VERSION.\n"


def test_every_package_has_a_version_and_hashes_and_no_address(with_load_test: Path) -> None:
    text = (with_load_test / "config/tests/load/requirements.txt").read_text()
    assert "://" not in text
    packages = text.replace("\\\n", "").splitlines()
    assert all("==" in line and "--hash=sha256:" in line for line in packages)
    assert any(line.startswith("locust==") for line in packages)


@contextmanager
def environment(failing: str = "") -> Iterator[str]:
    """A service that fails for one path; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(500 if self.path == failing else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield url


@pytest.mark.slow
def test_locust_is_installed_from_its_hashes_and_measures_the_environment(loaded: Path) -> None:
    set_policy(loaded, seconds=6, minimum_requests=2, p95_milliseconds=20_000)
    with environment() as url:
        done = run(loaded, f"{url}/")
        if "could not be installed" in done.stderr:
            pytest.skip("the package index cannot be reached")
        assert done.returncode == 0, done.stderr
        assert "Load test passed: " in done.stdout
        # It measures what was sent, and by now Locust is installed.
        with environment("/") as broken:
            failed = run(loaded, broken)
        assert failed.returncode == 1
        assert "Failed: errors: 100.00 %, at most 1 %" in failed.stderr
        (loaded / LOCUSTFILE).write_text("no python(\n")
        assert "Load test failed: Locust ended with exit code 1." in run(loaded, url).stderr


@pytest.mark.slow
def test_without_a_package_index_it_fails_and_says_so(loaded: Path) -> None:
    done = run(loaded, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Load test failed: Locust could not be installed from the package index: ERROR: No matching")
    assert len(report(loaded)) == 1
