"""AWS clients for the threads of executors."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import ClientError

from scaffold.engine.credentials import Credentials
from scaffold.engine.models import new_session


class Clients:
    """Clients of an endpoint. Made once for each service and region, since making one is slow and not thread-safe.

    Args:
        endpoint: The URL of the endpoint of all services.
        credentials: With which it is called.
    """

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self.endpoint = endpoint
        keys = credentials.access_key, credentials.secret_key, credentials.token or None
        self._session = boto3.session.Session(*keys, botocore_session=new_session())
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def __call__(self, service: str, region: str) -> Any:
        """The client of a service in a region."""
        with self._lock:
            if (service, region) not in self._made:
                path_style = {"addressing_style": "path"}
                config = Config(
                    proxies={},
                    s3=path_style,  # type: ignore[arg-type]
                    max_pool_connections=20,
                    read_timeout=600,
                )
                made = self._session.client(service, region, endpoint_url=self.endpoint, config=config)
                self._made[service, region] = made
            return self._made[service, region]

    def close(self) -> None:
        """Close the connections, which the endpoint has left open or closed; the next call makes another one."""
        with self._lock:
            for one in self._made.values():
                one.close()


def alarms_of(client: Any, names: Iterable[str]) -> list[dict[str, Any]]:
    """The alarms with these names, composite ones too, as DescribeAlarms returns them.

    Args:
        client: A client of CloudWatch.

    Raises:
        ClientError: It is refused.
    """
    found = client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]


def message_of(error: ClientError) -> str:
    """The text of an error, as AWS's services report it."""
    return str(error.response["Error"].get("Message", error))


def code_of(error: ClientError) -> str:
    """The name of an error in the service's API."""
    return str(error.response["Error"].get("Code", ""))
