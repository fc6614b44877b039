"""Why a build could not get packages or base images, in the words of npm, apt and container engines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# What was said earlier was overcome: the scripts of a build repeat pulls, npm its requests.
_LINES = 20
# Without the user and the password or token of an address.
_HOST = r'(?:[^/\s"]*@)?(?P<host>[^/\s"@]+)'
# Registries of images answer below /v2/, and give tokens (https://distribution.github.io/distribution/spec/api/).
_FAILURES = (
    (
        "npm",
        re.compile(rf"npm (?:error|ERR!) .*request to https?://{_HOST}\S* failed, reason: (?P<reason>.*\S)"),
    ),
    ("npm", re.compile(rf"npm (?:error|ERR!) .*(?P<reason>network timeout) at: https?://{_HOST}")),
    ("apt-get", re.compile(rf"\b[EW]: Failed to fetch https?://{_HOST}\S*\s+(?P<reason>.*\S)")),
    ("", re.compile(rf'(?:Get|Head) "https?://{_HOST}/(?:v2/|token\b)[^"]*": (?P<reason>.*\S)')),
)
# In the words of Node, apt and Go: names that do not resolve, connections that fail, and TLS without trust.
_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|temporary failure|no such host|server misbehaving|could ?n[o']t resolve"
    r"|refused|time(?:d)?[ -]?out|deadline exceeded|socket hang up|\breset\b|\bEOF\b|unreachable|no route to host"
    r"|E(?:CONN(?:REFUSED|RESET|ABORTED)|(?:SOCKET)?TIMEDOUT|HOSTUNREACH|NETUNREACH)\b"
    r"|(?:could not|unable to) connect|cannot initiate the connection|connection (?:failed|closed)"
    r"|proxyconnect|tunneling|\btls\b|handshake|certificate|x509|self[- ]signed",
    re.IGNORECASE,
)
# A registry, or what is before it, has answered: `504 Gateway Timeout`.
_ANSWERED = re.compile(r"\b[45]\d\d\s+[A-Z]")
_APT_ERROR = re.compile(r"(?:^|\s)E: ")
# What is said after a failure that was overcome, or that is not why the build has failed.
_OTHERS = re.compile(
    # What npm and apt do not say about a failure of the network.
    r"npm (?:error|ERR!) (?!network\b|A complete log\b)\S"
    r"|(?:^|\s)E: (?!Failed to fetch|Some index files|Unable to (?:fetch|locate)|Package .* has no|Couldn't find)"
    # Packages are installed; the next step of podman.
    r"|\badded \d+ packages?\b|^STEP \d+/\d+:"
    # Tests and compilers.
    r"|\bnot ok \d|\bFAIL(?:ED)?\b|\b[1-9]\d* (?:failed|failing|failures?)\b|\bfail(?:ed|ures)?[ =:]+[1-9]"
    r"|\btests? failed\b|\b(?:Assertion|Syntax|Type|Reference)Error\b|\berror TS\d"
    # The scripts of a service.
    r"|^Build stopped: (?!cannot (?:resolve|build)\b)|^\w[\w ]* closed: (?!.*\bcannot\b)"
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
            where = "the network of the CodeBuild project (VPC, security group, NAT gateway or proxy)"
            return f"Let builds reach {self.host}: look at {where}, then build again: `{again}`."
        if self.in_container or self.client != "npm":
            return f"Without a container engine, a build needs the npm registry only: {without_engine}."
        lines = "`cafile=FILE`" if _CERTIFICATE.search(self.reason) else "`registry=URL` or `https-proxy=URL`"
        return f"Write what npm needs to reach it into ~/.npmrc, such as {lines}, then build again: `{again}`."


def find_unreached(log: Sequence[str]) -> Unreached | None:
    """The registry that a failed build could not reach; None where it has failed otherwise.

    Args:
        log: The last lines of the build.
    """
    last, apt_failed = log[-_LINES:], False
    for line in reversed(last):
        client, found = _failure(line)
        if found is None:
            if _OTHERS.search(line):
                return None
            apt_failed = apt_failed or bool(_APT_ERROR.search(line))
        # apt goes on after a warning, and fails later where it needs what it could not fetch.
        elif apt_failed or not found[0].startswith("W:"):
            reason = found["reason"].rstrip(".")
            if _ANSWERED.search(reason) or not _NETWORK.search(reason):
                return None
            return Unreached(client, found["host"], reason, bool(client) and any(map(_IN_CONTAINER.search, last)))
    return None


def _failure(line: str) -> tuple[str, re.Match[str] | None]:
    """The client whose failure a line is, and its words."""
    for client, pattern in _FAILURES:
        if found := pattern.search(line):
            return client, found
    return "", None
