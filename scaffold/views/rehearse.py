"""The text of a rehearsal."""

from __future__ import annotations

from collections.abc import Iterator

from scaffold.console.console import one_line, visible
from scaffold.console.titles import count
from scaffold.core.stand_in import WITHOUT_ENGINE
from scaffold.deployment.rehearsal import FailedAction, RehearsalResult, RehearsedStage
from scaffold.deployment.release_tree import duration
from scaffold.deployment.status import EnvironmentStatus
from scaffold.views.status import released_line, version_line

_PAGE = "docs/rehearsal.md"


def text(result: RehearsalResult) -> str:
    """The result in several lines."""
    lines = [_headline(result), ""]
    width = max((len(stage.name) for stage in result.stages), default=0)
    lines += [f"  {stage.name:<{width}}  {_stage(stage)}" for stage in result.stages]
    if result.failed:
        lines += ["", *_failed(result.failed)]
    for one in result.environments:
        title = f"{one.name} (production)" if one.production else one.name
        shown = [*_environment(one), *(_traffic(result) if one.production else ())]
        lines += ["", title, *(f"  {name:<7}  {value}" for name, value in shown)]
    if result.messages:
        lines += ["", "Sent to the topic for notifications", *(f"  {one_line(message)}" for message in result.messages)]
    if result.waiting:
        lines += ["", f"The stage {result.waiting} was not approved. `scaffold rehearse --yes` approves it."]
    return "\n".join([*lines, "", *_limits(result)])


def _limits(result: RehearsalResult) -> Iterator[str]:
    if not result.kept:
        yield "Local AWS has ended, and the URLs with it. With --keep it goes on."
    engine = f"with {result.container_engine}" if result.container_engine else WITHOUT_ENGINE
    yield f"Rehearsed {engine}. What was not rehearsed is in {_PAGE} of gitops-scaffold. Whether AWS"
    yield "accepts the templates, and whether the deploy roles and quotas suffice, only an account can tell."


def _headline(result: RehearsalResult) -> str:
    what = f"Rehearsal of {result.service}, commit {result.commit[:7]}"
    took = duration(result.seconds)
    if result.outcome == "failed":
        return f"{what}: failed after {took}."
    if result.waiting:
        return f"{what}: waits for approval in the stage {result.waiting} after {took}."
    if result.until:
        return f"{what}: the stage {result.until} has succeeded after {took}."
    return f"{what}: released in every environment after {took}."


def _stage(stage: RehearsedStage) -> str:
    if stage.status is None:
        return "not entered"
    took = "" if stage.seconds is None else f"  {duration(stage.seconds)}"
    return f"{stage.status}, {count(len(stage.actions), 'action')}{took}"


def _failed(failed: FailedAction) -> Iterator[str]:
    yield f"The action {failed.action} of the stage {failed.stage} failed: {one_line(failed.reason)}"
    if failed.log:
        yield "Its last lines:"
        yield from (f"  {visible(line)}" for line in failed.log)
    if found := failed.unreached:
        yield f"What they say: {one_line(str(found))}."
        again, without_engine = "scaffold rehearse", "`SCAFFOLD_CONTAINER_ENGINE=none scaffold rehearse`"
        yield one_line(found.remedy(local=True, again=again, without_engine=without_engine))


def _environment(one: EnvironmentStatus) -> Iterator[tuple[str, str]]:
    if one.url is None:
        yield "url", "none: nothing was released"
        return
    yield "url", one.url
    yield "version", version_line(one)
    if one.completed and one.completed.name:
        yield "release", released_line(one.completed)
    yield "commit", one.commit[:7] if one.commit else "no successful release"
    for difference in one.differences:
        yield "differs", one_line(difference)


def _traffic(result: RehearsalResult) -> Iterator[tuple[str, str]]:
    if result.alarms_without_data is None:
        return
    yield "traffic", f"{count(result.requests, 'request')} sent during the release, {result.failed_requests} failed"
    if result.alarms_without_data:
        yield "alarms", f"without enough data, so not exercised: {', '.join(result.alarms_without_data)}"
