"""The exception for findings that cannot be evaluated."""


class GateClosed(Exception):
    """The findings could not be evaluated, so the gate closes; the message is one sentence with the reason."""
