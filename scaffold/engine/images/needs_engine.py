"""Why an image is not built."""


class NeedsEngine(Exception):
    """Something can only be done by a container engine.

    Args:
        what: What; the beginning of a sentence.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs a container engine, and local AWS builds without one")


class BuildFailed(Exception):
    """An image cannot be built, with a container engine neither."""
