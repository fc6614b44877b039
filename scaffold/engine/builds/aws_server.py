"""Answers the `aws` of builds in this process, where the models of AWS's APIs are read already."""

from __future__ import annotations

import functools
import os
import socketserver
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BufferedIOBase
from typing import Any

from botocore.config import Config

from scaffold.engine.builds import aws_command
from scaffold.engine.builds.git_credentials import answer_git
from scaffold.engine.credentials import Credentials
from scaffold.engine.models import new_session

#: What the engine sets or a script of the kit does. With any other variable of the AWS CLI, the call is left to it.
_KNOWN = {
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_PAGER",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
}
_NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
_RETRY_MODE, _ATTEMPTS = "standard", "3"
_CLIENTS = 64
_CREDENTIAL_HELPER = ["codecommit", "credential-helper"]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128  # Scripts make calls side by side, and so do builds.


class AwsServer:
    """Listens on a port of this machine. A call is made with the credentials that come with it.

    Args:
        program: Gives the command that makes the calls that are not known here.
    """

    def __init__(self, program: Callable[[], Sequence[str]]) -> None:
        self._clients = functools.lru_cache(_CLIENTS)(_client)
        self._program = program
        self._lock = threading.Lock()
        answer = self._answer

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):  # The build was stopped.
                    self.wfile.write(answer(*_request(self.rfile)))

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True, name="aws-of-builds").start()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, words: list[str], variables: dict[str, str], said: str) -> bytes:
        """What `aws_client` prints, or the program that it becomes.

        Args:
            said: What Git says to its credential helper.
        """
        try:
            if not all(variables.get(name) for name in _NEEDED) or variables.keys() - _KNOWN:
                raise aws_command.Unknown("it is called with other settings than those of a build")
            if words[:2] == _CREDENTIAL_HELPER:
                text = answer_git(words[2:], said, _credentials(variables), variables["AWS_DEFAULT_REGION"])
                answer = aws_command.Answer(0, text)
            else:
                answer = aws_command.call(words, functools.partial(self._client, variables))
        except aws_command.Unknown:
            return b"\n" + b"\0".join(map(os.fsencode, self._program()))
        output, error = os.fsencode(answer.output), os.fsencode(answer.error)
        return b"%d %d\n" % (answer.code, len(output)) + output + error

    def _client(self, variables: Mapping[str, str], service: str, region: str | None) -> Any:
        with self._lock:  # Making a client is not thread-safe.
            return self._clients(
                service,
                region or variables["AWS_DEFAULT_REGION"],
                variables["AWS_ENDPOINT_URL"],
                variables["AWS_ACCESS_KEY_ID"],
                variables["AWS_SECRET_ACCESS_KEY"],
                variables.get("AWS_SESSION_TOKEN"),
                variables.get("AWS_RETRY_MODE", _RETRY_MODE),
                int(variables.get("AWS_MAX_ATTEMPTS", _ATTEMPTS)),
            )


def _request(stream: BufferedIOBase) -> tuple[list[str], dict[str, str], str]:
    """The arguments of a call, its variables, and what Git says; `aws_client` describes the form.

    Raises:
        ConnectionError: The request ends too early.
    """
    words, variables = int(_field(stream)), int(_field(stream))
    fields = [_field(stream) for _ in range(words + variables)]
    said = os.fsdecode(stream.read()) if fields[:2] == _CREDENTIAL_HELPER else ""
    pairs = (field.partition("=") for field in fields[words:])
    return fields[:words], {name: value for name, _, value in pairs}, said


def _field(stream: BufferedIOBase) -> str:
    """The text before the next NUL."""
    field = bytearray()
    while byte := stream.read(1):
        if byte == b"\0":
            return os.fsdecode(bytes(field))
        field += byte
    raise ConnectionError


def _credentials(variables: Mapping[str, str]) -> Credentials:
    return Credentials(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables.get("AWS_SESSION_TOKEN", "")
    )


def _client(
    service: str,
    region: str,
    endpoint: str,
    access_key: str,
    secret_key: str,
    token: str | None,
    retry_mode: Any,
    attempts: int,
) -> Any:
    return new_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=Config(proxies={}, retries={"mode": retry_mode, "total_max_attempts": attempts}),
    )
