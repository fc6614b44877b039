"""Why a build could not get packages or base images, in the words of npm, apt and container engines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# What was said earlier was overcome: the scripts of a build repeat pulls, npm its requests.
_LINES = 20
# Registries of images answer below /v2/, and give tokens (https://distribution.github.io/distribution/spec/api/).
_FAILURES = (
    (
        "npm",
        re.compile(r"npm (?:error|ERR!) .*request to https?://(?P<host>[^/\s]+)\S* failed, reason: (?P<reason>.*\S)"),
    ),
    ("npm", re.compile(r"npm (?:error|ERR!) .*(?P<reason>network timeout) at: https?://(?P<host>[^/\s]+)")),
    ("apt-get", re.compile(r"\b[EW]: Failed to fetch https?://(?P<host>[^/\s]+)\S*\s+(?P<reason>.*\S)")),
    ("", re.compile(r'(?:Get|Head) "https?://(?P<host>[^/"]+)/(?:v2/|token\b)[^"]*": (?P<reason>.*\S)')),
)
# What podman says at the end of a failed RUN, and the number that Docker's builder puts before the lines of each step.
_IN_CONTAINER = re.compile(r'building at STEP "|^#\d+ |^(?:ERROR: )?failed to (?:solve|build)\b')
_CERTIFICATE = re.compile(r"certificate|x509", re.IGNORECASE)


@dataclass(frozen=True)
class Unreached:
    """A registry that a build could not reach.

    Attributes:
        client: What asked it; empty for a container engine, which pulls base images.
        host: With its port, if it has one.
        reason: In the words of the client.
        in_container: Whether a container asked, in which nothing is set up for this network.
    """

    client: str
    host: str
    reason: str
    in_container: bool

    def __str__(self) -> str:
        return f"{self.client or 'the pull of a base image'} could not reach {self.host} ({self.reason})"

    def remedy(self, *, local: bool, again: str, without_engine: str) -> str:
        """What lets the build reach it, or do without.

        Args:
            local: Whether the build has run on this machine, in local AWS.
            again: The command that builds again.
            without_engine: The end of a sentence that says how to build again without a container engine.
        """
        if not local:
            return f"Let builds reach {self.host}, then build again: `{again}`."
        if self.in_container or self.client != "npm":
            return f"Without a container engine, a build needs the npm registry only: {without_engine}."
        lines = "`cafile=FILE`" if _CERTIFICATE.search(self.reason) else "`registry=URL` or `https-proxy=URL`"
        return f"Write what npm needs to reach it into ~/.npmrc, such as {lines}, then build again: `{again}`."


def find_unreached(log: Sequence[str]) -> Unreached | None:
    """The registry that a failed build could not reach; None where it has failed otherwise.

    Args:
        log: The last lines of the build.
    """
    last = log[-_LINES:]
    for line in reversed(last):
        for client, pattern in _FAILURES:
            if found := pattern.search(line):
                in_container = bool(client) and any(map(_IN_CONTAINER.search, last))
                return Unreached(client, found["host"], found["reason"].rstrip("."), in_container)
    return None
