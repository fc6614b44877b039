"""What npm needs on this machine to reach its registry. Only what installs packages for a build gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

#: The variable in which the server gets it, as JSON.
DOWNLOADS = "SCAFFOLD_DOWNLOADS"

_NAMES = re.compile(
    r"(https?|all|no)_proxy|node_extra_ca_certs|ssl_cert_file|npm_config_(//.*|@.*|registry|userconfig|globalconfig"
    r"|(https?_)?proxy|noproxy|ca|cafile|cert|key|strict_ssl)",
    re.IGNORECASE,
)


def downloads(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for registries, proxies and certificate authorities, and npm's configuration of the user."""
    found = {name: value for name, value in environment.items() if _NAMES.fullmatch(name)}
    own = Path(environment.get("HOME", "/"), ".npmrc")
    return {"npm_config_userconfig": str(own), **found} if own.is_file() else found
