"""`scaffold doctor`: each check fails for its reason, says so with a fix, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import scaffold.aws.git_remote
from scaffold.commands import doctor
from scaffold.commands.doctor import DoctorOptions
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.doctor import machine, service_files
from scaffold.doctor.findings import Checked, DoctorResult, Finding, State, ok
from scaffold.doctor.permissions import questions
from scaffold.doctor.registry import Image, Unknown
from scaffold.doctor.side_by_side import Check
from scaffold.doctor.side_by_side import run as run_checks
from scaffold.iam.operator_policies import DEPLOY, statements
from scaffold.iam.policies import Request, refusal
from scaffold.kit.advice import advice
from scaffold.service.service import read
from scaffold.views.doctor import progress, text
from tests.cli.running import forked_scaffold
from tests.deploy import test_domains, test_networks
from tests.deploy.services import IDENTITY, Wire, client, commit, make_service
from tests.deploy.test_networks import put as place
from tests.deploy.test_quotas import add_data, add_environments, set_quotas
from tests.destroy.test_permissions import QUOTAS, actions, needed

KIT = {"_src_path": "~/.local/share/gitops-scaffold/kit", "_commit": f"v{doctor.__version__}"}
ACCOUNT = "123456789012"
USER = "arn:aws:iam::000000000000:user/team/developer"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with Git only."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", os.fspath(folder))
    return folder


@pytest.fixture
def service(aws: None, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed service, of which nobody has deployed anything, and an author of commits."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    root = make_service(tmp_path / "service", **KIT)
    (root / "app").mkdir()
    (root / "app/Dockerfile").write_text("FROM scratch\n")
    return root


def look(root: Path | None = None) -> DoctorResult:
    return doctor.run(DoctorOptions(root), Console(), progress)


def check(name: str, root: Path | None = None) -> Checked:
    return next(one for one in look(root).checks if one.name == name)


# ---- all of them ----


def test_a_service_on_local_aws(service: Path) -> None:
    result = look(service)
    states = {one.name: one.state.value for one in result.checks if one.subject != "machine"}
    assert states == {
        "credentials": "ok",
        "account": "ok",
        "region": "ok",
        "codecommit": "ok",
        "permissions": "not_checked",
        "quotas": "ok",
        "networks": "ok",
        "answers": "ok",
        "base-image": "ok",
        "kit": "ok",
    }
    assert (result.exit_code, result.local, result.account) == (0, True, "000000000000")
    assert f"{read(service).app_name} in local AWS, us-east-1" in text(result)


def test_outside_of_a_service_without_credentials(tmp_path: Path) -> None:
    home = set(Path(os.environ["HOME"]).rglob("*"))
    done = forked_scaffold("doctor", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    states = {one["name"]: one["state"] for one in document["checks"]}
    assert done.returncode == 1
    assert (document["command"], document["service"], document["account"]) == ("doctor", None, None)
    assert {name: states[name] for name in ("credentials", "account", "region", "codecommit")} == {
        "credentials": "failed",
        "account": "not_checked",
        "region": "warning",
        "codecommit": "not_checked",
    }
    assert "quotas" not in states
    assert list(document["checks"][0]) == ["name", "subject", "state", "sentence", "fix"]
    assert (set(Path(os.environ["HOME"]).rglob("*")), list(tmp_path.iterdir())) == (home, [])


def test_a_pipe_gets_plain_lines(tmp_path: Path) -> None:
    done = forked_scaffold("doctor", cwd=tmp_path, AWS_SECRET_ACCESS_KEY="wJalrXUtnFEMI/K7MDENG")
    lines = [line for line in done.stdout.splitlines() if " credentials: " in line]
    assert [line.split()[:2] for line in lines] == [["failed", "credentials:"]]
    assert done.stdout.splitlines()[-1].startswith(("1 failed", "2 failed", "3 failed"))
    assert (done.stderr, "wJalr" in done.stdout, "\x1b" in done.stdout) == ("", False, False)


def test_a_fix_is_below_what_it_fixes_and_is_not_wrapped() -> None:
    long = "`" + "x" * 200 + "`"
    checks = (
        Checked("git", "machine", State.FAILED, "It is missing.", long),
        Checked("kit", "service", State.OK, "Yes.", ""),
    )
    shown = text(DoctorResult("1", None, None, None, False, checks)).splitlines()
    assert shown[3:] == [
        "  failed       git: It is missing.",
        f"               {long}",
        "",
        "The service",
        "  ok           kit: Yes.",
        "",
        "1 failed.",
    ]


def test_a_terminal_shows_what_is_running() -> None:
    assert progress(["git", "kit"], {"git": ok("Git 2.50.")}) == ["  ok           git", "  …            kit"]


def test_a_narrow_terminal_breaks_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    command = "`docker manifest inspect public.ecr.aws/docker/library/node:24`"
    finding = Checked(
        "base-image", "service", State.NOT_CHECKED, "It cannot be " + "looked up, " * 9, f"Try {command}."
    )
    shown = text(DoctorResult("1", None, None, None, False, (finding,))).splitlines()
    assert f"               {command}." in shown
    assert {len(line) < 60 for line in shown if "`" not in line} == {True}


def test_a_folder_that_is_named_has_to_be_a_service(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="no generated service"):
        look(tmp_path)


def test_damaged_answers_keep_nothing_else_from_being_checked(service: Path) -> None:
    (service / ".copier-answers.yml").write_text("app_name: 3\n")
    result = look(service)
    found = {one.name: one for one in result.checks}
    assert (found["answers"].state, found["credentials"].state) == (State.FAILED, State.OK)
    assert "git log -p" in found["answers"].fix
    assert "quotas" not in found


# ---- this machine ----


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_git_is_missing(path: Path, tmp_path: Path) -> None:
    (path / "git").unlink()
    found = machine.git_version(tmp_path)
    assert (found.state, found.sentence) == (State.FAILED, "Git is not installed, or not executable on the PATH.")
    assert machine.git_identity(tmp_path).state is State.NOT_CHECKED


def test_git_is_too_old_for_an_update(path: Path, tmp_path: Path) -> None:
    (path / "git").unlink()
    program(path, "git", "echo git version 2.30.2")
    found = machine.git_version(tmp_path)
    assert (found.state, "2.38" in found.fix) == (State.WARNING, True)


def test_nobody_is_the_author_and_the_fix_sets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.fspath(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "developer@example.com")
    assert "user.name of Git is not set" in machine.git_identity(tmp_path).sentence
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    found = machine.git_identity(tmp_path)
    assert found.state is State.FAILED
    assert "user.name and user.email of Git are not set" in found.sentence
    assert "user.name and user.email of Git are not set" in advice(KIT["_src_path"], tmp_path)[0]
    subprocess.run(["sh", "-ec", found.fix.strip("`")], check=True, cwd=tmp_path)
    assert machine.git_identity(tmp_path) == ok("Git knows who commits.")


def test_the_remote_helper(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.setattr(scaffold.aws.git_remote, "_BESIDE_INTERPRETER", beside)
    assert machine.remote_helper().state is State.FAILED
    program(beside, "git-remote-codecommit", "")
    found = machine.remote_helper()
    assert (found.state, found.fix) == (State.WARNING, "`pipx install git-remote-codecommit`")
    program(path, "git-remote-codecommit", "")
    assert machine.remote_helper().state is State.OK


def test_the_container_engine(path: Path) -> None:
    assert machine.container_engine().sentence == "Neither Docker nor podman is installed."
    program(path, "docker", "echo Cannot connect to the Docker daemon. >&2; exit 1")
    found = machine.container_engine()
    assert found.state is State.WARNING
    assert found.sentence == "Docker does not answer: Cannot connect to the Docker daemon."
    program(path, "podman", "echo podman version 5.4.0")
    assert machine.container_engine() == ok("Podman version 5.4.0 is installed.")
    program(path, "docker", "echo 27.1.0")
    assert machine.container_engine() == ok("Docker 27.1.0 answers.")


def test_node(path: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    assert machine.node(app) == ok("The application has no package.json.")
    app.mkdir()
    (app / "package.json").write_text('{"engines": {"node": ">=22"}}')
    assert machine.node(app).sentence.startswith("node and npm are not on the PATH")
    program(path, "npm", "")
    program(path, "node", "echo v20.11.0")
    found = machine.node(app)
    assert (found.state, "Node 22 or later" in found.fix) == (State.WARNING, True)
    assert machine.node(None) == ok("Node 20.11.0, with npm.")
    program(path, "node", "echo v24.1.0")
    assert machine.node(app).state is State.OK


# ---- credentials, account, region ----


def test_expired_credentials(service: Path, wire: Wire) -> None:
    wire.refuse("GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired")
    result = look(service)
    found = {one.name: one for one in result.checks}
    assert result.exit_code == 1
    assert found["credentials"].sentence == "Your AWS credentials have expired."
    assert "aws sso login" in found["credentials"].fix
    waiting = [found[name].state for name in ("account", "region", "codecommit", "permissions", "quotas", "networks")]
    assert set(waiting) == {State.NOT_CHECKED}


def test_a_region_that_is_not_enabled(aws: None, tmp_path: Path, wire: Wire) -> None:
    root = make_service(tmp_path / "service", aws_region="eu-south-1", **KIT)
    wire.refuse("GetCallerIdentity", "InvalidClientTokenId", "The security token is invalid.", times=1)
    found = {one.name: one for one in look(root).checks}
    assert (found["credentials"].state, found["region"].state) == (State.OK, State.FAILED)
    assert found["region"].fix == "`aws account enable-region --region-name eu-south-1`"
    assert found["codecommit"].sentence == "Waits for an enabled region."


def test_a_region_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-centrl-1")
    found = check("region")
    assert (found.state, found.sentence) == (State.FAILED, "AWS has no region eu-centrl-1.")
    assert found.fix.startswith("Did you mean eu-central-1?")


def test_another_account(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_service(tmp_path / "service", aws_account_id=ACCOUNT, **KIT)
    assert check("account", root).state is State.OK
    monkeypatch.delenv("SCAFFOLD_LOCAL")  # Local AWS stands in for any account.
    found = check("account", root)
    assert found.state is State.FAILED
    assert found.sentence.startswith("These credentials belong to account 000000000000")


def test_an_endpoint_that_hangs_does_not_hang_the_command(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(doctor, "SECONDS", 2.0)
        result = look(service)
    found = {one.name: one for one in result.checks}
    assert (result.exit_code, found["credentials"].state) == (1, State.FAILED)
    assert "gave no answer within 2 seconds" in found["credentials"].sentence
    assert found["quotas"].state is State.NOT_CHECKED


# ---- CodeCommit, quotas ----


def test_codecommit_refuses_the_account(service: Path, wire: Wire) -> None:
    wire.refuse("ListRepositories", "OperationNotAllowedException", "There is no existing repository in your account.")
    found = check("codecommit", service)
    assert (found.state, found.sentence.split(":")[0]) == (
        State.FAILED,
        "CodeCommit refuses this account as a new customer",
    )


def test_what_codecommit_creates(service: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCAFFOLD_LOCAL")
    # Others use this local AWS, too.
    wire.garble("ListRepositories", b'{"repositories": []}')
    assert "whether CodeCommit creates the first one" in check("codecommit", service).sentence
    del wire.transport["ListRepositories"]
    client("codecommit").create_repository(repositoryName="another")
    assert check("codecommit", service).state is State.OK
    wire.refuse("ListRepositories", "AccessDeniedException", "no identity-based policy allows it")
    assert check("codecommit", service).state is State.NOT_CHECKED
    client("codecommit").create_repository(repositoryName=read(service).app_name)
    assert check("codecommit", service).sentence == f"The repository {read(service).app_name} exists."


def test_quotas_that_stop_a_release_and_those_that_limit_it(service: Path, wire: Wire) -> None:
    add_environments(service, max_tasks=5)
    set_quotas(wire, **{"3032A538": 19.5})
    found = check("quotas", service)
    assert found.state is State.WARNING
    assert "is 19.5, and new environments need up to 20" in found.sentence
    assert "request-service-quota-increase --service-code fargate --quota-code L-3032A538" in found.fix
    set_quotas(wire, F678F1CE=len(client("ec2").describe_vpcs()["Vpcs"]))
    assert check("quotas", service).state is State.FAILED
    set_quotas(wire, **{"3032A538": 0})
    assert check("quotas", service).state is State.FAILED
    wire.refuse("GetServiceQuota", "AccessDeniedException", "not allowed")
    assert check("quotas", service).state is State.NOT_CHECKED


def test_quotas_of_what_the_answers_ask_for(service: Path, wire: Wire) -> None:
    """Load balancers, tables, clusters and web ACLs: in addition to those that others have."""
    add_environments(add_data(service), max_tasks=1)
    enough = {"0263D0A3": 10**6, "5ED1D25B": 10**6, "F678F1CE": 10**6}
    used = {
        "53DA6B97": len(client("elbv2").describe_load_balancers()["LoadBalancers"]),
        "F98FE922": len(client("dynamodb").list_tables()["TableNames"]),
        "952B80B8": len(client("rds").describe_db_clusters()["DBClusters"]),
        "2EC3DE7B": len(client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]),
    }
    set_quotas(wire, **enough, **{code: one + 2 for code, one in used.items()})
    assert check("quotas", service).state is State.OK
    set_quotas(wire, **enough, **{code: one + 1 for code, one in used.items()})
    found = check("quotas", service)
    assert found.state is State.FAILED
    for name in ("Application Load Balancers", "number of tables", "DB clusters", "web ACLs"):
        assert name in found.sentence
    for command in (
        f"elasticloadbalancing --quota-code L-53DA6B97 --desired-value {used['53DA6B97'] + 2} ",
        f"rds --quota-code L-952B80B8 --desired-value {used['952B80B8'] + 2} ",
    ):
        assert command in found.fix
    assert needed({*wire.calls}) >= actions(QUOTAS)
    wire.refuse("ListWebACLs", "AccessDeniedException", "not allowed")
    found = check("quotas", service)
    assert (found.state, "the statement `Quotas`" in found.fix) == (State.NOT_CHECKED, True)


def test_what_counts_towards_a_quota(service: Path, wire: Wire) -> None:
    """Application Load Balancers only, and web ACLs of all pages."""
    pages = iter(["more"])

    def in_pages(answer: dict[str, Any]) -> None:
        answer["WebACLs"] = [{"Name": "one"}]
        answer |= {"NextMarker": marker} if (marker := next(pages, None)) else {}

    add_data(service)
    used = len(client("elbv2").describe_load_balancers()["LoadBalancers"])
    wire.touched["DescribeLoadBalancers"] = lambda answer: answer["LoadBalancers"].extend([{"Type": "network"}] * 9)
    wire.touched["ListWebACLs"] = in_pages
    set_quotas(wire, **{"53DA6B97": used + 2, "2EC3DE7B": 3})
    sentence = check("quotas", service).sentence
    assert "Load Balancers" not in sentence
    assert "is 3, of which 2 are in use" in sentence


# ---- networks, domains ----


def test_networks_that_do_not_fit(service: Path) -> None:
    place(service, "dev", test_networks.NOWHERE, ["subnet-1"], ["subnet-1"])
    found = check("networks", service)
    assert found.state is State.FAILED
    assert found.sentence.startswith(f"The VPC {test_networks.NOWHERE} of dev does not exist")
    assert "vpc_id" in found.fix


def test_a_network_that_overlaps_another_one_is_a_warning(service: Path) -> None:
    vpc = client("ec2").create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    place(service, "dev", block="10.77.16.0/20")
    found = check("networks", service)
    assert (found.state, vpc in found.sentence) == (State.WARNING, True)


def test_a_domain_without_its_zone(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_domains.put(service, zone=test_domains.NO_ZONE)
    assert check("domains", service).state is State.OK  # Local AWS has no zones of the owner's.
    monkeypatch.delenv("SCAFFOLD_LOCAL")
    found = check("domains", service)
    assert (found.state, look(service).exit_code) == (State.FAILED, 1)
    assert found.sentence.startswith(f"The hosted zone {test_domains.NO_ZONE} of prod does not exist")
    assert "hosted_zone_id" in found.fix
    test_domains.put(service, zone=test_domains.zone())
    assert check("domains", service).state is State.OK


# ---- permissions ----


def as_user(wire: Wire, *statements_: dict[str, Any]) -> None:
    """Let the caller be a user with a policy, which local AWS evaluates."""
    wire.touched["GetCallerIdentity"] = lambda answer: answer.update(Arn=USER)
    iam = client("iam")
    name = USER.rpartition(":user/")[2]
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": list(statements_)}
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(document))


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def denying(*actions: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": "*"}


@pytest.mark.parametrize(
    ("denied", "state"),
    [
        ((), State.OK),
        (("servicequotas:GetServiceQuota", "wafv2:ListWebACLs"), State.WARNING),
        (("ec2:DescribeSubnets",), State.FAILED),  # The small service has no network stacks, as in an existing VPC.
        (("kms:CreateKey", "codecommit:CreateRepository"), State.FAILED),
    ],
)
def test_iam_simulates_a_deployment(service: Path, wire: Wire, denied: tuple[str, ...], state: State) -> None:
    as_user(wire, EVERYTHING, *([denying(*denied)] if denied else []))
    found = check("permissions", service)
    assert found.state is state, found
    assert all(action in found.sentence for action in denied)
    if state is State.FAILED and len(denied) > 1:
        assert found.sentence == "IAM's simulation denies codecommit:CreateRepository, kms:CreateKey."


def test_a_condition_that_the_simulation_cannot_know_is_no_denial(service: Path, wire: Wire) -> None:
    as_user(wire, EVERYTHING, denying("kms:CreateKey"))

    def leave_open(answer: dict[str, Any]) -> None:
        for one in answer["EvaluationResults"]:
            if one["EvalActionName"] == "kms:CreateKey":
                one |= {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:PrincipalTag/team"]}

    wire.touched["SimulatePrincipalPolicy"] = leave_open
    found = check("permissions", service)
    assert found.state is State.NOT_CHECKED
    assert found.sentence.startswith("Whether kms:CreateKey is allowed depends on conditions")


def test_a_role_that_exists_already_needs_no_permission_to_create_it(service: Path, wire: Wire) -> None:
    as_user(wire, EVERYTHING, denying("iam:CreateServiceLinkedRole"))
    assert check("permissions", service).state is State.FAILED
    for name in ("ecs", "ecs.application-autoscaling", "elasticloadbalancing"):
        client("iam").create_service_linked_role(AWSServiceName=f"{name}.amazonaws.com")
    assert check("permissions", service).state is State.OK


def test_the_role_of_a_session_is_found_by_its_path(service: Path, wire: Wire) -> None:
    trusted = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [trusted]}
    arn = client("iam").create_role(
        Path="/aws-reserved/sso.amazonaws.com/", RoleName="Developers", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    session = "arn:aws:sts::000000000000:assumed-role/Developers/someone@example.com"
    wire.touched["GetCallerIdentity"] = lambda answer: answer.update(Arn=session)
    assert check("permissions", service).state is State.FAILED  # It has no policy.
    calls = zip(wire.calls, wire.requests, strict=True)
    assert {one["body"]["PolicySourceArn"] for call, one in calls if call == "iam:SimulatePrincipalPolicy"} == {arn}


@pytest.mark.parametrize("operation", ["GetRole", "SimulatePrincipalPolicy"])
def test_iam_denies_the_simulation(service: Path, wire: Wire, operation: str) -> None:
    as_user(wire, EVERYTHING)
    if operation == "GetRole":
        session = "arn:aws:sts::000000000000:assumed-role/Developers/someone"
        wire.touched["GetCallerIdentity"] = lambda answer: answer.update(Arn=session)
    message = f"User: {USER} is not authorized to perform: iam:{operation} on resource: {USER}"
    wire.refuse(operation, "AccessDenied", message)
    found = check("permissions", service)
    assert found.state is State.NOT_CHECKED
    assert f"IAM denies iam:{operation}" in found.sentence
    assert "iam:SimulatePrincipalPolicy" in found.fix


@pytest.mark.parametrize("optional", [False, True])
def test_the_policies_of_the_documentation_allow_what_is_simulated(tmp_path: Path, optional: bool) -> None:
    service = read(make_service(tmp_path / "service", environments="dev,staging,prod"))
    for kind in ("audit", "access-logs", "budget", "build-vpc") if optional else ():
        (service.infrastructure / f"{kind}.yaml").write_text("Resources: {}\n")
    attached = [
        one
        for name in DEPLOY
        for one in statements(name, app=service.app_name, region=service.region, account=ACCOUNT, partition="aws")
    ]
    asked = list(questions(service, ACCOUNT, "aws"))
    denied = {
        f"{action} on {resource}": why
        for one in asked
        for action in one.actions
        for resource in one.resources
        if (why := refusal(Request(action, resource, one.context), attached))
    }
    assert denied == {}
    actions = {action for one in asked for action in one.actions}
    assert len(actions) > 60
    for action in ("budgets:ModifyBudget", "cloudtrail:CreateTrail", "ec2:CreateSecurityGroup"):
        assert (action in actions) is optional, action
    assert not [word for one in asked for word in (*one.actions, *one.resources) if word != "*" and set(word) & {*"*?"}]


# ---- the service's files ----


class _Registry(BaseHTTPRequestHandler):
    """A registry with one image, which wants an anonymous token, and one for which it wants a password."""

    def do_GET(self) -> None:
        body = (
            json.dumps({"token": "anonymous"}).encode()
            if "scope=repository:public" in self.path.replace("%3A", ":")
            else b""
        )
        self.send_response(200 if body else 401)
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        name = self.path.split("/")[2]
        token = self.headers.get("Authorization") == "Bearer anonymous"
        self.send_response((200 if self.path.endswith("/manifests/1.0") else 404) if token else 401)
        realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="here",scope="repository:{name}:pull"')
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_images_of_the_dockerfile(service: Path) -> None:
    dockerfile = service / "app/Dockerfile"

    def found(image: str) -> Checked:
        dockerfile.write_text(f"ARG BASE={image}\nFROM $BASE AS build\nFROM build\nCOPY --from=build /a /a\n")
        return check("base-image", service)

    with registry() as host:
        assert found(f"{host}/public:1.0").state is State.OK
        missing = found(f"{host}/public:2.0")
        assert (missing.state, f"{host}/public:2.0" in missing.sentence) == (State.FAILED, True)
        assert "not readable without a password" in found(f"{host}/private:1.0").sentence
    offline = found(f"{host}/public:1.0")
    assert (offline.state, "docker manifest inspect" in offline.fix) == (State.NOT_CHECKED, True)
    assert "depends on TARGETARCH" in found("node:1-$TARGETARCH").sentence
    dockerfile.unlink()
    assert check("base-image", service).state is State.FAILED


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("node:24", ("registry-1.docker.io", "library/node", "24")),
        ("docker.io/team/app", ("registry-1.docker.io", "team/app", "latest")),
        (
            "public.ecr.aws/docker/library/node:24.21.0-trixie",
            ("public.ecr.aws", "docker/library/node", "24.21.0-trixie"),
        ),
        ("localhost:5000/app", ("localhost:5000", "app", "latest")),
        (f"ghcr.io/team/app:1@sha256:{'a' * 64}", ("ghcr.io", "team/app", f"sha256:{'a' * 64}")),
    ],
)
def test_the_name_of_an_image(name: str, parts: tuple[str, str, str]) -> None:
    image = Image.parse(name)
    assert (image.registry, image.repository, image.reference) == parts


@pytest.mark.parametrize("name", ["", "a b", "Node:24", "host.example/a?b:1"])
def test_what_is_no_name_of_an_image_is_not_asked_for(name: str) -> None:
    with pytest.raises(Unknown):
        Image.parse(name)


@pytest.mark.parametrize(
    ("source", "version", "state", "words"),
    [
        (KIT["_src_path"], "v0.0.1", State.WARNING, "scaffold update --plan"),
        (KIT["_src_path"], "v99.0.0", State.WARNING, "Upgrade gitops-scaffold"),
        ("git+codecommit::eu-central-1://our-kit", "v1.0.0", State.NOT_CHECKED, "scaffold update --plan"),
        ("/nowhere/kit", "v1.0.0", State.WARNING, "_src_path"),
    ],
)
def test_the_kit(tmp_path: Path, source: str, version: str, state: State, words: str) -> None:
    found = service_files.kit_version(make_service(tmp_path / "service", _src_path=source, _commit=version))
    assert (found.state, words in found.fix) == (state, True), found


def test_a_kit_on_this_machine(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    kit.mkdir()
    git("init", "-q", cwd=kit)
    commit(kit)
    git("tag", "v1.0.0", cwd=kit)
    root = make_service(tmp_path / "service", _src_path=os.fspath(kit), _commit="v1.0.0")
    assert service_files.kit_version(root).state is State.OK
    commit(kit)
    git("tag", "v1.1.0", cwd=kit)
    found = service_files.kit_version(root)
    assert (found.state, found.sentence) == (State.WARNING, "The kit has version v1.1.0, and the service has v1.0.0.")


# ---- side by side ----


def test_checks_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)

    def meet() -> Finding:
        both.wait()
        return ok("met")

    checks = [Check(name, "machine", meet) for name in ("one", "other")]
    assert [(one.name, one.sentence) for one in run_checks(checks, 60)] == [("one", "met"), ("other", "met")]


def test_a_check_waits_for_another_and_a_late_one_is_left_alone() -> None:
    order: list[str] = []
    forever = threading.Event()

    def note(name: str) -> Finding:
        order.append(name)
        return ok(name)

    checks = [
        Check("after", "account", partial(note, "after"), after="first"),
        Check("first", "account", partial(note, "first")),
        Check("hangs", "account", lambda: ok(str(forever.wait(60)))),
    ]
    shown: list[int] = []
    found = run_checks(checks, 1, lambda known: shown.append(len(known)))
    forever.set()
    assert order == ["first", "after"]
    assert [one.state for one in found] == [State.OK, State.OK, State.NOT_CHECKED]
    assert "no answer within 1 seconds" in found[2].sentence
    assert shown == [0, 1, 2, 3]


def test_a_bug_in_a_check_is_one() -> None:
    def broken() -> Finding:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_checks([Check("broken", "machine", broken)], 60)
