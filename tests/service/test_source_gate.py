"""Secrets, dangerous code and vulnerable dependencies stop a source, and nothing outside of config/ changes that."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import OFFLINE, except_advisory, machine_environment, replace_by_link, run_script

Done = subprocess.CompletedProcess
ADVISORY = "GHSA-aaaa-bbbb-cccc"
HIDES = "secretlint-" + "disable"
KEY = "AKIA" + "Z7VRSQ5TJN2WQMRH"


def advisory(severity: str = "high", url: str = f"https://github.com/advisories/{ADVISORY}") -> dict[str, Any]:
    return {"source": 1, "name": "express", "title": "Bad", "url": url, "severity": severity, "range": "<=99.0.0"}


def answer(*via: object) -> str:
    return json.dumps({"auditReportVersion": 2, "vulnerabilities": {"express": {"via": list(via)}}})


class TestSourceGate:
    """What it makes of the exit codes of npm and of the checks."""

    @pytest.fixture
    def judge(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done[str]]:
        """Runs the gate with `npm ci` ending with a code, and with other checks."""
        self.calls: list[list[str]] = []
        self.environments: list[dict[str, str]] = []

        def judge(ci: int = 0, **scripts: str) -> Done[str]:
            def npm(command: list[str], **options: Any) -> Done[str]:
                assert options["timeout"] > 0
                self.calls.append(command)
                self.environments.append(options["env"])
                return Done(command, ci)

            package = service / "config/tools/package.json"
            if package.is_file():
                ran = {check: f"echo {check} ran" for check in ("secrets", "sast", "audit")}
                package.write_text(json.dumps({"scripts": ran | scripts}))
            secrets = {"BUILD_SECRETS": "NPM_TOKEN OTHER", "NPM_TOKEN": "secret", "OTHER": "secret"}
            return run_script(monkeypatch, service / "config/scripts/source_gate.py", npm, secrets)

        return judge

    def test_all_checks_run_with_the_tools_of_the_lock_file(self, judge: Callable[..., Done[str]]) -> None:
        done = judge(secrets="pwd; echo $PATH")
        folder, path, *rest = done.stdout.splitlines()
        assert (done.returncode, rest) == (0, ["sast ran", "audit ran", "Source gate open: secrets, sast, audit."])
        assert folder.endswith("/config/tools")
        assert path.startswith(f"{folder}/node_modules/.bin:")
        (call,) = self.calls
        assert call[:4] == ["npm", "--prefix", "config/tools", "ci"]
        assert "--ignore-scripts" in call

    def test_the_checks_run_side_by_side(self, judge: Callable[..., Done[str]]) -> None:
        waits = "for _ in $(seq 600); do [ ! -e last ] || exit 0; sleep 0.1; done; exit 1"
        assert judge(secrets=waits, audit="touch last").returncode == 0

    def test_its_tools_get_no_secrets_of_the_build(self, judge: Callable[..., Done[str]]) -> None:
        done = judge(secrets="env")
        assert "secret" not in self.environments[0].values()
        assert "PATH" in self.environments[0]
        assert {"NPM_TOKEN=secret", "OTHER=secret"}.isdisjoint(done.stdout.splitlines())

    def test_no_check_leaves_files_while_another_one_searches_them(
        self, service: Path, judge: Callable[..., Done[str]]
    ) -> None:
        (service / "config/tools/imported.py").touch()
        judge(audit="python3 -c 'import imported'")
        assert not (service / "config/tools/__pycache__").exists()

    def test_a_log_has_all_findings(self, judge: Callable[..., Done[str]]) -> None:
        done = judge(secrets="echo a key; exit 1", sast="sleep 0.1; echo an eval >&2; exit 2", audit="exit 3")
        assert (done.returncode, done.stdout) == (1, "a key\nan eval\n")
        assert done.stderr.startswith("Source gate closed: the checks secrets, sast, audit failed, as said above;")

    def test_without_the_tools_nothing_is_judged(self, judge: Callable[..., Done[str]]) -> None:
        done = judge(ci=1)
        assert (done.returncode, done.stdout) == (3, "")
        assert "so that nothing was checked; retry the stage." in done.stderr

    def test_a_check_that_does_not_end_closes_it(self, service: Path, judge: Callable[..., Done[str]]) -> None:
        gate = service / "config/scripts/source_gate.py"
        gate.write_text(gate.read_text().replace("CHECK_SECONDS = 300, 300", "CHECK_SECONDS = 300, 1"))
        done = judge(sast="echo begun; exec sleep 60", audit="exit 1")
        assert (done.returncode, done.stdout) == (3, "secrets ran\nbegun\n")
        assert "the check sast did not end within 1 s; retry the stage." in done.stderr

    def test_a_check_without_a_script_closes_it(self, service: Path, judge: Callable[..., Done[str]]) -> None:
        gate = service / "config/scripts/source_gate.py"
        gate.write_text(gate.read_text().replace('"audit")', '"audit", "more")'))
        done = judge()
        assert done.returncode == 3
        assert "config/tools/package.json does not have the scripts secrets, sast, audit, more; restore" in done.stderr

    def test_a_comment_hides_no_secret(self, service: Path, judge: Callable[..., Done[str]]) -> None:
        (service / ".hidden").mkdir()
        (service / ".hidden/settings").write_text(f"# {HIDES}\nkey = {KEY}\n")
        done = judge()
        assert done.returncode == 1
        assert ".hidden/settings has a comment that turns the search for secrets off;" in done.stdout
        assert "the check secrets failed" in done.stderr

    def test_the_tools_are_no_link(self, service: Path, judge: Callable[..., Done[str]]) -> None:
        replace_by_link(service / "config/tools", service / "app", leads_to_it=True)
        assert (judge().returncode, self.calls) == (3, [])


class TestAudit:
    """What the policy makes of npm's answer."""

    @pytest.fixture
    def judge(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done[str]]:
        def judge(output: str, error: str = "") -> Done[str]:
            def npm(command: list[str], **options: Any) -> Done[str]:
                names = {path.name for path in Path(options["cwd"]).iterdir()}
                assert names == {"package.json", "package-lock.json", ".npmrc"}
                return Done(command, 1, output, error)

            return run_script(monkeypatch, service / "config/scripts/audit.py", npm, {})

        return judge

    def test_an_advisory_stops_the_source_until_it_is_excepted_and_after_that(
        self, service: Path, judge: Callable[..., Done[str]]
    ) -> None:
        closed = judge(answer(advisory(), "another package"))
        assert closed.returncode == 1
        assert closed.stdout == f"HIGH  {ADVISORY}  express <=99.0.0  Bad  STOPS THE SOURCE\n"
        assert closed.stderr.startswith(f"Audit closed: {ADVISORY}; update the packages")
        policy = service / "config/policies/audit-policy.toml"
        without = policy.read_text()
        except_advisory(service, ADVISORY, 1)
        assert judge(answer(advisory())).returncode == 0
        policy.write_text(without)
        except_advisory(service, ADVISORY, -1)
        expired = judge(answer(advisory()))
        assert (expired.returncode, "its exception expired on" in expired.stdout) == (1, True)

    @pytest.mark.parametrize(("severity", "code"), [("info", 0), ("moderate", 0), ("high", 1), ("critical", 1)])
    def test_the_threshold_counts(self, judge: Callable[..., Done[str]], severity: str, code: int) -> None:
        assert judge(answer(advisory(severity))).returncode == code

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            (json.dumps({"message": "405 Method Not Allowed"}), "405 Method Not Allowed"),
            ("", "npm printed no JSON"),
            ("[]", "npm printed no vulnerabilities"),
            (answer(advisory("dreadful")), "unknown form"),
            (answer({"severity": "low"}), "unknown form"),
        ],
    )
    def test_it_fails_closed(self, judge: Callable[..., Done[str]], output: str, words: str) -> None:
        done = judge(output)
        assert (done.returncode, words in done.stderr, done.stderr.count("\n")) == (3, True, 1), done.stderr

    def test_without_an_answer_an_exception_with_a_date_lets_releases_go_on(
        self, service: Path, judge: Callable[..., Done[str]]
    ) -> None:
        refused = json.dumps({"message": "getaddrinfo ENOTFOUND"})
        assert 'add an exception with the id "unreachable"' in judge(refused).stderr
        except_advisory(service, "unreachable", 0)
        done = judge(refused)
        assert (done.returncode, done.stdout.startswith("Audit not done: getaddrinfo ENOTFOUND.")) == (0, True)
        assert judge(answer(advisory())).returncode == 1

    @pytest.mark.parametrize(
        "more",
        [
            "other = 1\n",
            "[[exceptions]]\nid = 'x'\n",
            "[[exceptions]]\nid='x'\nreason='y'\nexpires='2030-01-01'\n",
            "{",
        ],
    )
    def test_an_unknown_setting_closes_it(self, service: Path, judge: Callable[..., Done[str]], more: str) -> None:
        with (service / "config/policies/audit-policy.toml").open("a") as policy:
            policy.write(more)
        assert judge(answer()).returncode == 3

    def test_packages_need_a_lock_file_and_no_package_needs_none(
        self, service: Path, judge: Callable[..., Done[str]]
    ) -> None:
        (service / "app/package-lock.json").unlink()
        assert "has no lock file beside it" in judge(answer()).stderr
        (service / "app/package.json").unlink()
        assert judge(answer()).returncode == 0


