"""HTTP requests to this machine."""

from __future__ import annotations

import urllib.request
from functools import cache


@cache
def direct_opener() -> urllib.request.OpenerDirector:
    """Opens URLs past every proxy: through one, 127.0.0.1 is another machine. May be used from any thread."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
