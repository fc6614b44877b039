"""The `aws` of a build: leaves its call to the engine, or to the program that the engine names.

    aws_client.py PORT ARGUMENTS…

A program of its own that starts at once: the AWS CLI takes more time to start than most of its calls take. It leaves
out even `json` and `socket`, which double the time of its start. `tools` has most calls made by bash, if there is one.
"""

from __future__ import annotations

import _socket
import os
import sys

_READ_BYTES = 1 << 16


def main() -> int:
    """Make the call of this process's command line.

    A request is the number of arguments, the arguments and the variables, each of them ended by NUL, and what Git says
    to its credential helper. The answer is a line, with the exit code and the length of the standard output, and both
    outputs; or an empty line and the words of a program, between them NUL.
    """
    port, *words = sys.argv[1:]
    said = sys.stdin.buffer.read() if words[:2] == ["codecommit", "credential-helper"] else b""
    variables = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("AWS_")]
    fields = [str(len(words)), str(len(variables)), *words, *variables]
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.connect(("127.0.0.1", int(port)))
    connection.sendall(b"".join(os.fsencode(one) + b"\0" for one in fields) + said)
    connection.shutdown(_socket.SHUT_WR)
    answer = bytearray()
    while part := connection.recv(_READ_BYTES):
        answer += part
    head, line_break, body = bytes(answer).partition(b"\n")
    if not line_break:
        sys.stderr.write("Local AWS has ended.\n")
        return 255
    if not head:
        program = body.split(b"\0")
        if said:
            _say(said)
        os.execv(program[0], [*program, *map(os.fsencode, words)])  # noqa: S606
    code, length = map(int, head.split())
    sys.stdout.buffer.write(body[:length])
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(body[length:])
    return code


def _say(text: bytes) -> None:
    """Let the standard input have a text that was read from it; a pipe takes it at once, as that of Git did."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    os.dup2(reading, 0)


if __name__ == "__main__":
    sys.exit(main())
