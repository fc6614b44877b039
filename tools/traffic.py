"""Send requests to a URL until SIGTERM, then print how they were answered."""

from __future__ import annotations

import json
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter
from threading import Event
from types import FrameType

_PAUSE_SECONDS = 0.01
_TIMEOUT_SECONDS = 10


def outcome(url: str) -> str:
    """What a request gets: the version that answers, or an error."""
    # Without the proxies of the machine.
    send = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        with send(url, timeout=_TIMEOUT_SECONDS) as answer:
            return f"{answer.status}, version {json.load(answer)['version']}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"{error.code} {error.reason}"
    except OSError as error:
        return f"no answer: {error}"


def main() -> None:
    """Send them one after the other."""
    ended, outcomes = Event(), Counter[str]()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    while not ended.wait(_PAUSE_SECONDS):
        outcomes[outcome(sys.argv[1])] += 1
    for found, times in outcomes.most_common():
        print(f"  {times:5} times {found}")


if __name__ == "__main__":
    main()
