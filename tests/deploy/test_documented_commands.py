"""The commands of the generated README and AGENTS.md: each is run in a deployed service, or listed with the reason."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from scaffold.aws import console_pages
from scaffold.aws.cloudformation import templates
from scaffold.aws.session import Session
from scaffold.cli.app import app as commands
from scaffold.core.git import git
from scaffold.core.target import Target
from scaffold.service import names
from scaffold.service.service import read
from scaffold.service.stack_kinds import ENVIRONMENT, NETWORK, WAF, StackId
from tests.cli.running import ROOT, forked_scaffold
from tests.deploy.services import IDENTITY, client, commit, run
from tests.infrastructure.variants import ALL_ANSWERS
from tests.kits import generate
from tests.release.services import PATIENT
from tests.service.test_integration_tests import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

APP, FIRST, PRODUCTION = "payments", "dev", "prod"
_NAMES = {"app_name": APP, "environments": f"{FIRST},{PRODUCTION}", "production": PRODUCTION}
#: Together they have every command of the template.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": _NAMES,
    "all options": {
        **ALL_ANSWERS,
        **_NAMES,
        "auto_promote": "",
        "load_test": FIRST,
        "exec": FIRST,
        "environment_overrides": {PRODUCTION: {"alarm_email": "oncall@example.com"}},
    },
    "flow logs": {
        **_NAMES,
        "customize": True,
        "flow_logs": True,
        "database": "postgres",
        "waf": "managed",
        "egress": "nat_gateway",
    },
    "elsewhere, running tasks": {
        **_NAMES,
        "customize": True,
        "aws_region": "us-gov-west-1",
        "approve_running": True,
        "deployment_strategy": "canary",
    },
}
#: What the deployed service has of the options.
DEPLOYED = {
    **_NAMES, "customize": True, "waf": "managed", "access_logs": True,
}  # fmt: skip

_STACKS = "aws cloudformation describe-stacks --region us-east-1 --stack-name"
_RESTORED = f"--region us-east-1 --stack-name {APP}-{PRODUCTION}-restored"
_UPDATE = "aws codebuild update-project --region us-east-1 --name"
#: Commands that are not run here, by how they begin, and why.
NOT_RUN = {
    **dict.fromkeys(
        ("make test", "make lint", "make coverage", "make audit", "make infrastructure-checks", "make check"),
        "`make check` in tests/service/test_app.py runs all of them; they install packages",
    ),
    **dict.fromkeys(("make image", "make run-image"), "needs Docker and the registry of the base image"),
    "make rehearse": "tests/release/test_rehearse.py runs `scaffold rehearse`, which is all that it does",
    "make load-test": "tests/service/test_load_test.py runs the script; it installs Locust",
    "scaffold logs --build": "tests/release/test_logs.py: local AWS has no build here",
    "aws codebuild retry-build": "local AWS has no build here",
    "aws codebuild get-report-group-trend": "local AWS has no report here",
    "aws cloudtrail validate-logs": "local AWS records no calls",
    "aws ce update-cost-allocation-tags-status": "local AWS has no Cost Explorer",
    f"{_STACKS} {APP}-{PRODUCTION}-domain": "as for the stack of the environment, without a domain",
    f"{_UPDATE} {APP}-load-test": "as for the other projects; without a load test there is none of this name",
    **dict.fromkeys(
        (
            "aws rds modify-db-cluster",
            f"aws cloudformation update-termination-protection {_RESTORED}",
            f"aws cloudformation delete-stack {_RESTORED}",
        ),
        "tests/release/test_restore.py makes these calls; no database is restored here",
    ),
    "scaffold exec": "tests/deploy/test_exec.py runs it; local AWS has no Systems Manager",
    "pip install git-remote-codecommit": "needs a registry of packages",
    "cd app && npm install": "needs the registry of npm",
    "uv pip compile": "needs a registry of packages",
    "curl -H 'X-Test-Release: 5f0c…'": "an example of what `scaffold approve` prints for a release",
}
#: What a reader writes in place of what is in angle brackets.
PLACES = {
    "scaffold env add <name> --after <name> --commit": f"scaffold env add qa --after {FIRST} --commit",
    "scaffold env remove <name> --commit": "scaffold env remove qa --commit --yes",
    "scaffold destroy --environment <name>": "scaffold destroy --environment qa --yes",
    "<role>": "people",
    "<commit>": "HEAD",
    "<name>: {vpc_id: <id>": "qa: {vpc_id: VPC",
    'public_subnet_ids: "<id>,<id>"': 'public_subnet_ids: "PUBLIC"',
    'private_subnet_ids: "<id>,<id>"': 'private_subnet_ids: "PRIVATE"',
    "SERVICE_URL=<url> EXPECTED_VERSION=<version>": "SERVICE_URL=ADDRESS EXPECTED_VERSION=new",
    "SERVICE_URL=<URL> EXPECTED_VERSION=<version>": "SERVICE_URL=ADDRESS EXPECTED_VERSION=new",
    f"git clone codecommit::us-east-1://{APP}": f"git clone codecommit::us-east-1://{APP} ../clone",
}


def blocks(document: str) -> list[list[str]]:
    """The commands of each block of shell, without comments, continued lines in one."""
    found = re.findall(r"^```sh\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    return [re.sub(r" +#.*$", "", text.replace(" \\\n  ", " "), flags=re.MULTILINE).splitlines() for text in found]


def proofs(root: Path) -> list[str]:
    """The commands of AGENTS.md that prove a change."""
    rows = (root / "AGENTS.md").read_text("utf-8").partition("| after a change in |")[2].split("\n\n")[0].splitlines()
    return [command for row in rows[2:] for command in re.findall(r"`(make [^`]+)`", row.split("|")[2])]


def not_run(command: str) -> bool:
    """Whether a command is listed as none that can be run here."""
    return any(command.startswith(beginning) for beginning in NOT_RUN)


def as_typed(command: str, **values: str) -> str:
    """A command with values in place of what the reader has to write."""
    for place, value in {**PLACES, **values}.items():
        command = command.replace(place, value)
    assert not re.search(r"<[a-z ]+>", command), f"say in PLACES what to write in: {command}"
    return command


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A service of each variant."""
    folder = tmp_path_factory.mktemp("documents")
    return {name: generate(folder / str(number), **answers) for number, (name, answers) in enumerate(VARIANTS.items())}


