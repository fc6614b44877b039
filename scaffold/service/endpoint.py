"""What a running service answers."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

_SECONDS = 5
_LARGEST_ANSWER = 100_000


class NoAnswer(Exception):
    """No version was answered; the message says why, as the end of a sentence."""


def answer(url: str | None) -> tuple[str | None, str | None]:
    """The version that a service answers, or why it answers none; neither where it has no URL yet."""
    if url is None:
        return None, None
    try:
        return version(url), None
    except NoAnswer as reason:
        return None, str(reason)


def version(url: str) -> str:
    """The version that a service answers.

    Args:
        url: The service's URL, without a trailing slash.

    Raises:
        NoAnswer: It cannot be reached, or answers something else.
    """
    # A template may say anything; urllib would also read files.
    if not url.startswith(("http://", "https://")):
        raise NoAnswer("is no HTTP address")
    request = urllib.request.Request(f"{url}/", headers={"Accept": "application/json", "User-Agent": "scaffold"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            answer = json.loads(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        error.close()
        raise NoAnswer(f"answers {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"cannot be reached: {getattr(error, 'reason', None) or error}") from error
    except (ValueError, RecursionError) as error:
        raise NoAnswer("answers no JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("version"), str):
        raise NoAnswer("answers no version")
    found: str = answer["version"]
    return found
