"""The deployed templates and parameters, compared with those of the commits: what is not released, and what was changed
in AWS.

A stack that differs from HEAD, and equals an earlier commit, waits for its release. One that equals no commit was
changed in AWS. Resources are not looked at: CloudFormation's own drift detection does that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from scaffold.aws.cloudformation import comparison, templates
from scaffold.aws.cloudformation.comparison import Difference
from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.releases import SUCCEEDED, past_releases
from scaffold.service import history
from scaffold.service.committed_files import CommittedFiles
from scaffold.service.service import Service
from scaffold.service.stack_kinds import OPTIONAL_KINDS, Deployer, StackId, stack_ids

IN_SYNC, NOT_RELEASED, NEWER = "in-sync", "not-released", "newer"
CHANGED, DELETED, NOT_CREATED, IN_PROGRESS = "changed", "deleted", "not-created", "in-progress"
PREPARED = "prepared"
# How many earlier versions of a stack's files are compared with it.
_VERSIONS = 50
_AT_ONCE = 8


@dataclass(frozen=True)
class StackDrift:
    """A stack, compared with the commits.

    Attributes:
        state: `in-sync` with HEAD; `not-released`, as an earlier commit has it; `newer`, as a commit has it that HEAD
            does not contain; `changed` or `deleted` in AWS; `not-created` yet; `prepared` for its first release;
            `in-progress`, so not compared.
        commit: The commit whose files it has; of a changed stack, the one that it differs least from.
        ahead: How many commits of HEAD change its files and are not released; None unless it is `not-released`.
        differences: Where a changed stack differs from `commit`.
    """

    stack: str
    environment: str | None
    state: str
    commit: str | None = None
    ahead: int | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether it was changed in AWS."""
        return self.state in (CHANGED, DELETED)


def find_drift(
    session: Session,
    service: Service,
    stacks: Mapping[StackId, Stack],
    main: str | None,
    released: Mapping[str, str | None],
) -> tuple[StackDrift, ...]:
    """Compare every stack that HEAD declares.

    Args:
        stacks: The service's stacks.
        main: The commit of main in the repository; None for an empty one.
        released: The commit of each environment's last successful release.

    Raises:
        ScaffoldError: The clone lacks the commit of main, or files of HEAD cannot be read.
    """
    if main and history.find(service, main) is None:
        raise ScaffoldError(
            f"main in the repository is commit {main[:7]}, which this clone lacks.",
            "Run `git fetch`, then the same command again.",
        )
    files = CommittedFiles(service)
    declared = [
        one
        for one in stack_ids(service.environments, optional=OPTIONAL_KINDS)
        if files.template(one, files.head) is not None
    ]
    for one in declared:
        if _spec(service, files, one, files.head) is None:
            raise ScaffoldError(
                f"The stack {one.name(service.app_name)} cannot be compared: HEAD has no valid files for it.",
                f"Fix {' or '.join(files.paths(one))} with a commit, then run the same command again.",
            )
    compared = [one for one in declared if one in stacks and _comparable(stacks[one])]
    session.client("cloudformation")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        deployed = pool.map(partial(comparison.template_of, session), [stacks[one] for one in compared])
        bodies = dict(zip(compared, deployed, strict=True))
    commits = _release_commits(session, service, stacks, [one for one in declared if one not in stacks], released)
    return tuple(
        _compare(service, files, one, stacks[one], bodies[one], main)
        if one in bodies
        else _not_compared(service, files, one, stacks.get(one), main, commits)
        for one in declared
    )


def _release_commits(
    session: Session,
    service: Service,
    stacks: Mapping[StackId, Stack],
    missing: Sequence[StackId],
    released: Mapping[str, str | None],
) -> dict[str, str | None]:
    """The commit of each environment's last successful release, as far as it says something about missing stacks.

    After a change of the pipeline's structure, CodePipeline no longer lists it; the actions of the executions tell it.
    """
    commits = dict(released)
    deployed = {
        one.environment for one, stack in stacks.items() if one.kind.deployer is Deployer.PIPELINE and stack.released
    }
    for environment in {one.environment for one in missing if one.environment in deployed}:
        if environment and commits.get(environment) is None:
            past = past_releases(session, service, environment)
            commits[environment] = next((one.commit for one in past if one.outcome == SUCCEEDED), None)
    return commits


def _comparable(stack: Stack) -> bool:
    return not stack.busy and not stack.prepared and stack.status not in UNFINISHED


def _not_compared(
    service: Service,
    files: CommittedFiles,
    stack_id: StackId,
    stack: Stack | None,
    main: str | None,
    released: Mapping[str, str | None],
) -> StackDrift:
    name, environment = stack_id.name(service.app_name), stack_id.environment
    if stack is not None:
        unreleased = PREPARED if stack.prepared else NOT_CREATED
        return StackDrift(name, environment, IN_PROGRESS if stack.busy else unreleased)
    by_pipeline = stack_id.kind.deployer is Deployer.PIPELINE
    # `scaffold deploy` creates its stacks before it pushes, so that whatever main declares has existed.
    created = released.get(environment or "") if by_pipeline else main
    existed = created is not None and files.template(stack_id, created) is not None
    return StackDrift(name, environment, DELETED if existed else NOT_CREATED)


def _compare(
    service: Service, files: CommittedFiles, stack_id: StackId, stack: Stack, deployed: Any, main: str | None
) -> StackDrift:
    def differences(commit: str) -> tuple[Difference, ...] | None:
        spec = _spec(service, files, stack_id, commit)
        return None if spec is None else comparison.differences(spec, stack, deployed)

    result = partial(StackDrift, stack.name, stack_id.environment)
    paths, head = files.paths(stack_id), files.head
    nearest, least = head, differences(head) or ()
    if not least:
        return result(IN_SYNC, head)
    for ahead, commit in enumerate(history.touching(service, head, paths, _VERSIONS)):
        found = differences(commit)
        if found == ():
            return result(NOT_RELEASED, commit, ahead)
        if found and len(found) < len(least):
            nearest, least = commit, found
    newer: Sequence[str] = history.touching(service, f"{head}..{main}", paths, _VERSIONS) if main else ()
    for commit in newer:
        if differences(commit) == ():
            return result(NEWER, commit)
    return result(CHANGED, nearest, None, least)


def _spec(service: Service, files: CommittedFiles, stack_id: StackId, commit: str) -> StackSpec | None:
    """A stack as a commit declares it; None where it does not, or its files cannot be read."""
    body, text = files.template(stack_id, commit), files.configuration(stack_id, commit)
    if body is None:
        return None
    try:
        configuration = json.loads(text) if text else {}
    except ValueError:
        return None
    spec = templates.from_files(service, stack_id, body, configuration if isinstance(configuration, dict) else {})
    return spec if templates.parse(body) else None