def test_each_command_of_the_template_is_in_a_variant(documents: dict[str, Path]) -> None:
    template = re.sub(r"^\{%.*%\}\n", "", (ROOT / "template/README.md.jinja").read_text("utf-8"), flags=re.MULTILINE)
    roots = documents.values()
    rendered = {one for root in roots for block in blocks((root / "README.md").read_text("utf-8")) for one in block}
    rendered |= {one for root in roots for one in proofs(root)}
    patterns = [
        ".*".join(map(re.escape, re.split(r"\{\{.*?\}\}", command))) for block in blocks(template) for command in block
    ]
    assert len(patterns) > 30
    assert [one for one in patterns if not any(re.fullmatch(one, command) for command in rendered)] == []
    assert [one for one in NOT_RUN if not any(command.startswith(one) for command in rendered)] == []


def test_commands_within_sentences_and_addresses_exist(documents: dict[str, Path]) -> None:
    known = typer.main.get_command(commands).commands  # type: ignore[attr-defined]
    for root in documents.values():
        service, readme = read(root), (root / "README.md").read_text("utf-8")
        targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
        sentences = readme + (root / "AGENTS.md").read_text("utf-8")
        assert set(re.findall(r"`make ([a-z-]+)", sentences)) <= {*targets}
        for name, rest in re.findall(r"`scaffold ([a-z]+)([^`]*)`", sentences):
            options = {option for one in known[name].params for option in (*one.opts, *one.secondary_opts)}
            assert {*re.findall(r"(?<= )--[a-z-]+", rest)} <= options, f"{name}{rest}"
        partition = "aws-us-gov" if service.region.startswith("us-gov") else "aws"
        session = Session("0" * 12, f"arn:{partition}:iam::{'0' * 12}:user/a", Target(service.region), None)
        assert f"<{console_pages.pipeline(session, APP)}>" in readme
        for one in service.environments:
            assert f"<{console_pages.dashboard(session, APP, one)}>" in readme


def release(root: Path, environment: str) -> None:
    """Update stacks of an environment with the kit's templates, as the pipeline does."""
    cloudformation, service = client("cloudformation"), read(root)
    for kind in (NETWORK, ENVIRONMENT, WAF):
        stack = StackId(kind, environment)
        given = templates.given_parameters(service, stack)
        cloudformation.update_stack(
            StackName=stack.name(APP),
            TemplateBody=(root / f"infrastructure/{kind.name}.yaml").read_text("utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            RoleARN=f"arn:aws:iam::000000000000:role{names.deploy_role(APP, environment)}",
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_update_complete").wait(StackName=stack.name(APP), WaiterConfig=PATIENT)


def existing_vpc() -> dict[str, str]:
    """A VPC to which an environment may be moved, with its subnets."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"us-east-1{'ab'[number % 2]}")
        for number in range(4)
    ]
    ids = [one["Subnet"]["SubnetId"] for one in subnets]
    return {"VPC": vpc, "PUBLIC": ",".join(ids[:2]), "PRIVATE": ",".join(ids[2:])}


TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
)
#: The text says where to commit; it is done after each command.
SAVE = "git add --all && { git diff --cached --quiet || git commit --quiet --message change; }"


def typed(command: str, root: Path, variables: dict[str, str]) -> None:
    """Run a command in a service's folder, with a secret for what asks for one, and commit what it has changed."""
    if command.startswith("scaffold "):
        done = forked_scaffold(*shlex.split(command)[1:], cwd=root, stdin="a secret", **variables)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        command = "true"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{command}\n{SAVE}"],
        cwd=root, env={**os.environ, **variables}, input=b"a secret", check=True, timeout=300,
    )  # fmt: skip


def test_the_commands_work_in_their_order(
    aws: None, documents: dict[str, Path], path_with_aws_cli: str, remote_helper: Path, tmp_path: Path
) -> None:
    root = generate(tmp_path / APP, **DEPLOYED)
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    run(root)
    release(root, PRODUCTION)
    client("iam").create_role(RoleName="people", AssumeRolePolicyDocument=TRUST)
    path = os.pathsep.join([os.fspath(remote_helper), path_with_aws_cli])
    variables = {"PATH": path, "GIT_EDITOR": "true", **IDENTITY}
    vpc, seen = existing_vpc(), set[tuple[str, ...]]()
    with environment("new") as address:
        for document in (root, *documents.values()):
            if read(document).region != read(root).region:
                continue
            for block in [*blocks((document / "README.md").read_text("utf-8")), *([one] for one in proofs(document))]:
                # What follows a variable needs it.
                parts = ["\n".join(block)] if re.match(r"\w+=", block[0]) else block
                for command in parts if (*block,) not in seen else []:
                    if not not_run(command):
                        typed(as_typed(command, ADDRESS=address, **vpc), root, variables)
                seen.add((*block,))
