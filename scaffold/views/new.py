"""The text of a generated service: what exists, where, and the next commands."""

from __future__ import annotations

import os
import shlex

from scaffold.commands.new import NewResult
from scaffold.console.tree import tree
from scaffold.core.paths import enter
from scaffold.deployment.deploy_result import DeployResult
from scaffold.service import names
from scaffold.views import deploy

# The explanation of a longer command follows it directly instead of in its own column.
_COMMAND_WIDTH = 30


def text(result: NewResult) -> str:
    """The result in several lines."""
    if result.dry_run:
        return _preview(result)
    head = (
        f"{result.app_name} is in {result.directory}: {len(result.files)} files, first commit {str(result.commit)[:7]}."
    )
    parts = [head]
    if result.deployment:
        parts += ["", _ended(result.deployment) if result.deployment_ended else deploy.summary(result.deployment)]
    if result.outer_repository:
        parts += ["", _nested(result.outer_repository, result.directory)]
    return "\n".join([*parts, "", "Next:", *(f"  {line}" for line in _next_steps(result))])


def _preview(result: NewResult) -> str:
    lines = [f"{result.app_name} would be written to {result.directory} (dry run).", "", *tree(result.files), ""]
    lines += ["Stacks, in the order of their deployment", *(f"  {stack}" for stack in result.stacks)]
    return "\n".join([*lines, "", result.estimate.text()] if result.estimate else lines)


def _nested(outer: str, directory: str) -> str:
    inside = f"/{os.path.relpath(os.path.realpath(directory), os.path.realpath(outer))}/"
    ignore = f"echo {shlex.quote(inside)} >> {shlex.quote(os.path.join(outer, '.gitignore'))}"  # noqa: PTH118
    return (
        f"It is inside another Git repository, {outer}, where `git add` would record it as a submodule\n"
        f"without an address. Exclude it there: {ignore}"
    )


def _ended(deployment: DeployResult) -> str:
    *earlier, last = deploy.stack_names(deployment)
    return (
        f"Its repository {names.repository(deployment.service)} and the stacks {', '.join(earlier)} and {last}\n"
        f"were created on local AWS, {deployment.region}, which ended with this command: its contents are deleted."
    )


def _next_steps(result: NewResult) -> list[str]:
    steps = [(enter(result.directory), ""), ("make", "lists the targets: run, test, lint")]
    if result.deployment_ended:
        steps.append(("scaffold local -- bash", "a shell in a new local AWS: run `scaffold deploy` there"))
    elif result.deployment:
        if result.deployment_in_background:
            steps.append(('eval "$(scaffold local env)"', "uses the local AWS in the background in this shell"))
        steps.append(deploy.next_step(result.deployment))
    else:
        steps.append(("scaffold deploy", "creates repository, foundation, permissions and pipeline on AWS"))
    width = max(len(command) for command, _ in steps if len(command) <= _COMMAND_WIDTH)
    return [f"{command:<{width}}  {effect}".rstrip() for command, effect in steps]
