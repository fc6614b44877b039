"""What builds need of the AWS that they run on, and of the machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

from scaffold.engine.builds.aws_server import AwsServer
from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.credentials import AssumeRole
from scaffold.engine.models import new_session


@dataclass(frozen=True)
class Surroundings:
    """The place of builds.

    Attributes:
        root: The folder in which each build has its own.
        variables: Environment variables with which the commands of builds reach AWS and Git, and their PATH.
        downloads: Environment variables with which this machine's package managers reach their registries.
        engine: Builds images; without it, they are built without a container engine.
        aws: Makes the AWS calls of builds; without it, the AWS CLI does.
        assume: Gives builds the credentials of their project's role; without it they have those of `variables`.
    """

    root: Path
    account: str
    endpoint: str
    variables: Mapping[str, str]
    downloads: Mapping[str, str] = field(default_factory=dict)
    engine: ContainerEngine | None = None
    aws: AwsServer | None = None
    assume: AssumeRole | None = None
    _session: Session = field(default_factory=new_session)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_role(self, role_arn: str, session: str) -> Surroundings:
        """The surroundings of a build that has assumed a role."""
        if self.assume is None:
            return self
        return replace(self, variables={**self.variables, **self.assume(role_arn, session).variables})

    def client(self, service: str, region: str) -> Any:
        """A client of AWS, with nothing of the machine's AWS settings."""
        with self._lock:  # Sessions may not be used by several threads at once.
            return self._session.create_client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=self.variables.get("AWS_SESSION_TOKEN"),
                config=Config(retries={"max_attempts": 0}, proxies={}, s3={"addressing_style": "path"}),
            )
