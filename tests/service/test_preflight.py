"""The preflight stops a release that needs stacks, permissions or secrets which only people create."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.service.stack_kinds import OPTIONAL_KINDS, PIPELINE, STACK_KINDS, Deployer
from tests.service.conftest import function_of, replace_by_link, run_script

READY, STOPPED, USAGE_ERROR, UNREAD = 0, 1, 2, 3
APP = "hello-service"
REMEDY = "; run `scaffold deploy` with this commit, then `scaffold retry Gate`.\n"
KINDS = ("network", "environment", "task-definition", "alarms", "service")
DELIVERY = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF and kind is not PIPELINE}
ENVIRONMENTS = ("dev", "staging", "prod")
ABSENT = "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id x does not exist"
DENIED = "An error occurred (AccessDenied) when calling the GetTemplate operation: not authorized"


class Preflight:
    """The preflight of a generated service, with responses of CloudFormation.

    Attributes:
        statuses: The status of each stack, other than CREATE_COMPLETE; None for a stack that does not exist.
        templates: The deployed template of each stack, other than that of the source.
        errors: The error of each call, by stack or secret.
        secrets: The description of each secret, by its name in its store.
        calls: Operation and stack of each call.
    """

    def __init__(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.infrastructure = service / "infrastructure"
        self.statuses: dict[str, str | None] = {}
        self.templates: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        self.secrets: dict[str, Any] = {}
        self.calls: list[tuple[str, str]] = []
        self._script = service / "config/scripts/preflight.py"
        self._monkeypatch = monkeypatch

    def template(self, stack: str) -> str:
        """The source of a stack's template."""
        kind = next(kind for kind in ("foundation", "permissions", "deploy-role") if stack.endswith(kind))
        return (self.infrastructure / f"{kind}.yaml").read_text()

    def run(self, raised: Exception | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it in this process."""

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert options["timeout"] > 0
            if command[1] in ("ssm", "secretsmanager"):
                return self._secret(command)
            assert command[:2] + command[3:4] + command[5:] == [
                "aws",
                "cloudformation",
                "--stack-name",
                "--output",
                "json",
            ]
            operation, stack = command[2], command[4]
            self.calls.append((operation, stack))
            if raised:
                raise raised
            if error := self.errors.get(stack) or (self.statuses.get(stack, "") is None and ABSENT):
                return subprocess.CompletedProcess(command, 254, "", f"\n{error}\n")
            if operation == "describe-stacks":
                answer: object = {"Stacks": [{"StackStatus": self.statuses.get(stack, "CREATE_COMPLETE")}]}
            else:
                answer = {"TemplateBody": self.templates.get(stack, None) or self.template(stack)}
            return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")

        return run_script(self._monkeypatch, self._script, aws, {"APP_NAME": APP, **variables})

    def _secret(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """What a store says about a secret; none of these calls returns a value."""
        if command[1] == "ssm":
            expected = ["list-tags-for-resource", "--resource-type", "Parameter", "--resource-id"]
        else:
            expected = ["describe-secret", "--secret-id"]
        assert command[2:-3] == expected
        name = command[-3]
        self.calls.append((command[2], name))
        error = self.errors.get(name)
        answer = json.dumps(self.secrets.get(name, {}))
        return subprocess.CompletedProcess(command, 254 if error else 0, "" if error else answer, error or "")


def listing(preflight: Preflight, **secrets: Any) -> None:
    """Let the source list secrets."""
    path = preflight.infrastructure.parent / "config/environments/secrets.json"
    path.write_text(json.dumps(secrets))


@pytest.fixture
def preflight(service: Path, monkeypatch: pytest.MonkeyPatch) -> Preflight:
    return Preflight(service, monkeypatch)


def stopped(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Assert that it stopped the release with one sentence, made of these parts and the remedy."""
    assert (done.returncode, done.stdout) == (STOPPED, ""), done.stdout + done.stderr
    assert done.stderr == f"Preflight failed: {', and '.join(parts)}{REMEDY}"


def test_a_release_continues_where_everything_is_prepared(preflight: Preflight) -> None:
    done = preflight.run()
    assert (done.returncode, done.stderr) == (READY, "")
    assert done.stdout.startswith("Preflight passed: ")
    looked_at = {("describe-stacks", f"{APP}-{env}-{kind}") for env in ENVIRONMENTS for kind in KINDS}
    looked_at |= {("describe-stacks", f"{APP}-{kind}") for kind in DELIVERY - {kind.name for kind in OPTIONAL_KINDS}}
    looked_at |= {("get-template", f"{APP}-{env}-deploy-role") for env in ENVIRONMENTS}
    looked_at |= {("get-template", f"{APP}-{kind}") for kind in ("foundation", "permissions")}
    assert Counter(preflight.calls) == Counter(looked_at)


@pytest.mark.parametrize(
    "status",
    [
        None,
        "REVIEW_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
        "DELETE_FAILED",
    ],
)
def test_a_stack_that_cannot_be_updated_is_not_prepared(preflight: Preflight, status: str | None) -> None:
    preflight.statuses[f"{APP}-prod-alarms"] = status
    stopped(preflight.run(), f"the stack {APP}-prod-alarms is not prepared")


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"],
)
def test_a_stack_that_was_released_is_prepared(preflight: Preflight, status: str) -> None:
    preflight.statuses[f"{APP}-prod-alarms"] = status
    assert preflight.run().returncode == READY


