"""`scaffold config`: shows the defaults for new services, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scaffold.core.results import Result
from scaffold.kit.answers import check_defaults
from scaffold.kit.defaults import Default, config_file, kit_notice, read_defaults
from scaffold.kit.rendering import open_kit


@dataclass(frozen=True)
class ConfigResult(Result):
    """The defaults for new services.

    Attributes:
        file: The configuration file.
        exists: Whether there is such a file.
        kit: The kit that they were checked with, as Copier records it.
        kit_version: Its version, likewise.
        kit_notice: Whether commands in a service say that its kit has a newer version.
    """

    command: ClassVar[str] = "config"

    file: str
    exists: bool
    kit: str
    kit_version: str
    kit_notice: bool
    defaults: tuple[Default, ...]


def run() -> ConfigResult:
    """Read the defaults, and check the answers among them by the rules of the kit.

    Raises:
        UsageError: A default is not acceptable.
        ScaffoldError: The kit cannot be read.
    """
    path: Path = config_file()
    defaults = read_defaults()
    with open_kit() as kit:
        check_defaults(kit.questionnaire(), defaults)
        source = kit.source
    return ConfigResult(
        str(path), path.is_file(), source.source, source.version, kit_notice(), tuple(defaults.values())
    )
