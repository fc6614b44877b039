"""Releases that people approve while their tasks run, with the roles of the templates."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service.service import read
from scaffold.views import releases as releases_view
from scaffold.views.status import text
from tests.deploy.services import client, commit
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import decide, look, release, roll_back, stage

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
GET = build_opener(ProxyHandler({})).open


class Tried:
    """A service whose releases to `live` people try before it shifts traffic to them."""

    def __init__(self, root: Path) -> None:
        answers = {"environments": "dev,live", "deployment_strategy": "canary", "approve_running": True}
        self.root = small_service(root, app_name="tried", customize=True, **answers)
        self.app = read(self.root).app_name

    def waiting(self, where: str) -> Any:
        """Release, until the release waits."""
        found = release(self.root).release
        assert found
        assert found.waiting == where
        return found

    def outputs(self, kind: str) -> dict[str, str]:
        (stack,) = client("cloudformation").describe_stacks(StackName=f"{self.app}-live-{kind}")["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def version(self, *, tried: bool = False) -> str:
        headers = {"X-Test-Release": self.outputs("service")["TestHeader"]} if tried else {}
        request = urllib.request.Request(self.outputs("environment")["ServiceUrl"], headers=headers)
        with GET(request, timeout=60) as answer:
            return str(json.loads(answer.read())["version"])

    def record(self, name: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.object(f"releases/{name}/release.json"))
        return record

    def object(self, key: str) -> bytes:
        return bytes(client("s3").get_object(Bucket=self.shared("ArtifactBucketName"), Key=key)["Body"].read())

    def shared(self, output: str) -> str:
        (stack,) = client("cloudformation").describe_stacks(StackName=f"{self.app}-foundation")["Stacks"]
        return str({one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}[output])

    def approver(self) -> tuple[Any, str]:
        """S3 for a role that has only the policy of approvers, in a session of the name ada."""
        iam, account = client("iam"), client("sts").get_caller_identity()["Account"]
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName=f"{self.app}-ada", AssumeRolePolicyDocument=document)["Role"]
        iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=self.shared("ApproverArn"))
        keys = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="ada")
        given = keys["Credentials"]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1")
        return session.client("s3"), keys["AssumedRoleUser"]["AssumedRoleId"]

    def deployments(self) -> list[str]:
        name = f"{self.app}-live"
        listed = client("ecs").list_service_deployments(cluster=name, service=name)["serviceDeployments"]
        return [one["status"] for one in listed]

    def attempts(self, name: str, action: str) -> str | None:
        """The status of an action of a stage in the newest execution that has run it."""
        found = {one["actionName"]: one for one in stage(self.app, name)["actionStates"]}
        status: str | None = found[action].get("latestExecution", {}).get("status")
        return status


def test_people_approve_while_the_tasks_run(aws: None, tmp_path: Path) -> None:
    service = Tried(tmp_path / "tried")
    # There is nothing to compare the first release with.
    waiting = service.waiting("Approve-Live")
    decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert release(service.root).exit_code == 0
    # The second one protects the load balancer from deletion.
    commit(service.root, notes_txt="No file of a stack\n")
    waiting = service.waiting("Approve-Live")
    decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert release(service.root).exit_code == 0
    first = service.version()
    asked = service.attempts("Approve-Live", "Approval")

    commit(service.root, app__src__main_mjs=f"{APPLICATION}// 2\n")
    waiting = service.waiting("Live")
    tried = service.version(tried=True)
    assert tried != first
    assert service.version() == first
    assert service.attempts("Approve-Live", "Approval") == asked
    with pytest.raises(UsageError, match="keeps no message"):
        decide(service.root, environment="live", yes=True, execution=waiting.execution, message="why")
    with pytest.raises(ScaffoldError, match="does not wait for approval"):
        decide(service.root, environment="live", yes=True, execution="another")
    header = service.outputs("service")["TestHeader"]
    curl = f"curl -H 'X-Test-Release: {header}' {service.outputs('environment')['ServiceUrl']}"
    state = look(service.root)
    assert f"Service waits for a decision while its tasks run, execution {waiting.execution}" in text(state)
    assert curl in text(state)
    assert "`scaffold approve live` lets the traffic shift, `scaffold reject live` takes it back" in text(state)
    assert [one["trial"] and one["trial"]["environment"] for one in state.document()["environments"]] == [None, "live"]
    decided = decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert curl in "\n".join(releases_view.describe(decided.release))
    assert release(service.root).exit_code == 0
    assert look(service.root).environments[1].trial is None
    caller, name = client("sts").get_caller_identity(), str(decided.release.name)
    signature = f"releases/{name}/approvals/live/{caller['UserId']}.json"
    assert json.loads(service.object(signature)) == {"by": caller["Arn"]}
    approval = service.record(name)["approval"]
    assert (approval["by"], approval["message"]) == (caller["Arn"], None)
    assert approval["at"] < service.record(name)["finished"]
    # An approver signs with their own id only.
    s3, user = service.approver()
    place = {"Bucket": service.shared("ArtifactBucketName"), "Key": f"releases/{name}/approvals/live/{user}.json"}
    s3.put_object(**place, Body=b"{}")
    s3.delete_object(**place)
    for call in (s3.put_object, s3.delete_object):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(Bucket=place["Bucket"], Key=signature)
    assert service.version() == tried
    with pytest.raises(ScaffoldError, match="waits for approval for live"):
        decide(service.root, environment="live", yes=True, execution=waiting.execution)

    # Somebody lets the traffic shift without `scaffold approve`.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// 5\n")
    waiting = service.waiting("Live")
    (found,) = client("ecs").list_service_deployments(
        cluster=f"{service.app}-live", service=f"{service.app}-live", status=["IN_PROGRESS"]
    )["serviceDeployments"]
    arn = found["serviceDeploymentArn"]
    (paused,) = client("ecs").describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    (hook,) = [one for one in paused["lifecycleHookDetails"] if one["status"] == "AWAITING_ACTION"]
    continued = {"serviceDeploymentArn": arn, "hookId": hook["hookId"], "action": "CONTINUE"}
    client("ecs").continue_service_deployment(**continued)
    assert release(service.root).exit_code == 0
    tried = service.version()
    newest = json.loads(service.object("releases/production.json"))["name"]
    assert service.record(newest)["approval"]["by"] is None
    assert "CloudTrail" in service.record(newest)["approval"]["message"]

    # A release that is rejected is taken back, and the environment before keeps it.
    commit(service.root, app__src__main_mjs=f"{APPLICATION}// 3\n")
    waiting = service.waiting("Live")
    decide(service.root, Rejection, environment="live", yes=True, execution=waiting.execution)
    with pytest.raises(ReleaseFailed, match="in the action Service of the stage Live"):
        release(service.root)
    assert (service.version(), service.deployments()[0]) == (tried, "ROLLBACK_SUCCESSFUL")
    assert stage(service.app, "Dev")["latestExecution"]["status"] == "Succeeded"
    assert service.attempts("Live", "Tests") == "Succeeded"

    # With a change of the infrastructure people are asked before, and not once more.
    alarms = (service.root / "infrastructure/alarms.yaml").read_text()
    commit(
        service.root,
        app__src__main_mjs=f"{APPLICATION}// 4\n",
        infrastructure__alarms_yaml=alarms.replace("Description: ", "Description: The ", 1) + "  # Another one\n",
        infrastructure__live__alarms_json=(service.root / "infrastructure/live/alarms.json")
        .read_text()
        .replace('"Tags": {', '"Tags": {"team": "payments",'),
    )
    waiting = service.waiting("Approve-Live")
    decide(service.root, environment="live", yes=True, execution=waiting.execution)
    assert release(service.root).exit_code == 0
    fourth = service.version()
    assert fourth not in (first, tried)
    assert service.version(tried=True) == fourth

    # Who rolls back has decided.
    deployments = len(service.deployments())
    roll_back(service.root, "live")
    deadline = time.monotonic() + 300
    while service.version() != tried:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert len(service.deployments()) == deployments + 1
