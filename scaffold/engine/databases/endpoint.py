"""The endpoint of a database: TLS, tokens of IAM, and connections to the PostgreSQL server behind it.

Without TLS, or with a wrong token, the answer is that of Aurora. Everything else is PostgreSQL's own.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable

from scaffold.engine.databases.server import ADMIN, Server, message, receive

_SSL_REQUEST, _CANCEL_REQUEST = 80877103, 80877102
_READ_BYTES = 65536
_SECONDS = 60.0
#: Whether a user may sign in with a token; why not, where it may not.
CheckToken = Callable[[str, str], str]


class Endpoint:
    """Listens on a free port of 127.0.0.1.

    Args:
        context: With its certificate.
        check: Called with a user and a token.
    """

    host = "127.0.0.1"

    def __init__(self, server: Server, context: ssl.SSLContext, check: CheckToken) -> None:
        self._server = server
        self._context = context
        self._check = check
        self._listener = socket.create_server((self.host, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"database-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Accept no more connections. Those that are open end with the server."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, struct.error), contextlib.ExitStack() as open_ones:
            open_ones.enter_context(connection)
            connection.settimeout(_SECONDS)
            code, first = _first(connection)
            if code == _SSL_REQUEST:
                connection.sendall(b"S")
                connection = open_ones.enter_context(self._context.wrap_socket(connection, server_side=True))
                code, first = _first(connection)
            elif code != _CANCEL_REQUEST:
                user, database = (_parameters(first).get(name, "") for name in ("user", "database"))
                refusal = (
                    f'no pg_hba.conf entry for host "127.0.0.1", user "{user}", database "{database}", no encryption'
                )
                connection.sendall(_error("28000", refusal))
                return
            server = open_ones.enter_context(socket.socket(socket.AF_UNIX))
            server.connect(self._server.socket)
            server.sendall(first)
            if code != _CANCEL_REQUEST and not self._signed_in(connection, server, _parameters(first).get("user", "")):
                return
            connection.settimeout(None)
            _join(connection, server)

    def _signed_in(self, client: socket.socket, server: socket.socket, user: str) -> bool:
        """Whether the client may go on. A user that the server asks for no password needs a token."""
        if user == ADMIN:
            client.sendall(_error("28000", f'no pg_hba.conf entry for host "127.0.0.1", user "{user}"'))
            return False
        kind, content = message(server)
        answer = kind + struct.pack("!I", len(content) + 4) + content
        if (kind, content) == (b"R", struct.pack("!I", 0)):
            client.sendall(b"R" + struct.pack("!II", 8, 3))  # For the password in clear text, as within TLS.
            asked, token = message(client)
            why = self._check(user, token.rstrip(b"\0").decode("utf-8", "replace")) if asked == b"p" else "no token"
            if why:
                client.sendall(_error("28P01", f'PAM authentication failed for user "{user}"'))
                return False
        client.sendall(answer)
        return True


def _first(connection: socket.socket) -> tuple[int, bytes]:
    """The code and the bytes of a message at the start, which has no type."""
    head = receive(connection, 8)
    length, code = struct.unpack("!II", head)
    if not 8 <= length <= _READ_BYTES:
        raise ValueError("no start of a connection")
    return code, head + receive(connection, length - 8)


def _parameters(first: bytes) -> dict[str, str]:
    parts = first[8:].decode("utf-8", "replace").split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _error(code: str, text: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0C{code}\0M{text}\0\0".encode()
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


def _join(client: socket.socket, server: socket.socket) -> None:
    """Copy in both directions until one side ends. In one thread: TLS does not allow to read and write at once."""
    others = {client: server, server: client}
    with selectors.DefaultSelector() as sources:
        for one in others:
            sources.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in sources.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)  # noqa: S101
                more = True
                while more:
                    data = source.recv(_READ_BYTES)
                    if not data:
                        return
                    others[source].sendall(data)
                    # What TLS has decrypted already makes no socket readable.
                    more = isinstance(source, ssl.SSLSocket) and source.pending() > 0
