"""The text of a rollback, before and after it."""

from __future__ import annotations

from scaffold.console.console import one_line
from scaffold.deployment.releases import PastRelease
from scaffold.deployment.rollback import RollbackPlan, RollbackResult
from scaffold.views.place import moment, place


def describe(plan: RollbackPlan) -> list[str]:
    """What a person has to know before the rollback."""
    if plan.target is None:
        lines = [f"The ECS deployment of {plan.environment} under way is stopped, and ECS rolls it back."]
        lines.append(f"The release that made it fails in the stage {plan.stage}.")
    else:
        lines = [f"The stage {plan.stage} runs again with an earlier release:", *_release(plan.target)]
    if plan.disables:
        lines.append(
            f"The transition into the stage {plan.disables} is disabled: no release enters it until `scaffold retry "
            f"{plan.stage}`."
        )
    return lines


def text(result: RollbackResult) -> str:
    """The result in several lines."""
    plan, where = result.plan, place(result.local, result.account, result.region)
    if plan.target is None:
        lines = [f"ECS rolls the deployment of {result.service}/{plan.environment} back in {where}."]
    else:
        release = one_line(plan.target.name or plan.target.version or plan.target.execution)
        lines = [f"{result.service}/{plan.environment} rolls back to {release} in {where}."]
        lines.append(f"  execution  {result.execution}")
    lines.append("Next:")
    lines.append("  scaffold status --watch  shows the stage and what answers")
    if plan.disables:
        lines.append(f"  scaffold retry {plan.stage}  enables the transition again, once main has the fix")
    return "\n".join(lines)


def _release(release: PastRelease) -> list[str]:
    tags = f" ({one_line(', '.join(release.tags))})" if release.tags else ""
    lines = [f"release    {one_line(release.name)}"] if release.name else []
    lines += [f"version    {one_line(release.version)}"] if release.version else []
    lines += [f"commit     {release.commit}{tags}"] if release.commit else []
    lines += [f"released   {moment(release.ended)}"] if release.ended else []
    return [*lines, f"execution  {release.execution}"]
