"""The text of a generated service: what exists, where, and the next commands."""

from __future__ import annotations

import os
import shlex

from scaffold.commands.new import NewResult
from scaffold.console.tree import tree
from scaffold.core.paths import enter
from scaffold.deployment.deploy_result import DeployResult
from scaffold.service import names
from scaffold.service.stack_kinds import DOMAIN
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
    parts = [head, *_over_http(result)]
    if result.deployment:
        parts += ["", _ended(result.deployment) if result.deployment_ended else deploy.summary(result.deployment)]
    if result.outer_repository:
        parts += ["", _nested(result.outer_repository, result.directory)]
        parts += _meant(result.outer_repository, result.directory) if result.outer_is_empty else []
    return "\n".join([*parts, "", "Next:", *(f"  {line}" for line in _next_steps(result))])


def _over_http(result: NewResult) -> list[str]:
    """What a service without a domain lacks."""
    has_domain = any(stack.endswith(f"-{DOMAIN.name}") for stack in result.stacks)
    return [] if has_domain else ["People reach it over HTTP; with the answer domain_name, over HTTPS."]


def _preview(result: NewResult) -> str:
    lines = [
        f"{result.app_name}, {len(result.files)} files, would be written to {result.directory} (dry run).",
        "",
        *tree(result.files),
        "",
    ]
    lines += ["Stacks, in the order of their deployment", *(f"  {stack}" for stack in result.stacks)]
    lines += ["", *http] if (http := _over_http(result)) else []
    return "\n".join([*lines, "", result.estimate.text()] if result.estimate else lines)


def _nested(outer: str, directory: str) -> str:
    inside = f"/{os.path.relpath(os.path.realpath(directory), os.path.realpath(outer))}/"
    ignore = f"echo {shlex.quote(inside)} >> {shlex.quote(os.path.join(outer, '.gitignore'))}"  # noqa: PTH118
    return (
        f"It is inside another Git repository, {outer}, where `git add` would record it as a submodule\n"
        f"without an address. Exclude it there: {ignore}"
    )


def _meant(outer: str, directory: str) -> list[str]:
    """How the service gets into a clone that was probably meant for it."""
    new, old = shlex.quote(outer), shlex.quote(directory)
    return [
        "That repository has no commit. If it was meant for the service, generate the service in its place:",
        f"  rm -rf {old} && scaffold new {new}",
    ]


def _ended(deployment: DeployResult) -> str:
    *earlier, last = deploy.stack_names(deployment)
    return (
        f"Its repository {names.repository(deployment.service)} and the stacks {', '.join(earlier)} and {last}\n"
        f"were created on local AWS, {deployment.region}, which ended with this command: its contents are deleted."
    )


def _next_steps(result: NewResult) -> list[str]:
    steps = [(enter(result.directory), ""), ("make", "lists the targets: run, test, lint")]
    if result.deployment_ended:
        steps.append(("scaffold deploy --local", "deploys it to a local AWS that stays, in the background"))
    elif result.deployment:
        steps += deploy.next_steps(result.deployment)
    else:
        if not result.credentials:
            steps.append(("scaffold deploy --local", "tries the deployment, without an AWS account"))
        steps.append(("scaffold deploy", "creates repository, foundation, permissions and pipeline on AWS"))
    width = max(len(command) for command, _ in steps if len(command) <= _COMMAND_WIDTH)
    return [f"{command:<{width}}  {effect}".rstrip() for command, effect in steps]
