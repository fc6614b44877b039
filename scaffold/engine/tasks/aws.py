"""The endpoint through which tasks and the engine call AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from scaffold.engine.credentials import AssumeRole, Credentials
from scaffold.engine.executors.clients import Clients

#: The name of the session in which ECS assumes the role of a service.
_SERVICE_SESSION = "ecs-service-scheduler"


@dataclass
class Aws:
    """Local AWS, as its clients see it. May be used from any thread.

    Attributes:
        endpoint: Its URL.
        credentials: With which it is called.
        assume: Gives the credentials of a role.
    """

    endpoint: str
    credentials: Credentials
    assume: AssumeRole

    def __post_init__(self) -> None:
        self._clients = Clients(self.endpoint, self.credentials)
        self._of_services: dict[str, Aws] = {}

    def of_role(self, role_arn: str, session: str) -> Aws:
        """The same with the credentials of a role; without a role, with its own."""
        return replace(self, credentials=self.assume(role_arn, session)) if role_arn else self

    def of_service(self, settings: Mapping[str, Any]) -> Aws:
        """The same with the role with which ECS changes the load balancers of a service.

        A service without `advancedConfiguration` has the service-linked role of ECS, which may make all of its calls.
        """
        given = [one.get("advancedConfiguration") or {} for one in settings.get("loadBalancers", [])]
        role = next((one["roleArn"] for one in given if one.get("roleArn")), "")
        if role not in self._of_services:
            self._of_services[role] = self.of_role(role, _SERVICE_SESSION)
        return self._of_services[role]

    def close(self) -> None:
        """Close the connections of its clients."""
        self._clients.close()

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the endpoint."""
        url = urlsplit(self.endpoint)
        return url.hostname or "127.0.0.1", url.port or 80

    def client(self, service: str, region: str) -> Any:
        """A boto3 client, without the machine's AWS settings."""
        return self._clients(service, region)

    def variables(self, region: str, task_role: str, session: str) -> dict[str, str]:
        """The environment variables with which a task calls AWS. Fargate sets the first three.

        Args:
            task_role: The ARN of the task's role. A task without one has no credentials.
        """
        credentials = self.assume(task_role, session).variables if task_role else {}
        return {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            **credentials,
        }
