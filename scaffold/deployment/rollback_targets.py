"""Which of the past releases of an environment a rollback may lead to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from scaffold.deployment.releases import SUCCEEDED, PastRelease
from scaffold.service import names

_SHORTEST_COMMIT = 7


def originals(newest: PastRelease, others: Iterator[PastRelease]) -> Iterator[PastRelease]:
    """The releases that CodePipeline may roll back to: they have succeeded, and are no rollbacks."""
    # Each of the others costs a call.
    for one in chain((newest,), others):
        if one.outcome == SUCCEEDED and one.rollback_of is None:
            yield one


def of_others(current: PastRelease, executions: Iterator[PastRelease]) -> Iterator[PastRelease]:
    """Without the executions of the same release: their commits differ in documentation only."""
    return (one for one in executions if one.name is None or one.name != current.name)


def original(release: PastRelease) -> str:
    """The execution that a release or a rollback has put into effect."""
    return release.rollback_of or release.execution


def last_success(releases: Iterator[PastRelease]) -> PastRelease | None:
    """What ran before: the newest success of these, or the release to which it has rolled back."""
    newest = next((one for one in releases if one.outcome == SUCCEEDED), None)
    if newest is None:
        return None
    return next((one for one in originals(newest, releases) if one.execution == original(newest)), None)


def before(releases: Iterator[PastRelease], execution: str) -> Iterator[PastRelease]:
    """The releases before an execution."""
    for one in releases:
        if one.execution == execution:
            break
    yield from releases


def has_version(release: PastRelease, wanted: str) -> bool:
    """Whether a release has a name, version, Git tag or commit; of the commit, seven digits are enough."""
    commit = len(wanted) >= _SHORTEST_COMMIT and (release.commit or "").startswith(wanted)
    named = release.name is not None and wanted in (release.name, names.release_tag(release.name))
    return commit or named or wanted == release.version or wanted in release.tags
