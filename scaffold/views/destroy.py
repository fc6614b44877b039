"""The text of a teardown, or of its plan."""

from __future__ import annotations

from scaffold.console.titles import count, describe, physical_title
from scaffold.deployment.deletion import Kept
from scaffold.deployment.destroy import DestroyResult
from scaffold.views.place import place


def text(result: DestroyResult) -> str:
    """The result in several lines."""
    what = f"{result.service}'s environment {result.environment}" if result.environment else result.service
    where = place(result.local, result.account, result.region)
    if result.planned:
        head = (
            f"Destroying {what} in {where} would delete:" if result.changes else f"Nothing of {what} exists in {where}."
        )
        lines = [head, *(f"  {describe(change)}" for change in result.changes)]
    else:
        deleted = sum(change.action == "delete" for change in result.changes)
        outcome = f"deleted {count(deleted, 'resource')}" if deleted else "nothing to delete"
        lines = [f"{what} in {where}: {outcome}."]
    if result.kept:
        lines += kept(result)
    return "\n".join([*lines, *_next(result)])


def kept(result: DestroyResult) -> list[str]:
    """What still exists, and why, in lines; there has to be something."""
    titles: dict[str, list[str]] = {}
    for one in result.kept:
        titles.setdefault(_reason(one, result.service), []).append(physical_title(one.type, one.name))
    return ["Kept:", *(f"  {', '.join(names)}: {reason}" for reason, names in titles.items())]


def _reason(kept: Kept, service: str) -> str:
    match kept.reason:
        case "data":
            return "they hold data, or are the role for it; `--data` deletes them with the data"
        case "retained":
            return "its template retains it when the stack is deleted; delete it by hand if it is not needed"
        case "snapshot":
            return "the deletion leaves a snapshot; `--data` deletes the snapshots, too"
        case "waiting-period":
            day = f"on {kept.until:%Y-%m-%d}" if kept.until else "at the end of the waiting period"
            return f"KMS deletes a key only after a waiting period: {day}; until then it costs nothing"
        case "shared":
            return "other services of the account share them, and they cost nothing"
        case "unpulled-commits":
            commits = count(kept.commits, "commit")
            return (
                f"it has {commits} that this clone lacks: fetch them into branches or tags of this clone, then run the "
                "same command again to delete it"
            )
        case _:
            return f"it does not have the tags of {service}"


def _next(result: DestroyResult) -> list[str]:
    if result.planned or result.remaining_environments is None:
        return []
    if not result.remaining_environments:
        return [f"{result.environment} was the only environment: `scaffold destroy` deletes the rest of the service."]
    remove = f"scaffold env remove {result.environment} --keep-stacks --commit"
    if result.production:
        return [
            f"{result.environment} is still production in the answers. To create it again, run `scaffold deploy`,",
            "which enables its stage, and release. To remove it from the answers, name another environment, which",
            "becomes production, with approval and capacity:",
            f"  {remove} --production <name>",
        ]
    return [
        f"Now remove {result.environment} from the answers: until then, releases fail in the pipeline's first check.",
        f"  {remove}",
        "then push. To create it again after all, run `scaffold deploy`, which enables the stage.",
    ]
