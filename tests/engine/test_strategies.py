"""The kit's own stacks with each strategy that shifts traffic, on a local AWS that runs, under traffic."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from scaffold.local.environment import LocalAws, running_local_aws
from tests.engine.tasks.test_running import constant_client, wait
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.test_running import ANSWERS, GET, prepared
from tests.kits import generate

SHORT, LONG = "2", "120"
#: The percentage of the traffic that a new version gets first.
SHARES = {"blue_green": 100, "canary": 10, "linear": 20}
VERSIONS = ("1" * 12, "2" * 12, "3" * 12)


class Environment:
    """The environment `live` of a service."""

    def __init__(self, aws: LocalAws, root: Path, strategy: str) -> None:
        self.aws = aws
        self.account = Account(aws.variables, root)
        self.strategy = strategy
        self.image = prepared(self.account, root)
        outputs = {
            kind: self.account.apply(f"live-{kind}", f"{kind}.yaml", f"live/{kind}.json")
            for kind in ("network", "environment", "alarms")
        }
        self.url, self._rule = (outputs["environment"][name] for name in ("ServiceUrl", "ProductionRuleArn"))
        self.name = f"{self.account.app}-live"

    def start(self, version: str, minutes: str, pause: str = "") -> None:
        """Start the release of a version, each of whose waits takes some minutes.

        Args:
            pause: The minutes for which it waits for a decision; empty for none.
        """
        task = self.account.apply(
            "live-task-definition", "live/task-definition.yaml", ImageUri=self.image, Version=version
        )
        waits = {"BakeMinutes": minutes}
        waits |= {"CanaryBakeMinutes": minutes} if self.strategy == "canary" else {}
        waits |= {"LinearStepMinutes": minutes} if self.strategy == "linear" else {}
        waits |= {"PauseMinutes": pause} if pause else {}
        configuration = self.account._configuration("live/service.json")["Parameters"]
        stacks = self.account.cloudformation
        act = stacks.update_stack if f"{self.name}-service" in self.account.stacks() else stacks.create_stack
        act(
            StackName=f"{self.name}-service",
            TemplateBody=(self.account._folder / "service.yaml").read_text(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {**configuration, **task, **waits}.items()
            ],
        )

    def settled(self) -> str:
        def status() -> str:
            found = self.account.cloudformation.describe_stacks(StackName=f"{self.name}-service")
            return str(found["Stacks"][0]["StackStatus"])

        wait(lambda: not status().endswith("IN_PROGRESS"), 180)
        return status()

    def weights(self) -> list[int]:
        (rule,) = self.account.client("elbv2").describe_rules(RuleArns=[self._rule])["Rules"]
        return [one["Weight"] for one in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]

    def tag(self, key: str, value: str) -> None:
        """Give the environment's stack, and so its listener rule, another tag."""
        name = f"{self.name}-environment"
        stacks = self.account.cloudformation
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        stacks.update_stack(
            StackName=name,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in stack["Parameters"]],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[*stack["Tags"], {"Key": key, "Value": value}],
        )
        wait(lambda: stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE")
        (found,) = self.account.client("elbv2").describe_tags(ResourceArns=[self._rule])["TagDescriptions"]
        assert {"Key": key, "Value": value} in found["Tags"]

    def newest(self) -> dict[str, Any]:
        listed = self.account.client("ecs").list_service_deployments(cluster=self.name, service=self.name)
        found: dict[str, Any] = listed["serviceDeployments"][0]
        return found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", SHARES)
def test_a_good_release_fails_no_request_and_a_bad_one_is_taken_back(tmp_path: Path, strategy: str) -> None:
    root = generate(tmp_path / "really", **ANSWERS, deployment_strategy=strategy)
    with running_local_aws(runs=True, speed=60) as aws:
        live = Environment(aws, root, strategy)
        live.start(VERSIONS[0], SHORT)
        assert live.settled() == "CREATE_COMPLETE", live.account.failures(f"{live.name}-service")
        assert live.weights() == [0, 100]

        with constant_client(live.url) as client:
            live.start(VERSIONS[1], SHORT)
            assert live.settled() == "UPDATE_COMPLETE", live.account.failures(f"{live.name}-service")
        assert client.failures == []
        assert {version for version in VERSIONS if any(version in answer for answer in client.answers)} == {
            *VERSIONS[:2]
        }
        assert (live.weights(), live.newest()["status"]) == ([100, 0], "SUCCESSFUL")

        live.tag("team", "payments")
        assert live.weights() == [100, 0]

        aws.inject_faults(live.name, ["errors:100%"])
        share = SHARES[strategy]
        live.start(VERSIONS[2], LONG)
        wait(lambda: live.weights() == [100 - share, share], 120)
        # Without requests no alarm has data; the kit's own one needs more failures than these.
        with constant_client(live.url) as client:
            wait(lambda: client.outcomes["failed"] >= 3 and (share == 100 or client.outcomes["answered"] > 0))
            live.account.client("cloudwatch").set_alarm_state(
                AlarmName=f"{live.name}-5xx", StateValue="ALARM", StateReason="a test"
            )
            assert live.settled() == "UPDATE_ROLLBACK_COMPLETE"
            after = client.outcomes["failed"]
            assert live.weights() == [100, 0]
            time.sleep(0.5)
        assert client.outcomes["failed"] == after
        assert not any(VERSIONS[2] in answer for answer in client.answers)
        assert live.newest()["status"] == "ROLLBACK_SUCCESSFUL"


class Trial(Environment):
    """The environment `live`, whose releases people approve while their tasks run."""

    def service_outputs(self) -> dict[str, str]:
        (stack,) = self.account.cloudformation.describe_stacks(StackName=f"{self.name}-service")["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def tried(self) -> str:
        """What the tasks behind the test rule answer."""
        headers = {"X-Test-Release": self.service_outputs()["TestHeader"]}
        with GET(urllib.request.Request(self.url, headers=headers), timeout=60) as answer:
            return str(json.loads(answer.read())["version"])

    def pause(self) -> dict[str, Any]:
        """Wait for the pause; return the newest deployment with its hook."""

        def paused() -> dict[str, Any]:
            arns = [self.newest()["serviceDeploymentArn"]]
            found: dict[str, Any] = self.account.client("ecs").describe_service_deployments(serviceDeploymentArns=arns)
            deployment: dict[str, Any] = found["serviceDeployments"][0]
            return deployment if deployment.get("lifecycleHookDetails") else {}

        wait(lambda: bool(paused()), 120)
        return paused()

    def decide(self, action: str) -> None:
        deployment = self.pause()
        self.account.client("ecs").continue_service_deployment(
            serviceDeploymentArn=deployment["serviceDeploymentArn"],
            hookId=deployment["lifecycleHookDetails"][0]["hookId"],
            action=action,
        )


@pytest.mark.slow
def test_people_try_the_new_tasks_before_production_gets_them(tmp_path: Path) -> None:
    root = generate(tmp_path / "really", **ANSWERS, deployment_strategy="canary", customize=True, approve_running=True)
    with running_local_aws(runs=True, speed=60) as aws:
        live = Trial(aws, root, "canary")
        live.start(VERSIONS[0], SHORT)
        assert live.settled() == "CREATE_COMPLETE", live.account.failures(f"{live.name}-service")
        assert (live.weights(), live.tried()) == ([0, 100], VERSIONS[0])

        with constant_client(live.url) as client:
            live.start(VERSIONS[1], SHORT, pause="480")
            deployment = live.pause()
            assert deployment["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT"
            assert (live.tried(), live.weights()) == (VERSIONS[1], [0, 100])
            live.decide("ROLLBACK")
            assert live.settled() == "UPDATE_ROLLBACK_COMPLETE"
            assert live.tried() == VERSIONS[0]

            # Without a decision.
            live.start(VERSIONS[1], SHORT, pause="5")
            assert live.settled() == "UPDATE_ROLLBACK_COMPLETE"
            assert live.newest()["statusReason"].endswith("the pause of a lifecycle hook was over.")
            assert client.failures == []
            assert not any(VERSIONS[1] in answer for answer in client.answers)

            live.start(VERSIONS[1], SHORT, pause="480")
            live.decide("CONTINUE")
            assert live.settled() == "UPDATE_COMPLETE", live.account.failures(f"{live.name}-service")
        assert client.failures == []
        assert (live.weights(), live.tried()) == ([100, 0], VERSIONS[1])

        # The end of the pause starts no deployment, and the next one does not pause.
        before = live.newest()
        live.start(VERSIONS[1], SHORT)
        assert live.settled() == "UPDATE_COMPLETE"
        assert live.newest() == before
        live.start(VERSIONS[2], SHORT)
        assert live.settled() == "UPDATE_COMPLETE"
        assert (live.weights(), live.tried()) == ([0, 100], VERSIONS[2])
