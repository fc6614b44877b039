"""The state of a service as text."""

from __future__ import annotations

from collections.abc import Iterator

from scaffold.aws.databases import Cluster
from scaffold.aws.pipeline_state import ActionState, StageState
from scaffold.aws.running_service import Image, ServiceDeployment
from scaffold.console.console import one_line
from scaffold.console.titles import count
from scaffold.core.stand_in import WITHOUT_ENGINE
from scaffold.deployment.completed_release import CompletedRelease
from scaffold.deployment.environment_database import EnvironmentDatabase
from scaffold.deployment.status import EnvironmentStatus, NewestRelease, StatusResult
from scaffold.service import names, project_names
from scaffold.views import drift
from scaffold.views.override import condition_line
from scaffold.views.place import moment, place

_SHORT = 12
_NEVER = "never"


def text(result: StatusResult) -> str:
    """The result in several lines."""
    lines = [f"{result.service} in {place(result.local, result.account, result.region)}"]
    lines += ["", f"Repository  {_head(result)}", "", "Pipeline"]
    width = max((len(stage.name) for stage in result.stages), default=0)
    tried = {names.pipeline_stage(one.name) for one in result.environments if one.trial}
    for stage in result.stages:
        commit = result.commits.get(stage.execution or "")
        lines += [f"  {line}" for line in _stage(stage, result.service, commit, width, tried=stage.name in tried)]
    for environment in result.environments:
        title = f"{environment.name} (production)" if environment.production else environment.name
        lines += ["", title, *(f"  {name:<10}  {value}" for name, value in _environment(environment))]
    if result.drift is not None:
        lines += ["", *drift.lines(result.drift)]
    return "\n".join(lines)


def _head(result: StatusResult) -> str:
    if result.head is None:
        return "empty"
    subject = f" {one_line(result.subject)}" if result.subject else ""
    unpushed = f"; {count(result.unpushed, 'local commit')} not pushed" if result.unpushed else ""
    return f"main is {result.head[:7]}{subject}{unpushed}"


def _stage(stage: StageState, app: str, commit: str | None, width: int, *, tried: bool) -> Iterator[str]:
    of = f"  commit {commit[:7]}" if commit else ""
    yield f"{stage.name:<{width}}  {stage.status or _NEVER}{of}"
    if stage.disabled_reason is not None:
        yield f"  transition into it disabled: {one_line(stage.disabled_reason) or 'no reason given'}"
    for condition in stage.conditions:
        if condition.blocks and stage.status in ("InProgress", "Failed"):
            yield f"  {condition_line(condition)}, execution {stage.execution}"
    for action in stage.actions:
        if action.token:
            yield f"  {action.name} waits for a decision{_since(action)}, execution {stage.execution}"
        elif tried and action.name == names.SERVICE_ACTION and action.status == "InProgress":
            yield f"  {action.name} waits for a decision while its tasks run, execution {stage.execution}"
        # An action that failed earlier may not have started in this execution of the stage.
        elif action.status == "InProgress" or (action.status == stage.status == "Failed"):
            reason = action.reason or action.summary
            yield f"  {action.name}: {action.status}{_since(action)}{f': {one_line(reason)}' if reason else ''}"
            if action.status == "Failed" and _is_build(action, app):
                yield f"    `scaffold logs --build {action.external}` shows its log"


def _is_build(action: ActionState, app: str) -> bool:
    return (action.external or "").partition(":")[0] in project_names.every(app)


def _since(action: ActionState) -> str:
    return f" since {moment(action.changed)}" if action.changed else ""


