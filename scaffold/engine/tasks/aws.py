"""The endpoint through which tasks and the engine call AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scaffold.engine.executors.clients import Clients


@dataclass
class Aws:
    """Local AWS, as its clients see it. May be used from any thread.

    Attributes:
        endpoint: Its URL.
    """

    endpoint: str
    access_key: str
    secret_key: str

    def __post_init__(self) -> None:
        self._clients = Clients(self.endpoint, self.access_key, self.secret_key)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the endpoint."""
        url = urlsplit(self.endpoint)
        return url.hostname or "127.0.0.1", url.port or 80

    def client(self, service: str, region: str) -> Any:
        """A boto3 client, without the machine's AWS settings."""
        return self._clients(service, region)

    def variables(self, region: str) -> dict[str, str]:
        """The environment variables with which a task calls AWS. Fargate sets the first three."""
        return {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
