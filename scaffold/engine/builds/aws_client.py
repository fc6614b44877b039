"""The `aws` of a build: leaves its call to the engine, or to the program that the engine names.

    aws_client.py PORT ARGUMENTS…

A program of its own that starts at once: the AWS CLI takes more time to start than most of its calls take.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_ENDED = json.dumps({"code": 255, "output": "", "error": "Local AWS has ended.\n"})


def main() -> int:
    """Make the call of this process's command line."""
    port, *words = sys.argv[1:]
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.sendall(json.dumps({"words": words, "variables": variables}).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").read() or _ENDED)
    if program := answer.get("program"):
        sys.stdout.flush()
        os.execv(program[0], [*program, *words])  # noqa: S606
    sys.stdout.write(answer["output"])
    sys.stderr.write(answer["error"])
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main())
