"""Where a result holds: an account or local AWS, and the region."""

from __future__ import annotations


def place(local: bool, account: str, region: str) -> str:
    """The account and region in words; local AWS is never called an account."""
    return f"{'local AWS' if local else f'account {account}'}, {region}"
