"""Secrets in text that is shown or logged: replaced by asterisks, whoever wrote the text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "***"

_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
# A shorter value would hide ordinary words, and no credentials of AWS are as short.
_SHORTEST = 12
_PATTERNS = (
    re.compile(r"(?<=://)[^/\s@'\"]*:[^/\s'\"]*(?=@)"),  # user:password@ in a URL
    # Over HTTP also a user alone, which may be a token. It is none in ssh://git@HOST or codecommit::REGION://PROFILE@NAME.
    re.compile(r"((?<=http://)|(?<=https://))[^/\s'\"]+(?=@)", re.IGNORECASE),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"(?<=Signature=)[0-9a-f]{16,}", re.IGNORECASE),
    re.compile(r"(?<=X-Amz-Security-Token=)[^&\s'\"]+", re.IGNORECASE),
)
_concealed: set[str] = set()


def conceal(*values: str | None) -> None:
    """Replace these values in everything that is shown or logged from now on."""
    _concealed.update(value for value in values if value)


def redact(text: str) -> str:
    """Text without concealed values, the values of AWS's secret variables, and what looks like a secret."""
    values = _concealed | {os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    for form in sorted({form for value in values for form in _forms(value)}, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    return text


def redact_strings(value: Any) -> Any:
    """A JSON document, or a part of one, with every string redacted; the keys of objects stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_strings(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_strings(item) for item in value]
    return value


def _forms(value: str) -> Iterator[str]:
    """How a message may hold a value: whole, line by line, with escapes, or encoded for a URL."""
    for part in (value, *value.split(), *re.split(r"[^!-~]+", value)):
        if len(part) >= _SHORTEST:
            yield from (part, part.encode("unicode_escape").decode(), quote(part), quote(part, safe=""))
