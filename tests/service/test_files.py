"""The generated files of app/ and config/ pass the linter of their kind and meet the design."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.kits import generate
from tests.service.conftest import HERE, TOOLS

SCRIPTS = (
    "audit.py",
    "begin_release.py",
    "build_image.sh",
    "complete_release.py",
    "content_hash.py",
    "contract.py",
    "group_tests.py",
    "infrastructure_checks.py",
    "provenance.py",
    "integration_tests.py",
    "parse_dockerfile.py",
    "preflight.py",
    "smoke_test.py",
    "source_gate.py",
    "strategy_gate.py",
    "task_settings.py",
)
YAMLLINT = "{extends: default, rules: {document-start: disable, truthy: disable, line-length: {max: 120}}}"


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


def accepts(*command: object) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def buildspec(service: Path, name: str) -> dict[str, Any]:
    document = yaml.safe_load((service / "config/buildspecs" / name).read_text())
    jsonschema.validate(document, json.loads((HERE / "buildspec.schema.json").read_text()))
    return document


def test_hadolint_accepts_the_dockerfile(generated):
    accepts(TOOLS / "hadolint", "--failure-threshold", "style", generated / "app/Dockerfile")


def test_shellcheck_and_bash_accept_the_scripts(generated):
    scripts = list((generated / "config/scripts").glob("*.sh"))
    assert scripts
    accepts(TOOLS / "shellcheck", "--severity", "style", *scripts)
    for script in scripts:
        accepts("bash", "-n", script)
        assert "set -euo pipefail" in script.read_text()


def test_yamllint_accepts_the_buildspecs(generated, generated_without_gate, generated_custom):
    for service in (generated, generated_without_gate, generated_custom):
        accepts(TOOLS / "yamllint", "--strict", "--config-data", YAMLLINT, service / "config/buildspecs")


def ruff_accepts_scripts(service: Path) -> None:
    """Check the Python scripts of a service, and their format."""
    select = "A,ARG,B,C4,E,F,I,N,PIE,PT,PTH,RET,RUF,SIM,UP,W"
    own = (
        "closed,content_hash,ecr,finding,group_tests,inspector,isolated_tests,parse_dockerfile,policy,report,sbom,scan"
    )
    config = f"lint.isort.known-first-party = [{', '.join(repr(name) for name in own.split(','))}]"
    accepts(
        *(TOOLS / "ruff", "check", "--isolated", "--no-cache", "--target-version", "py311", "--line-length", "120"),
        *("--select", select, "--ignore", "N818,UP017,UP036,E402", "--config", config),
        service / "config/scripts",
    )
    accepts(
        *(TOOLS / "ruff", "format", "--isolated", "--no-cache", "--line-length", "120"),
        *("--check", service / "config"),
    )


@pytest.mark.parametrize("service", ["generated", "generated_custom"])
def test_ruff_accepts_the_python_scripts(service, request):
    ruff_accepts_scripts(request.getfixturevalue(service))


@pytest.mark.slow
def test_mypy_accepts_the_python_scripts(generated_custom, tmp_path):
    scripts = generated_custom / "config/scripts"
    strict = ("--strict", "--no-incremental", "--cache-dir", tmp_path)
    accepts(sys.executable, "-m", "mypy", *strict, *scripts.glob("*.py"))
    # Its modules import each other, and those beside its folder, as they do when it runs.
    gate, found = scripts / "scan_gate", {**os.environ, "MYPYPATH": str(scripts)}
    done = run(sys.executable, "-m", "mypy", *strict, *gate.glob("*.py"), cwd=gate, env=found)
    assert done.returncode == 0, done.stdout


def test_scripts_may_be_run_directly(generated):
    for name in SCRIPTS:
        assert (generated / "config/scripts" / name).stat().st_mode & 0o111


class TestBuildspecs:
    def test_the_build_exports_what_later_stages_read(self, generated):
        document = buildspec(generated, "build.yml")
        assert " ".join(document["env"]["exported-variables"]) == (
            "IMAGE_URI IMAGE_TAG IMAGE_DIGEST RELEASE_NAME RELEASE_COMMIT"
        )
        assert document["env"]["shell"] == "bash"

    def test_the_gate_always_follows_the_build(self, generated):
        commands = buildspec(generated, "build.yml")["phases"]["build"]["commands"]
        assert commands[:5] == [
            "python3 config/scripts/source_gate.py",
            "bash config/scripts/build_image.sh image.env",
            ". ./image.env",
            "python3 config/scripts/provenance.py",
            "rm -rf scan-report && mkdir scan-report",
        ]
        assert "config/scripts/scan_gate " in commands[5]
        assert '"$IMAGE_DIGEST"' in commands[5]

    def test_findings_and_sbom_are_where_the_gate_writes_them(self, generated, generated_custom):
        for service, more in ((generated, ""), (generated_custom, ' --sbom "$PWD/scan-report/sbom.json"')):
            document = buildspec(service, "build.yml")
            report = document["reports"]["scan"]
            where = f"{report['base-directory']}/{report['files'][0]}"
            command = document["phases"]["build"]["commands"][5]
            assert f" --findings scan-report/findings.json --report {where}{more} --repository" in command

    def test_a_release_is_named_after_every_gate(self, generated, generated_without_gate, generated_custom):
        findings = " --findings scan-report/findings.json"
        sbom = f"{findings} --sbom scan-report/sbom.json"
        for service, given in ((generated, findings), (generated_without_gate, ""), (generated_custom, sbom)):
            naming = buildspec(service, "build.yml")["phases"]["build"]["commands"][-4:]
            assert naming[0] == "RELEASE=$(mktemp)"
            assert naming[1] == f'python3 config/scripts/begin_release.py{given} "$RELEASE"'
            # A build that leaves the name empty fails.
            assert naming[2:] == ['. "$RELEASE"', 'test -n "$RELEASE_NAME"']

    def test_the_report_is_where_the_tests_write_it(self, generated):
        report = buildspec(generated, "build.yml")["reports"]["unit-tests"]
        assert f"{report['base-directory']}/{report['files'][0]}" == "app/reports/junit.xml"
        package = json.loads((generated / "app/package.json").read_text())
        assert "--test-reporter-destination=reports/junit.xml" in package["scripts"]["test:report"]

    def test_a_check_runs_its_script(self, generated):
        document = buildspec(generated, "checks.yml")
        check, protection, infrastructure = document["phases"]["build"]["commands"]
        assert check == 'python3 "config/scripts/$CHECK.py"'
        assert protection == (
            '[[ -z ${PROTECTED:-} ]] || { EXPORTS=$(python3 config/scripts/protection.py) && eval "$EXPORTS"; }'
        )
        assert infrastructure == (
            "[[ ${INFRASTRUCTURE:-no} == no ]] || python3 config/scripts/infrastructure_checks.py"
        )

    def test_integration_tests_follow_the_smoke_test_and_their_report_is_where_they_write_it(self, generated):
        document = buildspec(generated, "tests.yml")
        smoke, integration = document["phases"]["build"]["commands"]
        assert smoke == "python3 config/scripts/smoke_test.py"
        report = document["reports"]["integration"]
        where = f"{report['base-directory']}/{report['files'][0]}"
        assert integration == f"python3 config/scripts/integration_tests.py {where}"
        assert where.split("/")[0] + "/" in (generated / ".gitignore").read_text().splitlines()
        assert set(document["env"]) == {"shell"}  # No variable reaches a later action.

    def test_interpreters_are_explicit_since_executable_bits_may_be_lost(self, generated):
        for name in ("build.yml", "checks.yml", "tests.yml"):
            for command in buildspec(generated, name)["phases"]["build"]["commands"]:
                if not command.startswith(("rm -rf scan-report", "RELEASE=", '. "$RELEASE"', "test ", "[[ ")):
                    assert command.startswith(("bash config/", "python3 config/", 'python3 "config/', ". ./"))

    @pytest.mark.parametrize(
        "fault",
        [
            {"version": "0.2"},
            {"phases": {}},
            {"phases": {"test": {"commands": ["x"]}}},
            {"reports": {"r": {"files": ["x"], "file-format": "JUNIT"}}},
            {"env": {"exported_variables": ["X"]}},
        ],
    )
    def test_the_schema_finds_faults(self, generated, fault):
        document = buildspec(generated, "build.yml") | fault
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, json.loads((HERE / "buildspec.schema.json").read_text()))


class TestDockerfile:
    @pytest.fixture
    def text(self, generated):
        return (generated / "app/Dockerfile").read_text()

    @pytest.fixture
    def stages(self, text):
        parts = re.split(r"^FROM \S+ AS (\w+)$", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def test_the_base_is_one_exact_version_without_rate_limits(self, text):
        base = re.findall(r"^ARG BASE_IMAGE=(.*)$", text, re.MULTILINE)
        assert len(base) == 1
        assert re.fullmatch(r"public\.ecr\.aws/docker/library/node:24\.\d+\.\d+-[a-z]+-slim", base[0])
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE_IMAGE}"}

    def test_no_buildkit_frontend_is_pulled(self, text):
        assert "syntax=" not in text

    def test_dependencies_come_from_the_lock_file(self, text, stages):
        assert "npm install" not in text
        assert "npm ci --omit=dev" in stages["dependencies"]
        assert "npm ci " in stages["test"]

    def test_the_image_runs_as_an_unprivileged_user(self, stages):
        assert re.findall(r"^USER (\S+)$", stages["service"], re.MULTILINE) == ["1000:1000"]
        assert stages["service"].index("USER") < stages["service"].index("ENTRYPOINT")

    def test_signals_reach_node(self, stages):
        assert 'ENTRYPOINT ["node", "src/main.js"]' in stages["service"]

    def test_the_last_stage_is_the_service_without_package_managers(self, text, stages):
        assert list(stages)[-1] == "service"
        removed = stages["service"].partition("RUN rm -rf")[2].partition("\nWORKDIR")[0]
        for path in ("/usr/local/lib/node_modules", "/usr/local/bin/npm", "/usr/bin/apt*", "/usr/bin/dpkg*"):
            assert path in removed.split()
        # Image scanners read the package database.
        assert not re.search(r"/var/lib/(dpkg\S*|\*)(\s|$)", removed)

    def test_tests_stay_out_of_the_image(self, stages):
        copied = re.findall(r"^COPY (?!--from)(.*)$", stages["service"], re.MULTILINE)
        assert copied == ["package.json ./", "src ./src"]


class TestPackage:
    @pytest.fixture
    def package(self, generated):
        return json.loads((generated / "app/package.json").read_text())

    @pytest.fixture
    def lock(self, generated):
        return json.loads((generated / "app/package-lock.json").read_text())

    def test_the_lock_file_is_of_this_package(self, package, lock):
        root = lock["packages"][""]
        assert (
            (lock["name"], lock["version"]) == (package["name"], package["version"]) == (root["name"], root["version"])
        )
        for kind in ("dependencies", "devDependencies", "engines"):
            assert root[kind] == package[kind]

    def test_the_lock_file_has_hashes_and_no_addresses(self, generated, lock):
        assert '"resolved"' not in (generated / "app/package-lock.json").read_text()
        for name, entry in lock["packages"].items():
            assert not name or entry["integrity"].startswith("sha512-"), name

    def test_versions_are_exact(self, package):
        for version in (package["dependencies"] | package["devDependencies"]).values():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version)

    def test_app_is_the_same_for_every_service(self, generated, generated_custom):
        files = [path.relative_to(generated) for path in (generated / "app").rglob("*") if path.is_file()]
        assert len(files) > 10
        for name in files:
            assert (generated_custom / name).read_bytes() == (generated / name).read_bytes(), name


class TestPolicies:
    def test_the_threshold_is_the_answer(self, generated, generated_custom):
        for service, given in (
            (generated, {"threshold": "critical"}),
            (generated_custom, {"threshold": "high", "only_fixed": False}),
        ):
            policy = tomllib.loads((service / "config/policies/scan-policy.toml").read_text())
            assert policy == {"unscored_counts_as": "high", "timeout_minutes": 20} | given

    def test_pull_requests_need_the_approvals_of_the_answer(self, generated, generated_custom):
        # One more than people, since without a pool that of the verdict counts too.
        for service, approvals in ((generated, 2), (generated_custom, 4)):
            assert json.loads((service / "config/policies/approval-rule-review.json").read_text()) == {
                "Version": "2018-11-08",
                "DestinationReferences": ["refs/heads/main"],
                "Statements": [{"Type": "Approvers", "NumberOfApprovalsNeeded": approvals}],
            }

    def test_with_reviewers_only_their_approvals_count(self, tmp_path):
        answers = {"customize": True, "pull_request_approvals": 2, "reviewers": "Developers, Tech.Leads@x"}
        service = generate(tmp_path / "service", **answers)
        (statement,) = json.loads((service / "config/policies/approval-rule-review.json").read_text())["Statements"]
        assumed = "arn:${AWS::Partition}:sts::${AWS::AccountId}:assumed-role/"
        assert statement["NumberOfApprovalsNeeded"] == 2
        assert statement["ApprovalPoolMembers"] == [f"{assumed}Developers/*", f"{assumed}Tech.Leads@x/*"]

    def test_pull_requests_need_the_approval_of_the_verdict(self, generated, generated_without_gate):
        for service in (generated, generated_without_gate):
            rule = json.loads((service / "config/policies/approval-rule-checks.json").read_text())
            (statement,) = rule["Statements"]
            (member,) = statement["ApprovalPoolMembers"]
            assert (statement["NumberOfApprovalsNeeded"], rule["DestinationReferences"]) == (1, ["refs/heads/main"])
            assert member.endswith(":assumed-role/hello-service-pr-verdict/verdict")

    def test_without_gate_and_approvals_their_files_are_absent(self, generated_without_gate):
        files = [str(path.relative_to(generated_without_gate)) for path in generated_without_gate.rglob("*")]
        assert not [name for name in files if "scan" in name or "approval-rule-review" in name]
        commands = buildspec(generated_without_gate, "build.yml")["phases"]["build"]["commands"]
        assert commands[1:3] == ["bash config/scripts/build_image.sh image.env", ". ./image.env"]
        assert commands[3:5] == ["python3 config/scripts/provenance.py", "RELEASE=$(mktemp)"]
        for name in ("build.yml", "checks.yml"):
            assert "scan" not in (generated_without_gate / "config/buildspecs" / name).read_text()


def test_template_conditions_leave_no_blank_lines(generated, generated_without_gate, generated_custom):
    for service in (generated, generated_without_gate, generated_custom):
        for folder in ("app", "config"):
            for path in (service / folder).rglob("*"):
                if path.is_file() and path.suffix != ".py" and "lock" not in path.name:
                    text = path.read_text()
                    assert "\n\n\n" not in text, path
                    assert not text.startswith("\n"), path
                    assert text.endswith("\n"), path
                    assert not text.endswith("\n\n"), path
                    assert not re.search(r"[ \t]$", text, re.MULTILINE), path


def test_make_lists_its_targets(generated):
    done = run("make", "--no-print-directory", cwd=generated)
    assert done.returncode == 0, done.stderr
    targets = re.findall(r"^  make ([a-z-]+) +\S", done.stdout, re.MULTILINE)
    lines = (generated / "Makefile").read_text().replace("\\\n", "")
    phony = re.findall(r"^\.PHONY: (.*)$", lines, re.MULTILINE)[0].split()
    assert targets == phony
