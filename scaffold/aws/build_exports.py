"""What the build of a pipeline execution exports about its release."""

from __future__ import annotations

from collections.abc import Iterable

from scaffold.aws.pipeline_state import ActionRun


def version_of(runs: Iterable[ActionRun]) -> str | None:
    """The version that an execution releases: the image's tag; None before its build, and where it exports none."""
    return _of_build(runs, "IMAGE_TAG")


def digest_of(runs: Iterable[ActionRun]) -> str | None:
    """The digest of the image that an execution releases; None as for its version."""
    return _of_build(runs, "IMAGE_DIGEST")


def name_of(runs: Iterable[ActionRun]) -> str | None:
    """The name of the release that an execution makes; None as for its version."""
    return _of_build(runs, "RELEASE_NAME")


def release_commit_of(runs: Iterable[ActionRun]) -> str | None:
    """The commit of that release: an earlier one where the execution's changes only documentation; None as before."""
    return _of_build(runs, "RELEASE_COMMIT")


def _of_build(runs: Iterable[ActionRun], variable: str) -> str | None:
    return next((run.variables.get(variable) or None for run in runs if run.stage == run.name == "Build"), None)
