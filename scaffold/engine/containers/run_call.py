"""The words of `docker run`: options, an image, and the command of the container, which may look like either."""

from __future__ import annotations

from collections.abc import Sequence

# All other options have a value.
_SHORT_FLAGS = "diPqt"
_FLAGS = (
    *("--detach", "--disable-content-trust", "--init", "--interactive", "--no-healthcheck", "--oom-kill-disable"),
    *("--privileged", "--publish-all", "--quiet", "--read-only", "--rm", "--sig-proxy", "--tty"),
)


def parse(words: Sequence[str]) -> tuple[list[tuple[str, str]], int]:
    """The options with their values, and the position of the image.

    Args:
        words: Those after `docker run`.
    """
    options: list[tuple[str, str]] = []
    position = 0
    while position < len(words) and words[position].startswith("-"):
        if words[position] == "--":
            return options, position + 1
        name, value = _option(words[position])
        position += 1
        if value is None:
            value = "".join(words[position : position + 1])
            position += 1
        options.append((name, value))
    return options, position


def _option(word: str) -> tuple[str, str | None]:
    """An option with its value; None if that is the next word."""
    if word.startswith("--"):
        name, sign, value = word.partition("=")
        return name, value if sign or name in _FLAGS else None
    letters = word[1:].lstrip(_SHORT_FLAGS)
    if not letters:
        return word, ""
    return f"-{letters[0]}", letters[1:].removeprefix("=") or None