def test_a_new_environment_is_prepared_by_a_deployment(preflight: Preflight) -> None:
    names = [f"{APP}-staging-{kind}" for kind in KINDS]
    preflight.statuses |= dict.fromkeys([*names, f"{APP}-staging-deploy-role"])
    older = f"the stack {APP}-staging-deploy-role is older than its template"
    stopped(preflight.run(), f"the stacks {', '.join(names)} are not prepared", older)


@pytest.mark.parametrize("kind", sorted(DELIVERY))
def test_a_new_stack_of_the_delivery_is_created_by_a_deployment(preflight: Preflight, kind: str) -> None:
    (preflight.infrastructure / f"{kind}.yaml").touch()
    preflight.statuses[f"{APP}-{kind}"] = None
    stopped(preflight.run(), f"the stack {APP}-{kind} is not prepared")


def test_the_first_release_may_start_before_the_pipeline_is_created(preflight: Preflight) -> None:
    preflight.statuses[f"{APP}-{PIPELINE.name}"] = "CREATE_IN_PROGRESS"
    assert preflight.run().returncode == READY


@pytest.mark.parametrize(
    ("file", "there"),
    [
        ("foundation.yaml", True),
        ("dev", True),
        ("dev", False),
        ("prod/task-definition.yaml", True),
        ("prod/network.json", True),
        ("prod/network.json", False),
    ],
)
def test_a_symbolic_link_stops_the_release(preflight: Preflight, tmp_path: Path, file: str, there: bool) -> None:
    replace_by_link(preflight.infrastructure / file, tmp_path, leads_to_it=there)
    done = preflight.run()
    assert done.returncode == UNREAD
    assert done.stderr == (
        f"Preflight failed: infrastructure/{file} is a symbolic link, or in a folder that is one; replace the link with"
        " what it leads to.\n"
    )


def test_an_environment_in_an_existing_vpc_has_no_network(preflight: Preflight) -> None:
    (preflight.infrastructure / "prod" / "network.json").unlink()
    preflight.statuses[f"{APP}-prod-network"] = None
    assert preflight.run().returncode == READY


@pytest.mark.parametrize("deployed", [None, "Resources: {}\n"])
def test_the_network_of_builds_is_deployed_before_the_release_that_needs_it(
    preflight: Preflight, deployed: str | None
) -> None:
    (preflight.infrastructure / "build-vpc.yaml").write_text("Resources: {Group: {Type: AWS::EC2::SecurityGroup}}\n")
    stack = f"{APP}-build-vpc"
    preflight.statuses |= {} if deployed else {stack: None}
    preflight.templates[stack] = deployed
    stopped(preflight.run(), f"the stack {stack} is older than its template")


