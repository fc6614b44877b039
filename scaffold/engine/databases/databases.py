"""The databases of the clusters that local AWS has, by their ARNs."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme

from scaffold.engine.databases.endpoint import Endpoint
from scaffold.engine.databases.server import Server, quoted
from scaffold.engine.databases.tokens import FindCredentials, Refused, verify

_AUTHORITY = "databases.pem"
#: Why who has an access key may not sign in, by region and resource id of the cluster, as a user; empty if it may.
MayConnect = Callable[[str, str, str, str], str]


@dataclass(frozen=True)
class _Database:
    server: Server
    endpoint: Endpoint
    region: str


class Databases:
    """All databases. May be used from any thread.

    Args:
        folder: Gets the certificate of the authority that has signed those of the endpoints.
        find: Finds the credentials that have signed a token.
        may: Decides who may sign in.
    """

    def __init__(self, folder: Path, find: FindCredentials, may: MayConnect) -> None:
        self.authority = folder / _AUTHORITY
        self._find = find
        self._may = may
        self._found: dict[str, _Database] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def create(self, arn: str, resource_id: str, user: str, password: str, database: str, source: str = "") -> int:
        """Start the server of a cluster; return the port of its endpoint.

        Args:
            resource_id: The cluster's id in permissions.
            user: The master user.
            database: The first database; empty for none.
            source: The cluster that is restored.

        Raises:
            NoDatabase: It cannot be started.
        """
        region = arn.split(":")[3]
        server = Server(self._found[source].server if source else None)
        if source:
            server.execute(_new_password(user, password))
        else:
            server.execute(
                "CREATE ROLE rds_iam NOLOGIN",
                "CREATE ROLE rds_superuser NOLOGIN CREATEDB CREATEROLE",
                f'CREATE ROLE "{user}" LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD {quoted(password)}',
                *([f'CREATE DATABASE "{database}" OWNER "{user}"'] if database else []),
            )

        def check(name: str, token: str) -> str:
            now = datetime.datetime.now(datetime.UTC)
            try:
                key = verify(token, f"{Endpoint.host}:{endpoint.port}", region, name, now, self._find)
            except Refused as error:
                return str(error)
            return self._may(key, region, resource_id, name)

        with self._lock:
            endpoint = Endpoint(server, self._tls(), check)
            self._found[arn] = _Database(server, endpoint, region)
        return endpoint.port

    def change_password(self, arn: str, user: str, password: str) -> None:
        """Give the master user another password."""
        if arn in self._found:
            self._found[arn].server.execute(_new_password(user, password))

    def delete(self, arn: str) -> None:
        """Stop the server of a cluster, and delete its data."""
        with self._lock:
            found = self._found.pop(arn, None)
        if found:
            found.endpoint.close()
            found.server.stop()

    def ports(self) -> list[int]:
        """The ports of all endpoints."""
        with self._lock:
            return [one.endpoint.port for one in self._found.values()]

    def stop(self) -> None:
        """Stop all servers, and delete their data."""
        for arn in list(self._found):
            self.delete(arn)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            authority = trustme.CA(organization_name="gitops-scaffold local AWS databases")
            authority.cert_pem.write_to_path(self.authority)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(Endpoint.host, "localhost").configure_cert(self._context)
        return self._context


def _new_password(user: str, password: str) -> str:
    return f'ALTER ROLE "{user}" PASSWORD {quoted(password)}'
