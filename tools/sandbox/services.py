"""The ECS services of the kit's service: their deployments, target groups and traffic."""

from __future__ import annotations

from typing import Any

from .kit import Service
from .sandbox import Sandbox
from .stacks import Stack
from .verdicts import Unavailable

_RUNNING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


class Environment:
    """One environment of the service."""

    def __init__(self, sandbox: Sandbox, service: Service, name: str) -> None:
        self._sandbox = sandbox
        self._ecs = sandbox.client("ecs")
        self._balancing = sandbox.client("elbv2")
        self.service_stack: Stack = service.stack(name, "service")
        self.environment_stack: Stack = service.stack(name, "environment")
        # Cluster, service and task family have the same name.
        self.name = f"{service.name}-{name}"

    def describe(self) -> dict[str, Any]:
        """The service as DescribeServices has it."""
        answer = self._ecs.describe_services(cluster=self.name, services=[self.name])
        found: dict[str, Any] = answer["services"][0]
        return found

    def deployments(self) -> list[dict[str, Any]]:
        """The deployments of the service, the newest first."""
        answer = self._ecs.list_service_deployments(cluster=self.name, service=self.name)
        return sorted(answer["serviceDeployments"], key=lambda one: str(one["createdAt"]), reverse=True)

    def deploy(self, **changes: Any) -> None:
        """Start a deployment of the same tasks, and wait until it has succeeded."""
        before = {one["serviceDeploymentArn"] for one in self.deployments()}
        self._ecs.update_service(cluster=self.name, service=self.name, forceNewDeployment=True, **changes)

        def ended() -> str:
            new = [one for one in self.deployments() if one["serviceDeploymentArn"] not in before]
            return str(new[0]["status"]) if new and new[0]["status"] not in _RUNNING else ""

        status = self._sandbox.wait(ended, f"the end of the deployment of {self.name}", 1800)
        if status != "SUCCESSFUL":
            raise Unavailable(f"the deployment of {self.name} ended with {status}")

    def begun(self, known: set[str]) -> str:
        """The ARN of a deployment that has begun, and is none of those known; empty before."""
        return next(
            (
                str(one["serviceDeploymentArn"])
                for one in self.deployments()
                if one["serviceDeploymentArn"] not in known and one["status"] == "IN_PROGRESS"
            ),
            "",
        )

    def groups(self) -> dict[str, str]:
        """The ARNs of the target groups, by `primary` and `alternate`."""
        outputs = self.environment_stack.outputs
        return {"primary": outputs["TargetGroupArn"], "alternate": outputs["AlternateTargetGroupArn"]}

    def live_group(self, rule_arn: str = "") -> str:
        """Which target group has the traffic.

        Args:
            rule_arn: Of the listener rule that is asked; by default the one of the environment's stack.
        """
        arn = rule_arn or self.environment_stack.outputs["ProductionRuleArn"]
        (rule,) = self._balancing.describe_rules(RuleArns=[arn])["Rules"]
        forwards = [one["ForwardConfig"] for one in rule["Actions"] if "ForwardConfig" in one]
        weights = {one["TargetGroupArn"]: one.get("Weight", 1) for one in forwards[0]["TargetGroups"]}
        groups = self.groups()
        return max(groups, key=lambda name: int(weights.get(groups[name], 0)))

    def registered(self) -> dict[str, int]:
        """How many targets that are not draining each group has."""
        found = {}
        for name, arn in self.groups().items():
            targets = self._balancing.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            found[name] = len([one for one in targets if one["TargetHealth"]["State"] != "draining"])
        return found