@pytest.mark.parametrize("stack", [f"{APP}-foundation", f"{APP}-permissions", f"{APP}-prod-deploy-role"])
def test_permissions_without_a_line_of_their_template_are_older(preflight: Preflight, stack: str) -> None:
    lines = preflight.template(stack).splitlines()
    added = max(range(len(lines)), key=lambda index: len(lines[index].strip()) if "Effect" in lines[index] else 0)
    preflight.templates[stack] = "\n".join(lines[:added] + lines[added + 1 :])
    stopped(preflight.run(), f"the stack {stack} is older than its template")


def test_another_template_is_older(preflight: Preflight) -> None:
    preflight.templates = {f"{APP}-permissions": {"Resources": {}}, f"{APP}-foundation": "Resources: {}\n"}
    stopped(preflight.run(), f"the stacks {APP}-foundation, {APP}-permissions are older than their templates")


def test_comments_descriptions_and_removed_lines_are_no_reason(preflight: Preflight) -> None:
    stack = f"{APP}-permissions"
    lines = preflight.template(stack).splitlines()
    start, end = lines.index("Description: >-"), lines.index("Parameters:")
    deployed = [*lines[:start], "Description: In other words — with", "  one line more", "", *lines[end:]]
    kept = [line for line in deployed if not line.strip().startswith(("#", "Description:"))]
    preflight.templates[stack] = "\n".join([*kept, "  - iam:SomethingThatIsGone", "# and a comment"])
    assert preflight.run().returncode == READY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Action: [a, b, c]", "Action: [a, c]"),
        ("Action: [a, b]", "Action: a"),
        ("Action: [a, b, c]", "Action:\n  - a\n  - b"),
        ("Action:\n  - a\n  - b", "Action: [a]"),
        ("Action: [a,\n  b,\n  c]  # three", "Action: [a, b]  # two"),
        ("x: {Effect: Allow, Resource: [!Sub 'a${B}', '*']}", "x: {Effect: Allow, Resource: [!Sub 'a${B}']}"),
        (
            "Statement:\n  - Sid: A\n    Effect: Allow\n  - Sid: B\n    Effect: Allow",
            "Statement: [{Sid: B, Effect: Allow}]",
        ),
    ],
)
def test_what_is_removed_from_a_list_is_no_reason_and_what_is_added_is(
    preflight: Preflight, before: str, after: str
) -> None:
    path = preflight.infrastructure / "permissions.yaml"
    template = path.read_text()
    path.write_text(template + after + "\n")
    preflight.templates[f"{APP}-permissions"] = template + before + "\n"
    assert preflight.run().returncode == READY
    path.write_text(template + before + "\n")
    preflight.templates[f"{APP}-permissions"] = template + after + "\n"
    stopped(preflight.run(), f"the stack {APP}-permissions is older than its template")


def test_a_template_that_is_not_ascii_is_compared_as_cloudformation_returns_it(preflight: Preflight) -> None:
    path = preflight.infrastructure / "permissions.yaml"
    path.write_text(path.read_text() + "Metadata: {Team: Größe}\n")
    preflight.templates[f"{APP}-permissions"] = path.read_text().encode("ascii", "replace").decode()
    assert preflight.run().returncode == READY


@given(st.lists(st.sampled_from(["  - a", "- b", "c: 1", "# d", "", "Description: e"])), st.lists(st.integers(0, 20)))
def test_only_missing_lines_are_missing(lines: list[str], removed: list[int]) -> None:
    """A template is current as long as each line is there as often as it is wanted."""
    content = function_of("preflight.py", "content")
    deployed = [line for index, line in enumerate(lines) if index not in removed]
    flat = [line.lstrip() for line in lines], [line.lstrip() for line in deployed]
    wanted, there = (Counter(content("\n".join(one))) for one in flat)
    lost = [line for index, line in enumerate(lines) if index in removed]
    matters = [line for line in lost if line and not line.startswith(("#", "Description"))]
    assert bool(wanted - there) is bool(matters)


