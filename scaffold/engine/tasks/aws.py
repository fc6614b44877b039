"""The endpoint through which tasks and the engine call AWS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from scaffold.engine.credentials import AssumeRole, Credentials
from scaffold.engine.executors.clients import Clients


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

    def of_role(self, role_arn: str, session: str) -> Aws:
        """The same with the credentials of a role; without a role, with its own."""
        return replace(self, credentials=self.assume(role_arn, session)) if role_arn else self

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