def _environment(one: EnvironmentStatus) -> Iterator[tuple[str, str]]:
    yield "url", one.url or "none before the first release"
    yield "version", version_line(one)
    if one.completed and one.completed.name:
        yield "released", released_line(one.completed)
    yield "commit", _commit(one)
    if one.branch:
        leads = f"leads to {one.branch.commit[:7]}" if one.branch.commit else "begins with the first release to it"
        yield "branch", f"{one.branch.name} {leads}"
    for difference in one.differences:
        yield "differs", one_line(difference)
    if one.image:
        yield "image", _image(one.image)
    if one.asleep:
        yield "tasks", f"asleep; a release wakes it, and so does `scaffold wake {one.name}`"
    elif one.tasks:
        yield "tasks", f"{one.tasks.running} of {one.tasks.desired} running"
    if one.database:
        yield "database", _database(one.database)
        if advice := _advice(one.name, one.database):
            yield "", advice
    if one.restored:
        yield "restored", _cluster(one.restored)
        if not one.restored.protected:
            yield "", _unprotected(one.name)
    if one.alarms:
        yield "alarms", f"in ALARM: {', '.join(one.alarms)}"
    elif one.tasks:
        yield "alarms", "none in ALARM"
    if one.health_check_due:
        yield "health", "run `scaffold deploy` once more: only then Route 53 asks for what was released"
    if one.release:
        yield "release", _release(one.release)
    if one.deployment:
        yield "deployment", _deployment(one.deployment)
    if one.trial:
        until = f" until {moment(one.trial.until)}" if one.trial.until else ""
        yield "waits", f"for a decision{until}; its tasks run, and get requests like this one only:"
        yield "", f"curl -H '{one_line(one.trial.header)}' {one_line(one.trial.url)}"
        yield "", f"`scaffold approve {one.name}` lets the traffic shift, `scaffold reject {one.name}` takes it back"
    for name, status in one.stacks.items():
        yield "stack", f"{name} is {status}"


def version_line(one: EnvironmentStatus) -> str:
    """The version that answers in an environment, or why none does."""
    version = one_line(one.version or "none")
    if one.answers and one.answers == one.version:
        return f"{version} answers"
    if one.answers:
        return f"{one_line(one.answers)} answers; its task definition says {version}"
    if one.url:
        return f"{version}; the URL {one_line(one.no_answer or '')}"
    return version


def released_line(completed: CompletedRelease) -> str:
    """The name of the release that has succeeded last, and its tag if it is where it belongs."""
    name = one_line(completed.name or "unknown")
    return f"{name}; tag {one_line(completed.tag)}" if completed.tag and completed.tagged else name


def _commit(one: EnvironmentStatus) -> str:
    if one.commit is None:
        return "no successful release yet"
    commit = f"{one.commit[:7]} ({one_line(', '.join(one.tags))})" if one.tags else one.commit[:7]
    if one.ahead is None:
        return f"{commit}; run `git fetch` to see how far main is ahead"
    return f"{commit}; " + (f"main is {count(one.ahead, 'commit')} ahead" if one.ahead else "as main")


def _image(image: Image) -> str:
    findings = ", ".join(f"{number} {severity.lower()}" for severity, number in image.findings.items() if number)
    scan = f"scan {image.scan.lower().replace('_', ' ')}" if image.scan else "not scanned"
    engine = f"; {WITHOUT_ENGINE}" if image.stand_in else ""
    return f"{image.digest[: len('sha256:') + _SHORT]}; {scan}{f': {findings}' if findings else ''}{engine}"


def _database(database: EnvironmentDatabase) -> str:
    cluster, migration = _cluster(database.cluster), database.migration
    if migration is None:
        return cluster
    at = f", {moment(migration.changed)}" if migration.changed else ""
    return one_line(f"{cluster}; last migration {(migration.status or '').lower()}{at}")


def _cluster(cluster: Cluster) -> str:
    return one_line(f"{cluster.name} is {cluster.status}, with {cluster.least:g} to {cluster.largest:g} ACU")


def _advice(environment: str, database: EnvironmentDatabase) -> str | None:
    """What `scaffold repair` would do, which deletes the database where it does not protect it."""
    repair = f"`scaffold repair {environment}`"
    if database.repair == "delete":
        ends = "says what to decide" if database.cluster.protected else "finishes it, after your confirmation"
        return f"the deletion of its stack has failed; {repair} {ends}"
    if database.repair == "turn-on":
        return _unprotected(environment)
    if database.repair == "continue-rollback" and not database.cluster.protected:
        return f"its deletion protection is off; {repair} continues the rollback of its stack first"
    return None


def _unprotected(environment: str) -> str:
    return f"its deletion protection is off; `scaffold repair {environment}` turns it on"


def _release(release: NewestRelease) -> str:
    status = "in progress" if release.status == "InProgress" else release.status.lower()
    of = f", commit {release.commit[:7]}" if release.commit else ""
    at = f", {moment(release.at)}" if release.at else ""
    return f"{status}{of}{at}"


def _deployment(deployment: ServiceDeployment) -> str:
    at = f", {moment(deployment.at)}" if deployment.at else ""
    reason = f": {one_line(deployment.reason)}" if deployment.reason else ""
    return f"{deployment.status.lower().replace('_', ' ')}{at}{reason}"