def test_what_this_build_may_not_read_is_passed_over(preflight: Preflight) -> None:
    preflight.errors = {f"{APP}-permissions": DENIED, f"{APP}-dev-service": DENIED}
    done = preflight.run()
    assert (done.returncode, done.stderr) == (READY, "")
    assert done.stdout.count("Not checked: ") == 2


class TestSaysWhyItCannotRead:
    @pytest.mark.parametrize(
        ("raised", "words"),
        [
            (subprocess.TimeoutExpired("aws", 120), "timed out after 120 s; retry the stage"),
            (FileNotFoundError(), "the AWS CLI is not installed; install it"),
        ],
    )
    def test_because_the_command_fails(self, preflight: Preflight, raised: Exception, words: str) -> None:
        self.unread(preflight.run(raised), words)

    def test_because_of_an_error(self, preflight: Preflight) -> None:
        error = "An error occurred (Throttling) when calling the DescribeStacks operation: Rate exceeded"
        preflight.errors = {f"{APP}-dev-service": error}
        self.unread(preflight.run(), f"{error}; fix this, then retry the stage")

    def test_because_of_an_unexpected_response(self, preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
        for text in ("no JSON", "{}", "[]"):
            monkeypatch.setattr(json, "dumps", lambda _answer, text=text: text)
            self.unread(preflight.run(), "retry the stage")

    @staticmethod
    def unread(done: subprocess.CompletedProcess[str], words: str) -> None:
        assert (done.returncode, done.stdout) == (UNREAD, ""), done.stderr
        assert done.stderr.startswith("Preflight failed: ")
        assert done.stderr.endswith(f"{words}.\n")
        assert done.stderr.count("; ") == 1

    def test_without_the_name_of_the_service(self, preflight: Preflight) -> None:
        done = preflight.run(APP_NAME="")
        assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set APP_NAME.\n")


SECRETS = {
    "DB_PASSWORD": {"store": "parameter-store", "environments": {"dev": 1, "prod": 1}, "retired": ["staging"]},
    "API_TOKEN": {"store": "secrets-manager", "environments": {"prod": 4}},
}
PLACES = (f"/{APP}/dev/DB_PASSWORD", f"/{APP}/prod/DB_PASSWORD", f"{APP}/prod/API_TOKEN")


def test_a_release_stops_where_an_environment_lacks_a_secret(preflight: Preflight) -> None:
    listing(preflight, **SECRETS)
    assert preflight.run().returncode == READY
    assert {name for operation, name in preflight.calls if "stack" not in operation and "/" in name} == set(PLACES)
    preflight.errors[PLACES[1]] = "An error occurred (InvalidResourceId) when calling the operation: no"
    preflight.secrets[PLACES[2]] = {"Name": "x", "DeletedDate": 1}
    done = preflight.run()
    assert (done.returncode, done.stdout) == (STOPPED, "")
    assert done.stderr == (
        "Preflight failed: prod lacks the secret API_TOKEN, prod lacks the secret DB_PASSWORD; run `scaffold secret "
        "set API_TOKEN --env prod`, `scaffold secret set DB_PASSWORD --env prod`, then `scaffold retry Gate`.\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("An error occurred (ParameterNotFound) when calling the operation: no", STOPPED),
        ("An error occurred (AccessDeniedException) when calling the operation: no", READY),
        ("An error occurred (InternalServerError) when calling the operation: no", UNREAD),
    ],
)
def test_only_a_missing_secret_stops_a_release(preflight: Preflight, error: str, code: int) -> None:
    listing(preflight, **SECRETS)
    preflight.errors[PLACES[0]] = error
    assert preflight.run().returncode == code


def test_a_wrong_list_of_secrets_stops_a_release(preflight: Preflight) -> None:
    listing(preflight, PORT={"store": "parameter-store", "environments": {"dev": 1}})
    done = preflight.run()
    assert done.returncode == UNREAD
    assert "PORT is set by the task definition or by ECS; choose another name" in done.stderr
