"""The account and region of a result."""

from __future__ import annotations


def place(local: bool, account: str, region: str) -> str:
    """The account and region as text; local AWS is never called an account."""
    return f"{'local AWS' if local else f'account {account}'}, {region}"
