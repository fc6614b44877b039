"""`scaffold rehearse`: a commit on a local AWS of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from scaffold.core.git import git
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.folder import delete_abandoned
from scaffold.service import names
from tests.cli.running import COMMAND, ROOT
from tests.deploy.services import IMPOSSIBLE, commit, make_service
from tests.release.rehearsals import APPLICATION, DOCKERFILE, rehearse, result_of, small_service, statuses, trap
from tests.release.services import BUILD, ENVIRONMENT, PIPELINE

# A release takes half a minute, and on a busy machine several.
pytestmark = pytest.mark.timeout(600)

# In the form of real ones.
KEY, SECRET = "AKIAQ3EGRT5ZPLANTED0", "p1an7ed/Secret+Access+Key/0123456789abcdef"
LOGIN = "cGxhbnRlZDpyZWdpc3RyeS1wYXNzd29yZA=="


@pytest.fixture(autouse=True)
def aws_cli(path_with_aws_cli: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS CLI of the builds."""
    monkeypatch.setenv("PATH", path_with_aws_cli)


def plant(folder: Path, trapped: str) -> dict[str, str]:
    """Settings and credentials of a real account wherever tools look for them, and a Git that records its variables."""
    home, bin_folder = folder / "home", folder / "bin"
    files = {
        ".aws/credentials": f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n",
        ".aws/config": f"[default]\nregion = eu-west-3\nendpoint_url = http://{trapped}\n",
        ".docker/config.json": json.dumps({"auths": {trapped: {"auth": LOGIN}}}),
        ".gitconfig": f"[credential]\nhelper = \"!touch '{folder}/asked'\"\n[core]\nhooksPath = {folder}/hooks\n"
        f'[url "http://{trapped}/"]\ninsteadOf = codecommit::\n',
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    programs = {
        "hooks/pre-push": f"#!/bin/sh\ntouch '{folder}/hooked'\n",
        "bin/git": f"#!/bin/sh\nenv > '{folder}'/git-$$\nexec '{shutil.which('git')}' \"$@\"\n",
    }
    for name, text in programs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {
        "HOME": str(home),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": SECRET,
        "AWS_PROFILE": "default",
        "AWS_REGION": "eu-west-3",
        "AWS_ENDPOINT_URL": f"http://{trapped}",
        "AWS_ENDPOINT_URL_CODEPIPELINE": f"http://{trapped}",
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "DOCKER_HOST": f"tcp://{trapped}",
        "HTTPS_PROXY": f"http://{trapped}",
        "HTTP_PROXY": f"http://{trapped}",
        "REGISTRY_PASSWORD": SECRET,
    }


def rehearse_among_credentials(root: Path, folder: Path) -> dict[str, Any]:
    """Rehearse with credentials of a real account all around, and check that it neither uses nor changes them.

    Returns:
        The document of the rehearsal.
    """
    git("switch", "-q", "-c", "change", cwd=root)
    git("remote", "add", "origin", "https://example.com/orders.git", cwd=root)
    before = {path: path.read_bytes() for path in (root / ".git").rglob("*") if path.is_file()}
    with trap() as (trapped, connections):
        done = rehearse(root, "--yes", "--json", "--speed", "600", **plant(folder, trapped))
    assert done.returncode == 0, (done.stdout, done.stderr)
    # Also after an approval, at which the release is followed again, each line is printed once.
    assert done.stderr.count("✓ Build: Build") == 1

    assert connections == []
    assert not (folder / "asked").exists()
    assert not (folder / "hooked").exists()
    recorded = [path.read_text() for path in folder.glob("git-*")]
    pushing = [variables for variables in recorded if "CODE_COMMIT_ENDPOINT=" in variables]
    assert pushing
    assert [
        planted for planted in (KEY, SECRET, LOGIN, str(folder / "home")) for one in pushing if planted in one
    ] == []
    # Reading Git may refresh its index; everything else is as before.
    now = {path: path.read_bytes() for path in (root / ".git").rglob("*") if path.is_file()}
    assert {path.name for path in {**before, **now} if before.get(path) != now.get(path)} <= {"index"}
    document: dict[str, Any] = json.loads(done.stdout)
    head = git("rev-parse", "HEAD", cwd=root)
    assert (document["command"], document["outcome"], document["commit"]) == ("rehearse", "succeeded", head)
    return document


def test_a_rehearsal_uses_no_account(tiny: Path, tmp_path: Path) -> None:
    """Of a service that belongs to one."""
    answers = tiny / ".copier-answers.yml"
    answers.write_text(f'{answers.read_text()}aws_account_id: "123456789012"\n')
    commit(tiny)
    document = rehearse_among_credentials(tiny, tmp_path)
    assert set(statuses(document).values()) == {"Succeeded"}
    assert {one["commit"] for one in document["environments"]} == {document["commit"]}


@pytest.mark.slow
def test_a_commit_reaches_production_and_no_account(tmp_path: Path) -> None:
    """Of the kit's own service."""
    told = {"chat_notifications": True, "success_notifications": "every"}
    answers = {"aws_account_id": "123456789012", "build_secrets": "NPM_TOKEN", "encrypt_logs": True, **told}
    root = small_service(tmp_path / "orders", **answers)
    # What the build does fails without its secret.
    script = root / "config" / "scripts" / "build_image.sh"
    script.write_text(
        script.read_text().replace("say() {", 'test "$NPM_TOKEN" = "rehearsed value of NPM_TOKEN"\nsay() {')
    )
    commit(root)
    document = rehearse_among_credentials(root, tmp_path)
    # The merge gate has nothing to ask about what `scaffold deploy` has just deployed.
    ended = statuses(document)
    assert ended.pop(names.GATE_APPROVAL_STAGE) == "Skipped"
    assert set(ended.values()) == {"Succeeded"}
    (live,) = document["environments"]
    assert (live["production"], live["commit"]) == (True, document["commit"])
    assert live["answers"] == live["version"] is not None
    # Memory is not measured; every other alarm had the traffic of the rehearsal.
    assert document["requests"] > 0
    (mail,) = (one for one in document["messages"] if "waits for approval in the stage Approve-Live" in one)
    assert "\nWhat changes in live:\n- network: its first release creates everything\n" in mail
    assert "\nCommits of the first release:\n- " in mail
    assert re.search(r"\nlive costs about \d+\.\d\d USD a month without traffic\.\n", mail)
    assert [one for one in document["messages"] if one.startswith("In chat: ")] == [
        "In chat: hello-service: approval waiting",
        "In chat: Release succeeded",
    ]
    assert len([one for one in document["messages"] if "has succeeded in the stage Live." in one]) == 1
    assert [name for name in document["alarms_without_data"] if name.endswith(("memory", "5xx"))] == [
        f"{document['service']}-live-memory"
    ]
    assert {action["name"] for stage in document["stages"] for action in stage["actions"]} >= {"Service", "Approval"}


@pytest.mark.slow
@pytest.mark.parametrize("promotion", ["pipeline", "branches"])
def test_a_rehearsal_approves_as_one_of_the_approvers(tmp_path: Path, promotion: str) -> None:
    answers = {"environments": "dev,live"} if promotion == "branches" else {}
    root = small_service(tmp_path / "orders", approvers="Releasers,Leads", promotion=promotion, **answers)
    document = result_of(root, 0, "--yes")
    assert statuses(document)["Live"] == "Succeeded"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["errors:20%", "latency:2s", "unhealthy"])
