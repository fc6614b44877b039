"""The text of a deployment, or of its plan."""

from __future__ import annotations

import shlex

from scaffold.aws.cloudformation.validation import sentence
from scaffold.console.titles import count, title
from scaffold.core.results import Change
from scaffold.core.stand_in import WITHOUT_ENGINE
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.follow import Release
from scaffold.deployment.left_stack import Left
from scaffold.deployment.stack_step import StackStep
from scaffold.service import names
from scaffold.views.place import place

_USE_BACKGROUND = 'eval "$(scaffold local env)"'


def text(result: DeployResult) -> str:
    """The result in several lines."""
    where = place(result.local, result.account, result.region)
    remarks = [*_left(result), *_left_stacks(result), *_waiting(result), *_unnotified(result)]
    reach = [f"To use it in this shell: `{_USE_BACKGROUND}`."] if result.background else []
    if result.release:
        stand_in = [f"Its image was built {WITHOUT_ENGINE}."] if result.release.stand_in else []
        ran = [*stand_in, *_background(result), *reach, *remarks]
        return "\n".join([*_released(result, result.release), *ran])
    if not result.changed:
        return "\n".join(
            [f"{result.service} is up to date in {where}: nothing to do.", *_background(result), *reach, *remarks]
        )
    if result.planned:
        return "\n".join([f"{result.service} in {where} would change:", *_changes(result), *remarks])
    steps = next_steps(result)
    width = max(len(command) for command, _ in steps)
    return "\n".join(
        [summary(result), *remarks, "", "Next:", *(f"  {command:<{width}}  {effect}" for command, effect in steps)]
    )


def summary(result: DeployResult) -> str:
    """What exists now, and where."""
    where = place(result.local, result.account, result.region)
    repository = f"  repository  git clone {result.clone_url}"
    if not result.runs:
        stacks = ", ".join(stack_names(result))
        return "\n".join(
            [
                f"{result.service} is deployed to {where}. Its pipeline exists there, but does not run.",
                f"  stacks      {stacks}",
                repository,
                *_background(result),
            ]
        )
    pipeline = [f"  pipeline    {result.pipeline_url}"] if result.pipeline_url else []
    created = f"{result.service} is deployed to {where}. The pipeline now releases it to its environments."
    return "\n".join([created, *pipeline, repository, *_background(result)])


def _background(result: DeployResult) -> list[str]:
    """Where local AWS is, and how it ends."""
    if not result.background:
        return []
    return [f"  local AWS   {result.background}, until `scaffold local stop` ends it and deletes all of this"]


def _released(result: DeployResult, release: Release) -> list[str]:
    where, version = place(result.local, result.account, result.region), f"commit {release.commit[:7]}"
    if release.waiting is None:
        return [f"{result.service} is released in {where}: {version} runs in every environment."]
    if release.behind:
        waits = f"waits for the stage {release.waiting}, in which an earlier release waits for approval"
        return [
            f"{result.service} in {where}: {version} {waits}.",
            "Next:",
            "  scaffold approve  decides about that one",
        ]
    return [
        f"{result.service} in {where}: {version} waits for approval in the stage {release.waiting}.",
        "Next:",
        "  scaffold approve  releases it",
    ]


def _left(result: DeployResult) -> list[str]:
    return [
        f"The environment {name} is no longer in the answers, but still has stacks, which may cost money: `scaffold "
        f"destroy --environment {name}` deletes them."
        for name in result.left_environments
    ]


def _left_stacks(result: DeployResult) -> list[str]:
    return [f"The stack {one.name} is left over from an answer, {_stays(result, one)}." for one in result.left_stacks]


def _waiting(result: DeployResult) -> list[str]:
    return [
        f"The stack {name} waits for the release to its environment, which brings the name or the path that it asks "
        "for: run `scaffold deploy` once more after that."
        for name in result.waiting_stacks
    ]


def _stays(result: DeployResult, left: Left) -> str:
    """Why it stays, and the remedy."""
    if left.reason == "pipeline":
        return "and the pipeline updates it until the next release: `scaffold deploy` deletes it after that"
    if left.reason == "imported":
        return "and the running service uses it until its next release: `scaffold deploy` deletes it after that"
    if left.reason == "changing":
        return "and is being changed: `scaffold deploy` deletes it after that"
    delete = f"aws cloudformation delete-stack --region {left.region or result.region} --stack-name {left.name}"
    lift = delete.replace("delete-stack", "update-termination-protection --no-enable-termination-protection")
    if left.reason == "database":
        modify = f"aws rds modify-db-cluster --region {result.region} --no-deletion-protection --db-cluster-identifier"
        protected = "".join(f"`{modify} {cluster}`, " for cluster in left.data)
        return (
            f"and holds the database with its data, which costs money: {protected}`{lift}`, then `{delete}` deletes it "
            "and leaves a snapshot, which you delete by hand when nobody needs the data any more. Until then, the role "
            "for the environment's data keeps its permissions for it"
        )
    if left.reason == "environment-data":
        return (
            f"and holds data ({', '.join(left.data) or 'none yet'}), which may cost money: `{lift}`, then `{delete}` "
            "deletes the stack and keeps the data, which you then delete by hand"
        )
    if left.reason == "person":
        first = f"`{lift}`, then " if left.protected else ""
        return f"and a person's: {first}`{delete}` deletes it once no stack imports from it"
    if left.reason == "denied":
        return f"and your permissions do not suffice to delete it: `{delete}` does, with the policy for destroying"
    if left.reason == "protected":
        return f"and has termination protection: lift it, then `scaffold deploy` or `{delete}` deletes it"
    return f"and holds more than logs ({', '.join(left.data)}): save that, then `{delete}` deletes it"


def _unnotified(result: DeployResult) -> list[str]:
    if result.notifies or result.local:
        return []
    but = f", but for those of {' and '.join(result.own_alarms)}," if result.own_alarms else ""
    return [
        f"Approvals, failures and alarms{but} are sent to no e-mail address: answer notification_email with `scaffold "
        "update --to current --data notification_email=ADDRESS`, commit, and run `scaffold deploy`."
    ]


def stack_names(result: DeployResult) -> list[str]:
    """The stacks of the deployment, in the order of their creation."""
    return [step.name for step in result.steps if step.type == StackStep.type]


def next_steps(result: DeployResult) -> list[tuple[str, str]]:
    """The next commands, and what each does."""
    if not result.background:
        return [_next_step(result)]
    return [(_USE_BACKGROUND, "lets this shell use it, for status, logs, open, destroy, …"), _next_step(result)]


def _next_step(result: DeployResult) -> tuple[str, str]:
    if not result.runs:
        return f"aws cloudformation list-stacks --region {result.region}", "lists the stacks"
    if result.local:
        return "scaffold status --watch", "shows the pipeline and the environments"
    profile = f"AWS_PROFILE={shlex.quote(result.push_profile)} " if result.push_profile else ""
    return f"{profile}git push {result.remote} {names.BRANCH}", "after a commit: the pipeline releases it"


def _changes(result: DeployResult) -> list[str]:
    lines = []
    for step in result.steps:
        if step.action != "none":
            lines.append(f"  {step.action:<8}{title(step.type, step.name)}")
            lines += [f"            {_change(change)}" for change in step.changes]
            lines += [f"            warning of CloudFormation: {sentence(finding)}" for finding in step.warnings]
    return lines


def _change(change: Change) -> str:
    if change.type == "commit":
        return f"push {count(change.count, 'commit')}, up to {change.name[:7]}"
    condition = f", if {change.condition}" if change.condition else ""
    return f"{change.action} {title(change.type, change.name)}{condition}"
