"""The sandbox's framework: probes and the document, confirmation, verdicts, clean-up by identity."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import local_aws
from tests.conftest import isolated
from tests.sandbox.running import COMMAND, sandbox
from tools.sandbox import cli, report, scanning
from tools.sandbox.account import Account, denied
from tools.sandbox.cleaning import clean_up
from tools.sandbox.document import PAGE, assumptions
from tools.sandbox.git import environment
from tools.sandbox.registry import Probe, probes
from tools.sandbox.roles import allow, role, trust
from tools.sandbox.runner import judge, run
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.scenario import Scenario
from tools.sandbox.stacks import Stack, template
from tools.sandbox.state import TAG, State
from tools.sandbox.verdicts import Undecided, Verdict, decided, exit_code, failed, proved, refuted, undecided

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with local_aws() as found:
        yield found


@pytest.fixture
def account(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Account(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "us-east-1", boto3.Session(ACCESS_KEY, SECRET_KEY), True)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.new(tmp_path / "runs", ACCOUNT, "us-east-1")


class Terminal(io.StringIO):
    """A terminal at which Ctrl-D was pressed."""

    def isatty(self) -> bool:
        return True


ROLE = {"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}


def nothing(line: str) -> None:
    pass


def test_each_assumption_has_a_probe_and_each_probe_an_assumption() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    found = [row for row in rows if not row.startswith("| id |")]
    assert len(assumptions()) == len(found)
    assert set(probes()) == set(assumptions())


def test_the_list_needs_no_account(tmp_path: Path) -> None:
    done = sandbox("--list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == list(assumptions())


def test_an_unknown_probe_is_refused(tmp_path: Path) -> None:
    done = sandbox("--only", "missing-exports", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: There is no probe missing-exports.\n")


def test_without_a_confirmation_nothing_is_created(variables: dict[str, str], tmp_path: Path) -> None:
    done = sandbox("--only", "missing-export", "--folder", str(tmp_path / "runs"), cwd=tmp_path, **variables)
    assert done.returncode == 2
    assert f"Account {ACCOUNT}" in done.stdout
    assert "Give --yes." in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_region_is_that_of_aws_region(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    found = Account.of_environment()
    assert found.region == "eu-central-1"
    child = environment(found)
    assert (child["AWS_REGION"], child["AWS_DEFAULT_REGION"]) == ("eu-central-1", "eu-central-1")


def test_the_end_of_the_input_is_no_confirmation(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.sys, "stdin", Terminal())
    monkeypatch.setattr(cli.signal, "signal", lambda number, handler: None)
    assert cli.main(["--only", "missing-export", "--folder", str(tmp_path / "runs")]) == 1
    assert "nothing was created" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_in_progress_is_not_cleaned_up(variables: dict[str, str], state: State, tmp_path: Path) -> None:
    state.record("bucket", "of-a-run-in-progress")
    done = sandbox("--clean-up", "--folder", str(state.path.parent), cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"The run {state.run} is in progress.\n"
    assert State.read(state.path).resources == state.resources


def test_a_probe_runs_and_leaves_nothing(variables: dict[str, str], account: Account, tmp_path: Path) -> None:
    options = ("--only", "missing-export", "--yes", "--json", "--folder", str(tmp_path / "runs"))
    done = sandbox(*options, cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["assumptions"]
    assert (row["id"], row["verdict"]) == ("missing-export", "proved")
    assert "No export named" in row["evidence"]
    assert [path.name.partition("-")[0] for path in (tmp_path / "runs").iterdir()] == ["unproven"]
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    assert [one for one in stacks if one["StackName"].startswith("sbx-")] == []


def verdicts_of(*bodies: Callable[[Sandbox], Verdict], account: Account, state: State) -> list[Verdict]:
    chosen = [Probe(str(number), body) for number, body in enumerate(bodies)]
    found = run(chosen, Sandbox(account, state, nothing), {}, lambda probe, verdict: None)
    return list(found.values())


def test_what_a_probe_raises_stops_no_other(account: Account, state: State) -> None:
    def refused(_: Sandbox) -> Verdict:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeStacks")

    def broken(_: Sandbox) -> Verdict:
        raise KeyError("Stacks")

    def unknown(_: Sandbox) -> Verdict:
        raise Undecided("CloudTrail shows no call", "Look at the console.")

    found = verdicts_of(refused, broken, unknown, lambda _: proved("It is so"), account=account, state=state)
    assert found == [
        failed("Throttling: Rate exceeded"),
        failed("KeyError: 'Stacks'"),
        undecided("CloudTrail shows no call", "Look at the console."),
        proved("It is so"),
    ]


def test_a_scenario_that_fails_fails_what_observes_it(account: Account, state: State) -> None:
    def breaks() -> None:
        raise Undecided("the first release failed")

    box = Sandbox(account, state, nothing)
    scenario = Scenario("service", {"deployed": lambda: None, "released": breaks}, str, nothing)
    box.shares("service", scenario)
    chosen = [
        Probe("early", lambda one: proved(one.after("service", "deployed")), "service"),
        Probe("late", lambda one: proved(one.after("service", "released")), "service"),
    ]
    found = run(chosen, box, {"service": scenario}, lambda probe, verdict: None)
    assert found == {"early": proved("service"), "late": failed("the first release failed")}


def test_exit_codes() -> None:
    assert exit_code([proved(""), undecided("")]) == 0
    assert exit_code([proved(""), failed("")]) == 2
    assert exit_code([refuted(""), failed("")]) == 1
    assert decided(True, "") == proved("")
    assert decided(False, "") == refuted("")


def test_a_report_has_neither_the_account_nor_secrets(account: Account) -> None:
    account.id = "210987654321"
    account.arn = "arn:aws:sts::210987654321:assumed-role/Admin/jane@example.com"
    evidence = f"arn:aws:iam::210987654321:role/a with AKIAQ3EGRT5ZPLANTED0 by {account.arn}, jane@example.com"
    shown = report.publishable(refuted(evidence), account)
    text = json.dumps(report.document({"a": shown}, account, date(2026, 11, 26)))
    assert "arn:aws:iam::123456789012:role/a" in text
    assert "AKIAQ3EGRT5ZPLANTED0" not in text
    assert "jane" not in text


def test_cleaning_up_leaves_what_is_not_of_the_run(account: Account, state: State) -> None:
    cloudformation, s3 = account.client("cloudformation"), account.client("s3")
    body = json.dumps({"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    own, foreign, unrecorded = (f"{state.run}-probe-{name}" for name in ("own", "foreign", "unrecorded"))
    for name, tags in ((own, [{"Key": TAG, "Value": state.run}]), (foreign, []), (unrecorded, [])):
        cloudformation.create_stack(
            StackName=name, TemplateBody=body, Tags=tags, EnableTerminationProtection=name == own
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    for name in (own, foreign):
        state.record("stack", name)
        s3.create_bucket(Bucket=name)
        state.record("bucket", name)
    s3.put_bucket_tagging(Bucket=own, Tagging={"TagSet": [{"Key": TAG, "Value": state.run}]})
    s3.put_bucket_tagging(Bucket=foreign, Tagging={"TagSet": [{"Key": TAG, "Value": "another"}]})
    s3.put_object(Bucket=own, Key="a", Body=b"")

    left = clean_up(account, state, nothing)

    assert [sentence.partition(":")[0] for sentence in left] == [
        f"The bucket {foreign} is left",
        f"The stack {foreign} is left",
    ]
    assert all("does not have the tag" in sentence for sentence in left)
    stacks = {one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]}
    buckets = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert {own, foreign, unrecorded} & stacks == {foreign, unrecorded}
    assert {own, foreign} & buckets == {foreign}
    # Both are in the record, so that the next clean-up tells of them too.
    assert {one.name for one in State.read(state.path).resources} == {foreign}
    for name in (foreign, unrecorded):
        cloudformation.delete_stack(StackName=name)


ERRORS = {
    "ExpiredToken": "The security token included in the request is expired",
    "Throttling": "Rate exceeded",
    "AccessDenied": "User: me is not authorized to perform: kms:Decrypt on resource: key",
}


@pytest.fixture(params=ERRORS)
def refusal(request: pytest.FixtureRequest) -> ClientError:
    return ClientError({"Error": {"Code": request.param, "Message": ERRORS[request.param]}}, "Any")


def test_a_failure_of_one_deletion_stops_no_other(account: Account, state: State, refusal: ClientError) -> None:
    def fail(**_: object) -> None:
        raise refusal

    s3 = account.client("s3")
    for name in (f"{state.run}-one", f"{state.run}-two"):
        state.record("stack", name)
        state.record("bucket", name)
    state.record("service", state.run)
    account.client("cloudformation").meta.events.register("before-call.cloudformation.DescribeStacks", fail)
    s3.meta.events.register("before-call.s3.GetBucketTagging", fail)
    left = clean_up(account, state, nothing)
    kinds = [sentence.split()[1] for sentence in left]
    assert kinds == ["service", "bucket", "bucket", "stack", "stack"]
    assert all(refusal.response["Error"]["Message"] in sentence for sentence in left[1:])
    assert len(State.read(state.path).resources) == 5


def test_a_stack_that_is_left_keeps_its_role_and_stops_no_other(account: Account, state: State) -> None:
    cloudformation = account.client("cloudformation")
    box = Sandbox(account, state, nothing)
    text = template({"Role": role(trust(service="cloudformation.amazonaws.com"), allow("sns:*"))}, Outputs=ROLE)
    arn = Stack.create(box, "giving", text, Capabilities=["CAPABILITY_IAM"]).outputs["Arn"]
    Stack.create(box, "other", template())
    stuck = Stack.create(box, "stuck", template(), RoleARN=arn)

    def fail(params: dict[str, str], **_: object) -> None:
        if params["StackName"] == stuck.id:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "It is stuck"}}, "DeleteStack")

    event = "provide-client-params.cloudformation.DeleteStack"
    cloudformation.meta.events.register(event, fail)
    left = clean_up(account, state, nothing)
    cloudformation.meta.events.unregister(event, fail)
    first, second = left
    assert stuck.name in first
    assert "It is stuck" in first
    assert box.name("giving") in second
    assert arn.rpartition("/")[2] in second
    assert clean_up(account, state, nothing) == []


def test_a_new_role_is_passed_again_until_it_can_be_assumed(account: Account, state: State) -> None:
    refusals = ["Role arn is invalid or cannot be assumed"]

    def fail_once(**_: object) -> None:
        if refusals:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": refusals.pop()}}, "CreateStack")

    events, event = account.client("cloudformation").meta.events, "before-call.cloudformation.CreateStack"
    events.register(event, fail_once)
    stack = Stack.create(Sandbox(account, state, nothing), "retried", template())
    events.unregister(event, fail_once)
    assert refusals == []
    assert stack.describe()["StackStatus"] == "CREATE_COMPLETE"
    assert clean_up(account, state, nothing) == []


@pytest.mark.parametrize("own", [True, False])
def test_the_scanning_configuration_is_restored_where_it_is_the_runs(account: Account, state: State, own: bool) -> None:
    before: dict[str, object] = {"scanType": "BASIC", "rules": []}
    changed: dict[str, object] = {"scanType": "ENHANCED", "rules": scanning.rules(state.run if own else "another")}
    current = dict(changed)
    events, response = account.client("ecr").meta.events, AWSResponse("", 200, {}, None)
    events.register(
        "before-call.ecr.GetRegistryScanningConfiguration", lambda **_: (response, {"scanningConfiguration": current})
    )
    events.register(
        "provide-client-params.ecr.PutRegistryScanningConfiguration", lambda params, **_: current.update(params)
    )
    events.register("before-call.ecr.PutRegistryScanningConfiguration", lambda **_: (response, {}))
    state.record(scanning.CONFIGURATION, ACCOUNT, **before)
    assert clean_up(account, state, nothing) == []
    assert current == (before if own else changed)
    assert not state.path.exists()


def test_a_run_ends_at_its_limit(account: Account, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sandbox.sandbox._LIMIT", timedelta(hours=-1))

    def waits(box: Sandbox) -> Verdict:
        return proved(box.wait(lambda: "", "anything"))

    (verdict,) = verdicts_of(waits, account=account, state=state)
    assert verdict == failed("the run has taken more than -1 hours")


def test_a_closed_terminal_does_not_end_a_run(variables: dict[str, str], account: Account, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, "--only", "missing-export", "--yes", "--json", "--folder", str(tmp_path / "runs")],
            cwd=tmp_path,
            env=isolated(tmp_path) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writer,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert json.loads(done.stdout)["assumptions"][0]["verdict"] == "proved"
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]
    assert [one for one in stacks if one["StackName"].startswith("sbx-")] == []


@pytest.mark.parametrize(
    ("identifier", "call"), [("import-in-output", "DeleteStack"), ("missing-export", "CreateChangeSet")]
)
def test_a_refusal_for_another_reason_decides_nothing(
    account: Account, state: State, refusal: ClientError, identifier: str, call: str
) -> None:
    def fail(**_: object) -> None:
        raise refusal

    events = account.client("cloudformation").meta.events
    events.register(f"before-call.cloudformation.{call}", fail)
    verdict = judge(probes()[identifier], Sandbox(account, state, nothing))
    events.unregister(f"before-call.cloudformation.{call}", fail)
    assert clean_up(account, state, nothing) == []
    assert (verdict.outcome, verdict.failed) == ("undecided", True)
    assert refusal.response["Error"]["Message"] in verdict.evidence


def test_a_denial_for_another_reason_decides_nothing(refusal: ClientError) -> None:
    def call() -> None:
        raise refusal

    with pytest.raises((ClientError, Undecided), match=ERRORS[refusal.response["Error"]["Code"]]):
        denied(call, "cloudformation:SetStackPolicy")


def test_a_denial_by_the_organization_decides_nothing() -> None:
    action = "cloudformation:SetStackPolicy"
    message = f"User: me is not authorized to perform: {action} with an explicit deny in a service control policy"

    def call() -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, "Any")

    with pytest.raises(Undecided, match=action):
        denied(call, action)


def test_the_record_of_a_run_outlives_it(state: State) -> None:
    state.record("stack", "one")
    state.record("registry", "two", scanType="BASIC")
    state.record("stack", "one")
    read = State.read(state.path)
    assert (read.run, read.account, read.region) == (state.run, ACCOUNT, "us-east-1")
    assert read.resources == state.resources
    assert [one.name for one in read.resources] == ["one", "two"]
    read.forget(read.resources[0])
    assert [one.name for one in State.read(state.path).resources] == ["two"]
    assert sorted(state.path.parent.iterdir()) == [state.path, state.path.with_suffix(".lock")]
