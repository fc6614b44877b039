"""CodeCommit's Git endpoint over HTTPS: checks signatures, and runs `git http-backend`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from botocore.loaders import Loader

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.permissions.guard import Denied, Guard
from scaffold.local.permissions.needs import Need
from scaffold.local.permissions.sessions import Session
from scaffold.local.protocol import ACCOUNT, ROOT
from scaffold.local.services.pushed_references import Unreadable, pushed_references
from scaffold.local.services.repositories import Repositories, Repository

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_PATH = re.compile(r"/v1/repos/(?P<name>[\w.-]{1,100})/(?P<rest>info/refs|git-upload-pack|git-receive-pack)")
_CHUNK = 1 << 16


class GitEndpoint:
    """The ASGI application for clones, fetches and pushes.

    Args:
        repositories: The repositories of the API.
        region: The region to try first when a signature is checked.
        pushed: Called with a repository and the ARN of the caller after a push.
        guard: Checks the calls of roles; without it there are no roles that call.
    """

    def __init__(
        self,
        repositories: Repositories,
        region: str,
        pushed: Callable[[Repository, str], None] | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._repositories = repositories
        self._region = region
        self._pushed = pushed
        self._guard = guard
        self._running: set[int] = set()

    def stop(self) -> None:
        """Kill the Git processes of open requests."""
        for group in list(self._running):  # The event loop goes on, in another thread.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS permits no signal to a zombie.
                os.killpg(group, signal.SIGKILL)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Respond to one request of a Git client."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            return await _refuse(send, 404, "Not found")
        if "authorization" not in headers:
            return await _refuse(send, 401, "Credentials are required", [(b"www-authenticate", b'Basic realm="local"')])
        region = self._signed_region(match["name"], headers["authorization"], headers.get("host", ""))
        if region is None:
            return await _refuse(send, 403, "The signature does not match")
        session, references = self._session(_basic(headers["authorization"])[0]), list[str]()
        if session and match["rest"] == "git-receive-pack":
            try:
                references, receive = await pushed_references(receive)
            except Unreadable:
                return await _refuse(send, 400, "The references of the push cannot be read")
        if denied := self._denied(match, scope, session, region, references):
            return await _refuse(send, 403, denied)
        repository = self._repositories.find(region, match["name"])
        if repository is None:
            return await _refuse(send, 404, f"Repository {match['name']} does not exist")
        await self._serve(repository, match["rest"], scope, headers, receive, send)
        if match["rest"] == "git-receive-pack":
            repository.choose_default_branch()
            if self._pushed:
                self._pushed(repository, session.arn if session else ROOT)
        return None

    def _signed_region(self, name: str, authorization: str, host: str) -> str | None:
        """The region that a request is signed for, or None if the signature is wrong. The URL names no region."""
        user, password = _basic(authorization)
        session = self._session(user)
        if user != ACCESS_KEY and session is None:
            return None
        secret = session.credentials.secret_key if session else SECRET_KEY
        # git-remote-codecommit signs the port too, the AWS CLI's helper does not. CodeCommit's own address has none.
        hosts = (host, host.rpartition(":")[0] or host)
        for region in (self._region, *self._repositories.regions(), *_aws_regions()):
            if any(_is_signature(password, secret, one, f"/v1/repos/{name}", region) for one in hosts):
                return region
        return None

    def _session(self, user: str) -> Session | None:
        """The session of a role, whose user name is `access key%session token`."""
        key, _, token = user.partition("%")
        session = self._guard.session_of(key) if self._guard else None
        return session if session and session.credentials.token == token else None

    def _denied(
        self,
        match: re.Match[str],
        scope: dict[str, Any],
        session: Session | None,
        region: str,
        references: Iterable[str],
    ) -> str:
        """Why a role may not clone, fetch or push; an empty text if it may.

        Args:
            references: Those that a push changes; none in the first of its two requests.
        """
        if session is None or self._guard is None:
            return ""
        pushes = b"git-receive-pack" in (match["rest"].encode(), scope["query_string"].partition(b"service=")[2])
        action = "codecommit:GitPush" if pushes else "codecommit:GitPull"
        arn = f"arn:aws:codecommit:{region}:{ACCOUNT}:{match['name']}"
        contexts = [{"codecommit:References": one} for one in references] or [{}]
        needs = [Need(action, arn, dict(context)) for context in contexts]
        try:
            self._guard.require(session.role_arn, session.name, region, needs)
        except Denied as error:
            return str(error)
        return ""

    async def _serve(
        self,
        repository: Repository,
        rest: str,
        scope: dict[str, Any],
        headers: dict[str, str],
        receive: Receive,
        send: Send,
    ) -> None:
        """Run `git http-backend`, and stream the request to it and its response back."""
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(repository.path.parent),
            "GIT_PROJECT_ROOT": str(repository.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "http.getanyfile",
            "GIT_CONFIG_VALUE_1": "false",
            # No process of Git outlives the request, whose repository may be deleted after it.
            "GIT_CONFIG_KEY_2": "receive.autogc",
            "GIT_CONFIG_VALUE_2": "false",
            "PATH_INFO": f"/{repository.path.name}/{rest}",
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            "REQUEST_METHOD": scope["method"],
            "REMOTE_USER": ACCESS_KEY,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
        }
        # A chunked body has no length. Without the variable the backend reads to the end of its input.
        if "content-length" in headers:
            variables["CONTENT_LENGTH"] = headers["content-length"]
        pipe = asyncio.subprocess.PIPE
        backend = await asyncio.create_subprocess_exec(
            "git", "http-backend", stdin=pipe, stdout=pipe, env=variables, process_group=0
        )
        self._running.add(backend.pid)
        assert backend.stdin is not None  # noqa: S101
        assert backend.stdout is not None  # noqa: S101
        sending = asyncio.create_task(_send_body(backend.stdin, receive))
        try:
            await _send_response(backend.stdout, send)
            await backend.wait()
        finally:
            sending.cancel()
            if backend.returncode is None:
                os.killpg(backend.pid, signal.SIGKILL)
            self._running.discard(backend.pid)


@functools.cache
def _aws_regions() -> tuple[str, ...]:
    """All regions. Loaded only for a signature for a region without repositories."""
    endpoints = Loader().load_data("endpoints")
    return tuple(region for partition in endpoints["partitions"] for region in partition["regions"])


def _basic(authorization: str) -> tuple[str, str]:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    with contextlib.suppress(ValueError):
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        return user, password
    return "", ""


def _is_signature(password: str, secret: str, host: str, path: str, region: str) -> bool:
    """Check the Signature Version 4 that Git clients send as the password, `<time>Z<signature>`."""
    time, _, signature = password.partition("Z")
    date, service = time[:8], "codecommit"
    canonical = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex().encode(), signature.encode())


async def _refuse(send: Send, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    body = f"{text}\n".encode()
    described = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": described})
    await send({"type": "http.response.body", "body": body})


async def _send_body(pipe: asyncio.StreamWriter, receive: Receive) -> None:
    """Send the request's body to the backend."""
    with contextlib.suppress(ConnectionError):
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            pipe.write(message.get("body", b""))
            await pipe.drain()
            more = message.get("more_body", False)
    pipe.close()


async def _send_response(pipe: asyncio.StreamReader, send: Send) -> None:
    """Convert the backend's CGI response to HTTP."""
    status, headers = 200, []
    while (line := (await pipe.readline()).strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while chunk := await pipe.read(_CHUNK):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
