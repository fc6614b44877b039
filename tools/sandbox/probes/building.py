"""Builds of CodeBuild: their instructions, and what their image has."""

from __future__ import annotations

from ..builds import answers
from ..registry import probe
from ..sandbox import Sandbox
from ..verdicts import Undecided, Verdict, decided

# As the package of Renovate has it in `engines`, for this major version.
_NODE_OF_RENOVATE = (24, 11)


@probe("buildspec-text")
def buildspec_text(sandbox: Sandbox) -> Verdict:
    """A project whose buildspec is a text, with a source that has a file of the default name."""
    used = answers(sandbox).get("INSTRUCTIONS", "none")
    return decided(used == "inline", f"the instructions of the build were those of the {used} buildspec")


@probe("python-of-image")
def python_of_image(sandbox: Sandbox) -> Verdict:
    """The interpreter without runtime-versions."""
    version = answers(sandbox).get("PYTHON", "")
    return decided(version.startswith("Python 3"), f"python3 --version: {version}")


@probe("node-of-image")
def node_of_image(sandbox: Sandbox) -> Verdict:
    """The newest patch release of the runtime that the updates of pins ask for."""
    version = answers(sandbox).get("NODE", "")
    numbers = version.removeprefix("v").split(".")
    if not all(one.isdigit() for one in numbers):
        raise Undecided(f"node --version: {version or 'nothing'}")
    return decided(tuple(map(int, numbers)) >= _NODE_OF_RENOVATE, f"node --version: {version}")


@probe("pulled-image")
def pulled_image(sandbox: Sandbox) -> Verdict:
    """A build on an image that was pulled before, and one on an image that was not."""
    found = answers(sandbox)
    pulled, other = found.get("PULLED", ""), found.get("NOT_PULLED", "")
    if not pulled.isdigit() or not other.isdigit() or other == "0":
        raise Undecided(f"the build cannot tell: {pulled or 'none'} and {other or 'none'} layers extracted")
    evidence = f"BuildKit extracted {pulled} layers of the image that was pulled before, and {other} of another one"
    return decided(pulled == "0", evidence)
