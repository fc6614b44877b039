"""The one way in which the gate says that it cannot judge."""


class GateClosed(Exception):
    """The gate closes because it could not come to a judgement; the message is one sentence of why."""
