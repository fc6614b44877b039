"""The account of the user's credentials, looked up beside other work.

A process without a terminal looks: a source of credentials that asks for something, such as an MFA code, would
otherwise ask in the middle of a prompt. It imports botocore while a person types.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from scaffold.console import indicator
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import configured_target, local_endpoint
from scaffold.service import credentials, regions

_ACCOUNT_DIGITS = 12
_ANY_REGION = "us-east-1"


class CallerLookup:
    """A look-up that begins with a `with` block and ends with it.

    Args:
        profile: The AWS profile; None for the standard configuration chain.
        local: Local AWS is used whatever the credentials are; the variables of the shell may select it too.
        wanted: Whether anybody will ask for the result.
    """

    def __init__(self, profile: str | None, *, local: bool = False, wanted: bool = True) -> None:
        # An account is the same in every region.
        region, _ = regions.configured() or (_ANY_REGION, "")
        self._arguments = [region, *([profile] if profile else [])]
        self._local = local or local_endpoint() is not None
        self._wanted = wanted and not self._local and (bool(profile) or credentials.configured())
        self._process: subprocess.Popen[str] | None = None
        self._found: str | None = None

    def __enter__(self) -> Self:
        if self._wanted:
            found = str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")
            with suppress(OSError):
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "scaffold.aws.caller", *self._arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found))},
                    start_new_session=True,
                )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)  # Also the programs that credentials come from.
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()

    def title(self, seconds: float) -> str:
        """Where the credentials lead, for people."""
        return "local AWS" if self._local else self.account(seconds) or "not signed in"

    def account(self, seconds: float) -> str | None:
        """The account's 12 digits; None without credentials that work, or without an answer in time."""
        if self._process is not None and self._found is None:
            with suppress(subprocess.TimeoutExpired), indicator.busy("Looking the account up"):
                said = self._process.communicate(timeout=seconds)[0].strip()
                self._found = said if said.isdecimal() and len(said) == _ACCOUNT_DIGITS else ""
        return self._found or None


def main(region: str, profile: str | None = None) -> int:
    """Print the account."""
    from scaffold.aws.session import identify

    try:
        print(identify(configured_target(region, profile)).account)
    except ScaffoldError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
