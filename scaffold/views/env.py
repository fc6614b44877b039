"""The text of the environments of a service, and of their changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from scaffold.commands.env import ChangeResult
from scaffold.console.console import visible
from scaffold.console.titles import count
from scaffold.service.task_settings import SECRETS
from scaffold.update.environment_list import Environment, EnvironmentsResult
from scaffold.views import destroy, update

_WIDTH = 200
_CPU_UNITS = 1024
_MEMORY_UNITS = 1024


def environments_text(result: EnvironmentsResult) -> str:
    """A line for each environment, and the sum of the costs."""
    lines = [_table(result)]
    if result.monthly_usd is not None:
        lines += ["", f"About {result.monthly_usd:.2f} USD a month without traffic, shared resources included."]
    return "\n".join(lines)


def change_text(result: ChangeResult) -> str:
    """What changes, what it costs, what the pipeline will do, and the next steps."""
    parts = [_head(result), *_production(result)]
    if result.deleted is not None and result.update.planned:
        parts += ["", destroy.text(result.deleted)]
    if result.secrets:
        would = "would no longer list" if result.update.planned else "no longer lists"
        parts.append(visible(f"{SECRETS} {would} {', '.join(result.secrets)} for {result.name}."))
    parts += ["", update.text(result.update, committed=result.commit, deleted=result.deleted is not None)]
    return "\n".join(parts)


def _table(result: EnvironmentsResult) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="")
    for title, justify in (("Environment", "left"), ("", "left"), ("Tasks", "left"), ("USD a month", "right")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for one in result.environments:
        usd = "" if one.monthly_usd is None else f"{one.monthly_usd:.2f}"
        table.add_row(visible(one.name), _role(one, result.production), _tasks(one), usd)
    output = StringIO()
    Console(file=output, width=_WIDTH, color_system=None, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def _role(one: Environment, production: str | None) -> str:
    if one.name == production:
        return "production"
    return "like production" if one.production else ""


def _tasks(one: Environment) -> str:
    if one.cpu is None or one.memory is None or one.min_tasks is None or one.max_tasks is None:
        return ""
    number = str(one.min_tasks) if one.min_tasks == one.max_tasks else f"{one.min_tasks} to {one.max_tasks}"
    return f"{number} with {one.cpu / _CPU_UNITS:g} vCPU and {one.memory / _MEMORY_UNITS:g} GB"


def _head(result: ChangeResult) -> str:
    would = "would be " if result.update.planned else "is "
    if result.action == "remove":
        return visible(f"The environment {result.name} {would}removed from {result.service}. {_sum(result)}".strip())
    (added,) = [one for one in result.environments if one.name == result.name]
    lines = [f"The environment {result.name} {would}added to {result.service}, {_place(result)}."]
    if tasks := _tasks(added):
        lines.append(f"  tasks      {tasks}")
    if added.monthly_usd is not None:
        lines.append(f"  costs      about {added.monthly_usd:.2f} USD a month without traffic. {_sum(result)}".rstrip())
    lines.append(f"  pipeline   {_pipeline(result, added)}")
    return visible("\n".join(lines))


def _sum(result: ChangeResult) -> str:
    return "" if result.monthly_usd is None else f"The service then costs about {result.monthly_usd:.2f} USD a month."


def _neighbours(result: ChangeResult) -> tuple[str | None, str | None]:
    names: Sequence[str] = [one.name for one in result.environments]
    place = names.index(result.name)
    return (names[place - 1] if place else None), (names[place + 1] if place + 1 < len(names) else None)


def _place(result: ChangeResult) -> str:
    earlier, later = _neighbours(result)
    if earlier and later:
        return f"between {earlier} and {later}"
    return f"after {earlier}" if earlier else f"before {later}"


def _pipeline(result: ChangeResult, added: Environment) -> str:
    earlier, later = _neighbours(result)
    approved = "after an approval" if added.approval else "without an approval"
    sentence = f"releases go to {result.name} after {earlier or 'the build'}, {approved}"
    return f"{sentence}, and then to {later}" if later else sentence


def _production(result: ChangeResult) -> Iterator[str]:
    if result.old_production is not None or result.name == result.production:
        yield visible(f"Production is {result.production}.")
    if result.action == "remove" and result.deleted and result.deleted.changes and not result.update.planned:
        number = count(len([one for one in result.deleted.changes if one.action == "delete"]), "resource")
        yield visible(
            f"{number} deleted in AWS. Until the change is merged, releases fail in the stage Gate, which misses the "
            f"stacks of {result.name}."
        )
        if result.deleted.kept:
            yield visible("\n".join(destroy.kept(result.deleted)))
