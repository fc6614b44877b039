"""A PostgreSQL server with a folder of its own, reached through a socket in it.

Its superuser is rdsadmin, which no client of an endpoint may be. Members of rds_iam need no password here, since the
endpoint has verified their tokens; everybody else does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from scaffold.engine.databases import programs

ADMIN = "rdsadmin"
_PORT = 5432
_START_SECONDS = 60
_POLL_SECONDS = 0.2
_STOP_SECONDS = 20
_SYSTEM_USERS = ("postgres", "nobody")
_ACCESS = f"""\
local all {ADMIN} trust
local replication {ADMIN} trust
local all +rds_iam trust
local all all scram-sha-256
"""
# When local AWS has ended in whatever way, its end of the pipe is closed, and nothing of the server stays.
_UNTIL_THE_END = '"$@" <&- & server=$!; read -r _; kill -INT "$server"; wait "$server"; rm -rf -- "$0"'
# What makes a small server that nobody needs after a crash of the machine.
_SETTINGS = (
    *("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB"),
    *("password_encryption=scram-sha-256", "logging_collector=off", "log_statement=ddl", "max_connections=120"),
)


class NoDatabase(Exception):
    """A database cannot be started. The text says why."""


class Server:
    """A running server.

    Args:
        source: A server whose data is copied; None for a new one.

    Raises:
        NoDatabase: PostgreSQL is not installed, or does not start.
    """

    def __init__(self, source: Server | None = None) -> None:
        folder = programs.found()
        if folder is None:
            raise NoDatabase("PostgreSQL is not installed; install it, such as Debian's package postgresql")
        self._bin = folder
        self._user = _user()
        # A path that is short enough for a socket, and that the server's user may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="scaffold-postgres-", dir="/tmp"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._prepare(source)
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return str(self._folder / f".s.PGSQL.{_PORT}")

    def stop(self) -> None:
        """End the server, and delete its data."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.close()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements as the superuser.

        Raises:
            NoDatabase: The server refuses one.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_START_SECONDS)
            connection.connect(self.socket)
            connection.sendall(startup(ADMIN, database))
            _until_ready(connection)
            for statement in statements:
                text = statement.encode() + b"\0"
                connection.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
                _until_ready(connection)

    def _prepare(self, source: Server | None) -> None:
        data = self._folder / "data"
        if source is None:
            self._run("initdb", "-D", data, "-U", ADMIN, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        else:
            self._run("pg_basebackup", "-D", data, "-h", source._folder, "-U", ADMIN, "--no-sync", "-c", "fast")
        (data / "pg_hba.conf").write_text(_ACCESS, "utf-8")

    def _start(self) -> None:
        options = [word for setting in _SETTINGS for word in ("-c", setting)]
        log = (self._folder / "log").open("wb")
        with log:
            command: list[str | Path] = [
                self._bin / "postgres",
                "-D",
                self._folder / "data",
                "-k",
                self._folder,
                "-p",
                str(_PORT),
            ]
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _UNTIL_THE_END, self._folder, *command, *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                user=self._user,
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        self._run("pg_isready", "-h", self._folder, "-U", ADMIN, "-t", "1", until=_START_SECONDS)

    def _run(self, program: str, *arguments: str | Path, until: int = 1) -> None:
        for _ in range(until * 5):
            done = subprocess.run(
                [self._bin / program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                user=self._user,
                cwd="/",
                env=_environment(),
            )
            if done.returncode == 0:
                return
            if until == 1 or (self._process and self._process.poll() is not None):
                break
            time.sleep(_POLL_SECONDS)
        raise NoDatabase(f"{program} of PostgreSQL failed: {' '.join(done.stderr.split())[-300:]}")


def startup(user: str, database: str) -> bytes:
    """The first message of a client."""
    text = f"user\0{user}\0database\0{database}\0\0".encode()
    return struct.pack("!II", len(text) + 8, 196608) + text


def receive(connection: socket.socket, count: int) -> bytes:
    """Exactly this many bytes.

    Raises:
        ConnectionError: The other side has closed the connection.
    """
    received = b""
    while len(received) < count:
        more = connection.recv(count - len(received))
        if not more:
            raise ConnectionError("the connection was closed")
        received += more
    return received


def message(connection: socket.socket) -> tuple[bytes, bytes]:
    """The type and the content of the next message."""
    head = receive(connection, 5)
    return head[:1], receive(connection, struct.unpack("!I", head[1:])[0] - 4)


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _until_ready(connection: socket.socket) -> None:
    while True:
        kind, content = message(connection)
        if kind == b"E":
            said = {part[:1]: part[1:] for part in content.split(b"\0") if part}
            raise NoDatabase(f"PostgreSQL: {said.get(b'M', b'').decode()}")
        if kind == b"Z":
            return


def _user() -> str | None:
    """Whose processes the server's are; None for the user of this process. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in _SYSTEM_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoDatabase("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
