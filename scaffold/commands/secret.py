"""`scaffold secret`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from scaffold.aws.secret_stores import STORES
from scaffold.console import indicator
from scaffold.console.console import Console
from scaffold.console.prompt import ask_text, confirm
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.confirmation import check_interactive
from scaffold.deployment.secrets import (
    SecretOf,
    SecretResult,
    SecretsResult,
    list_secrets,
    remove_secret,
    set_secret,
)
from scaffold.service.service import read

STDIN = "-"


@dataclass(frozen=True)
class SecretOptions:
    """Which secret, and where its value comes from.

    Attributes:
        store: `parameter-store` or `secrets-manager`; None for the listed one.
        file: The file with the value; `-` for stdin, None for a prompt, or stdin where it is no terminal.
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        yes: Remove without asking.
    """

    name: str
    environment: str
    store: str | None = None
    file: str | None = None
    directory: Path = Path()
    profile: str | None = None
    yes: bool = False


def set_value(options: SecretOptions, console: Console, *, rotate: bool) -> SecretResult:
    """Set or rotate a secret."""
    of = _secret(options)
    return set_secret(of, rotate=rotate, ask=lambda: _value(options, console), console=console)


def remove(options: SecretOptions, console: Console) -> SecretResult:
    """Remove a secret."""
    of = _secret(options)

    def confirmed() -> bool:
        if options.yes:
            return True
        words = ("scaffold secret remove", options.name, "--env", options.environment, "--yes")
        check_interactive(console, of.target, words, "removes")
        return confirm(f"Delete {of.path} with all its values?")

    return remove_secret(of, confirm=confirmed, console=console)


def list_all(directory: Path, environment: str | None, profile: str | None, console: Console) -> SecretsResult:
    """List secrets."""
    service = read(directory)
    return list_secrets(service, configured_target(service.region, profile), environment, console)


def _secret(options: SecretOptions) -> SecretOf:
    known = [kind.name for kind in STORES]
    if options.store not in (None, *known):
        raise UsageError(f"{options.store!r} is no store of secrets.", f"The stores are {' and '.join(known)}.")
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    return SecretOf(service, target, options.name, options.environment, options.store)


def _value(options: SecretOptions, console: Console) -> str:
    """The value, without the newline with which editors and `echo` end it."""
    if options.file is None and console.interactive and sys.stdin.isatty():
        value = ask_text(f"Value of {options.name} in {options.environment}", is_password=True)
        if value != ask_text("The same again", is_password=True):
            raise UsageError("The two values differ.", "Run the same command again; nothing was stored.")
        return value
    try:
        with indicator.set_aside():
            data = sys.stdin.buffer.read() if options.file in (None, STDIN) else Path(options.file or "").read_bytes()
    except OSError as error:
        raise UsageError(
            f"The file with the value cannot be read: {error.strerror}.", "Name one that exists and that you may read."
        ) from error
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:  # Not within the handler above, whose exception has the value.
        raise UsageError("The value is not UTF-8.", "Encode it, for example with Base64, and decode it in the service.")
    return text.removesuffix("\n").removesuffix("\r")