def test_each_fault_is_judged_by_the_traffic_of_the_rehearsal(tmp_path: Path, fault: str) -> None:
    root = small_service(tmp_path / "orders")
    # Slower than by default, so that each minute has traffic on a busy machine too.
    document = result_of(root, 1, "--yes", "--speed", "20", "--fault", f"live={fault}")
    assert (document["failed"]["stage"], document["failed"]["action"]) == ("Live", "Service")
    # The alarm on unhealthy targets and the circuit breaker notice the same.
    ended = "Deployment (Alarm|Circuit Breaker)" if fault == "unhealthy" else "Deployment Alarm"
    assert re.search(f"ECS {ended} was triggered", document["failed"]["reason"])


@pytest.mark.slow
def test_a_fault_of_the_released_version_ends_the_release(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders")
    document = result_of(root, 1, "--yes", "--speed", "600", "--fault", "live=latency:1s", "--fault", "live=exit")
    failed = document["failed"]
    assert (failed["stage"], failed["action"]) == ("Live", "Service")
    assert "ECS Deployment Circuit Breaker was triggered" in failed["reason"]
    assert "This task was requested to exit at its start" in failed["log"]
    assert document["environments"][0]["answers"] is None


# What the templates of the small pipeline name.
ROLE = """\
  Role{name}:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {name}
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {{Service: [codebuild.amazonaws.com, codepipeline.amazonaws.com, events.amazonaws.com]}}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: all
          PolicyDocument:
            Version: '2012-10-17'
            Statement: [{{Effect: Allow, Action: '*', Resource: '*'}}]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A service whose pipeline has a short build, a stack in dev, and in prod an approval and a stack."""
    root = make_service(tmp_path / "tiny", "tiny")
    build = BUILD + "".join(ROLE.format(name=name) for name in ("build", "pipeline", "push"))
    files = {"infrastructure__build_yaml": build, "infrastructure__pipeline_yaml": PIPELINE, "version_txt": "v1\n"}
    tags = json.dumps({"Tags": {names.TAG_SERVICE: "tiny"}})
    commit(root, **files, infrastructure__environment_yaml=ENVIRONMENT, infrastructure__environment_json=tags)
    return root


@pytest.mark.slow
def test_a_rehearsal_ends_at_an_approval_without_a_terminal(tiny: Path) -> None:
    done = rehearse(tiny)
    assert done.returncode == 11, done.stderr
    assert "waits for approval in the stage Prod" in done.stdout
    assert "`scaffold rehearse --yes` approves it" in done.stdout
    assert "without a container engine" in done.stdout
    assert "docs/rehearsal.md" in done.stdout
    assert "URLs" not in done.stdout.replace("Local AWS has ended, and the URLs with it.", "")


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code", "status"), [("y", 0, "Succeeded"), ("n", 11, "InProgress")])
def test_a_terminal_asks_and_shows_what_it_approves(tiny: Path, answer: str, code: int, status: str) -> None:
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "rehearse"],
        cwd=str(tiny),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROMPT_TOOLKIT_NO_CPR": "1"},
        encoding="utf-8",
        timeout=250,
        dimensions=(50, 150),
    )
    child.expect("version +v1")
    child.expect("Approve this release")
    child.send(f"{answer}\r")
    child.expect(f"Prod +{status}")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code