def test_the_lock_file_of_the_tools_has_exact_versions_hashes_and_no_addresses(generated: Path) -> None:
    package = json.loads((generated / "config/tools/package.json").read_text())
    text = (generated / "config/tools/package-lock.json").read_text()
    lock = json.loads(text)
    assert lock["packages"][""]["devDependencies"] == package["devDependencies"]
    assert '"resolved"' not in text
    assert all(entry["integrity"].startswith("sha512-") for name, entry in lock["packages"].items() if name)
    assert set(package["scripts"]) == {"secrets", "sast", "audit"}


@contextmanager
def registry(advisories: dict[str, Any]) -> Iterator[str]:
    """A registry of this machine that knows advisories, and no packages."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(advisories).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tools_find_what_was_seeded_and_nothing_in_a_generated_service(service: Path) -> None:
    if not shutil.which("npm", path=machine_environment()["PATH"]):
        pytest.skip("npm is not installed")

    def npm(*words: str, **more: str) -> Done[str]:
        command = ["npm", "--prefix", "config/tools", *words]
        return subprocess.run(
            command, cwd=service, env=machine_environment(**more), capture_output=True, text=True, check=False
        )

    installed = npm("ci", "--ignore-scripts", "--no-audit")
    if installed.returncode and any(word in installed.stderr for word in OFFLINE):
        pytest.skip("the npm registry cannot be reached")
    assert installed.returncode == 0, installed.stderr
    for check in ("secrets", "sast"):
        clean = npm("run", "--silent", check)
        assert clean.returncode == 0, clean.stdout + clean.stderr

    # None of the source's own settings counts.
    (service / ".gitignore").write_text("*\n")
    (service / ".secretlintignore").write_text("**/*\n")
    (service / ".secretlintrc.json").write_text('{"rules": []}')
    (service / ".settings").write_text(f"key: {KEY}\n")
    (service / "app/eslint.config.js").write_text("export default [];\n")
    (service / "app/src/run.js").write_text("/* eslint-disable */\nexport const run = (input) => eval(input);\n")
    secrets, sast = (npm("run", "--silent", check) for check in ("secrets", "sast"))
    assert (secrets.returncode, ".settings" in secrets.stdout, KEY in secrets.stdout) == (1, True, False)
    assert (sast.returncode, "no-eval" in sast.stdout) == (1, True)

    known = {"id": 1, "url": f"https://github.com/advisories/{ADVISORY}", "title": "Bad", "severity": "high"}
    known |= {"vulnerable_versions": "<=99.0.0", "cwe": [], "cvss": {"score": 0}}
    with registry({"express": [known]}) as address:
        vulnerable = npm("run", "--silent", "audit", npm_config_registry=address)
    with registry({}) as address:
        sound = npm("run", "--silent", "audit", npm_config_registry=address)
    silent = npm("run", "--silent", "audit", npm_config_registry=address, npm_config_fetch_retries="0")
    assert (vulnerable.returncode, ADVISORY in vulnerable.stdout) == (1, True), vulnerable.stderr
    assert (sound.returncode, sound.stdout) == (0, "Audit open: no advisory is known.\n"), sound.stderr
    assert (silent.returncode, "unreachable" in silent.stderr) == (3, True), silent.stderr
