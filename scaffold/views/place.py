"""Where and when: the account and region of a result, and times."""

from __future__ import annotations

from datetime import datetime


def place(local: bool, account: str, region: str) -> str:
    """The account and region as text; local AWS is never called an account."""
    return f"{'local AWS' if local else f'account {account}'}, {region}"


def moment(at: datetime) -> str:
    """A time as text, to the minute, with its zone."""
    return f"{at:%Y-%m-%d %H:%M %Z}".rstrip()