@pytest.mark.slow
def test_an_action_fails_on_request(tiny: Path) -> None:
    document = result_of(tiny, 1, "--yes", "--fail", "prod/environment")
    assert document["failed"]["stage"] == "Prod"
    assert document["failed"]["action"] == "Environment"
    assert "requested to fail" in document["failed"]["reason"]
    dev, prod = document["environments"]
    assert (dev["commit"], prod["commit"]) == (document["commit"], None)
    assert list(statuses(document).values()) == ["Succeeded", "Succeeded", "Succeeded", "Failed"]


@pytest.mark.slow
def test_the_end_is_a_stage_and_the_next_one_is_not_entered(tiny: Path) -> None:
    document = result_of(tiny, 0, "--until", "dev")
    assert (document["outcome"], document["until"]) == ("succeeded", "Dev")
    assert statuses(document) == {"Source": "Succeeded", "Build": "Succeeded", "Dev": "Succeeded", "Prod": None}
    assert document["stages"][-1]["actions"] == []


@pytest.mark.slow
def test_a_stage_that_only_the_deployed_pipeline_names(tiny: Path) -> None:
    template = (tiny / "infrastructure/pipeline.yaml").read_text()
    computed = template.replace("- Name: Dev\n", "- Name: !Sub 'Dev'\n")
    assert computed != template
    commit(tiny, infrastructure__pipeline_yaml=computed)
    done = rehearse(tiny, "--until", "test")
    assert done.returncode == 2, done.stderr
    assert "has no stage 'test'.\n  Its stages are Source, Build, Dev, Prod." in done.stderr
    assert result_of(tiny, 0, "--until", "DEV")["until"] == "Dev"


def started(root: Path, temporary: Path, *options: str) -> Any:
    """A rehearsal at a terminal, whose temporary folders are in a new one."""
    temporary.mkdir()
    return pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "rehearse", *options],
        cwd=str(root),
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TMPDIR": str(temporary)},
        encoding="utf-8",
        timeout=250,
        dimensions=(50, 250),
    )


@pytest.mark.slow
def test_what_is_kept_can_be_used_until_ctrl_c(tiny: Path, tmp_path: Path) -> None:
    child = started(tiny, tmp_path / "tmp", "--until", "Source", "--keep")
    child.expect("export AWS_ENDPOINT_URL=(http://[0-9.:]+)")
    assert child.match
    endpoint = child.match[1]
    child.expect("the clone is (/[^ \r\n]+/tiny)[.]")
    clone = Path(child.match[1])
    child.expect("Ctrl-C to end it")
    state = subprocess.run(
        [*COMMAND, "status", "--json"],
        cwd=clone,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCAFFOLD_LOCAL": "1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert json.loads(state.stdout)["stages"][1]["disabled_reason"] == "scaffold rehearse --until Source", state.stderr
    assert git("remote", cwd=clone) == ""
    git("remote", "add", "origin", "codecommit::us-east-1://tiny", cwd=clone)
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    # No push from the clone reaches an account.
    assert git("remote", cwd=clone) == ""
    assert (clone / "version.txt").is_file()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == [clone.parent.name]


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    child = started(tiny, tmp_path / "tmp", "--keep")
    child.expect("Signed in")
    child.sendintr()
    child.expect("Interrupted: the rehearsal and its local AWS have ended")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_a_killed_rehearsal_is_deleted_by_the_next_local_aws(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = started(tiny, tmp_path / "tmp")
    child.expect("Signed in")
    child.kill(signal.SIGKILL)
    child.expect(pexpect.EOF)
    child.close()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    deadline = time.monotonic() + 60  # The server of local AWS ends by itself, and holds its folder until then.
    while list((tmp_path / "tmp").iterdir()) and time.monotonic() < deadline:
        delete_abandoned()
        time.sleep(0.2)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_a_deployment_that_fails_names_the_users_repository(tiny: Path) -> None:
    template = (tiny / "infrastructure/foundation.yaml").read_text()
    commit(tiny, infrastructure__foundation_yaml=template.replace("Outputs:\n", f"{IMPOSSIBLE}Outputs:\n"))
    done = rehearse(tiny)
    assert done.returncode == 1, done.stdout
    assert "scaffold-rehearse-" not in done.stderr.split("Error: ")[1]
    assert "scaffold deploy" not in done.stderr.split("Error: ")[1]


TEST_STAGE = """\
FROM ${BASE_IMAGE} AS test
WORKDIR /app
RUN mkdir reports && chown 1000:1000 reports
COPY test ./test
USER 1000:1000
CMD ["node", "--test", "--test-reporter=junit", "--test-reporter-destination=reports/junit.xml", "test/app_test.mjs"]

"""


def with_tests(root: Path, tests: str) -> None:
    """Commit tests of the application, which its image runs."""
    dockerfile = DOCKERFILE.replace("# tests: none\n", "").replace("FROM", f"{TEST_STAGE}FROM", 1)
    (root / "app" / "Dockerfile").write_text(dockerfile)
    commit(root, app__test__app_test_mjs=tests)


@pytest.mark.slow
def test_a_failing_unit_test_stops_the_release(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders")
    with_tests(root, "import test from 'node:test';\ntest('adds', () => { throw new Error('2 + 2 is 5'); });\n")
    document = result_of(root, 1, "--yes")
    assert (document["failed"]["stage"], document["failed"]["action"]) == ("Build", "Build")
    assert "the tests failed" in "\n".join(document["failed"]["log"])
    assert statuses(document)["Live"] is None
    assert document["environments"][0]["url"] is None


@pytest.mark.slow
def test_tests_that_cover_too_little_stop_the_release(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", coverage_threshold=80)
    lines = '<line number="1" hits="1"/><line number="2" hits="0"/>'
    wrapped = f"<packages><package><classes><class><lines>{lines}</lines></class></classes></package></packages>"
    report = f"writeFileSync('reports/coverage.xml', '<coverage>{wrapped}</coverage>');\n"
    with_tests(root, f"import {{ writeFileSync }} from 'node:fs';\nimport 'node:test';\n{report}")
    document = result_of(root, 1, "--yes")
    log = "\n".join(document["failed"]["log"])
    assert (document["failed"]["stage"], "the tests cover 50 % of the lines (1 of 2)" in log) == ("Build", True), log
    assert "Build stopped: the tests cover too little." in log


@pytest.mark.slow
def test_a_secret_and_dangerous_code_stop_the_release_before_anything_of_it_runs(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", APPLICATION + "export const f = (x) => eval(x);\n", source_gate=True)
    commit(root, settings_ini="key = AKIA" + "Z7VRSQ5TJN2WQMRH\n")
    document = result_of(root, 1, "--yes")
    assert document["failed"]["stage"] == "Build"
    log = "\n".join(document["failed"]["log"])
    assert "Source gate closed: the checks secrets, sast failed" in log
    assert "Audit open: there is no app/package.json" in log
    assert document["environments"][0]["url"] is None


@pytest.mark.slow
def test_a_scan_finding_stops_the_release(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", scan_gate="high")
    findings = tmp_path / "findings.json"
    finding = {"name": "CVE-2026-0001", "severity": "HIGH", "attributes": [{"key": "package_name", "value": "openssl"}]}
    findings.write_text(json.dumps({"imageScanFindings": {"findings": [finding]}}))
    document = result_of(root, 1, "--yes", "--scan-findings", findings)
    assert document["failed"]["stage"] == "Build"
    assert "CVE-2026-0001" in "\n".join(document["failed"]["log"])


@pytest.mark.slow
def test_a_scan_finding_below_the_threshold_stops_nothing(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", scan_gate="high")
    findings = tmp_path / "findings.json"
    findings.write_text(json.dumps({"findings": [{"name": "CVE-2026-0001", "severity": "LOW"}]}))
    assert result_of(root, 0, "--until", "Build", "--scan-findings", findings)["outcome"] == "succeeded"


@pytest.mark.slow
def test_a_finding_in_the_sbom_stops_the_release_until_an_exception_allows_it(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", scan_gate="high", customize=True, scan_engine="sbom")
    findings = tmp_path / "findings.json"
    component = {"bom-ref": "found-1", "name": "express", "version": "5.0.0", "purl": "pkg:npm/express@5.0.0"}
    finding = {"id": "CVE-2026-1", "ratings": [{"severity": "critical"}], "affects": [{"ref": "found-1"}]}
    findings.write_text(json.dumps({"sbom": {"vulnerabilities": [finding], "components": [component]}}))
    document = result_of(root, 1, "--yes", "--scan-findings", findings)
    assert document["failed"]["stage"] == "Build"
    log = "\n".join(document["failed"]["log"])
    assert "1 finding not allowed (CVE-2026-1)" in log
    assert "express (npm)  5.0.0" in log
    policy = root / "config/policies/scan-policy.toml"
    exception = '[[exceptions]]\nid = "CVE-2026-1"\nreason = "not reachable"\nexpires = 2999-01-01\n'
    policy.write_text(policy.read_text() + exception)
    commit(root)
    allowed = result_of(root, 0, "--until", "Build", "--scan-findings", findings)
    assert allowed["outcome"] == "succeeded"


@pytest.mark.slow
def test_a_failing_smoke_test_leaves_the_next_environment_untouched(tmp_path: Path) -> None:
    wrong = APPLICATION.replace("{ version, environment }", "{ version: 'another', environment }")
    root = small_service(tmp_path / "orders", wrong, environments="dev,live")
    document = result_of(root, 1, "--yes")
    assert (document["failed"]["stage"], document["failed"]["action"]) == ("Dev", "Tests")
    assert "returns version 'another'" in "\n".join(document["failed"]["log"])
    dev, live = document["environments"]
    assert (dev["answers"], dev["commit"]) == ("another", None)
    assert (live["url"], statuses(document)["Live"]) == (None, None)


@pytest.mark.slow
def test_a_failing_integration_test_leaves_the_next_environment_untouched_and_is_named(tmp_path: Path) -> None:
    """In dev only, beside one that passes."""
    root = small_service(tmp_path / "orders", environments="dev,live")
    test = "import { strict as assert } from 'node:assert';\nimport { it } from 'node:test';\n"
    test += "it('answers', async () => assert.equal((await fetch(process.env.SERVICE_URL)).status, 200));\n"
    test += "it('lists orders', () => assert.equal(process.env.ENVIRONMENT_NAME, 'live', 'no orders'));\n"
    commit(root, **{"config__tests__integration__orders.test_mjs": test})
    document = result_of(root, 1, "--yes")
    assert (document["failed"]["stage"], document["failed"]["action"]) == ("Dev", "Tests")
    assert "integration_tests.py" in document["failed"]["reason"]
    log = "\n".join(document["failed"]["log"])
    assert "Failed: lists orders: no orders" in log
    assert "Integration tests failed: 1 of 2." in log
    dev, live = document["environments"]
    assert dev["commit"] is None
    assert (live["url"], statuses(document)["Live"]) == (None, None)


@pytest.mark.slow
def test_a_task_that_exits_at_start_is_shown_with_its_last_words(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", "console.log('no database'); process.exit(1);\n")
    document = result_of(root, 1, "--yes")
    assert (document["failed"]["stage"], document["failed"]["action"]) == ("Live", "Service")
    assert "no database" in document["failed"]["log"]
    assert "Circuit Breaker" in document["failed"]["reason"]
