"""Exports and the stacks that import them: CloudFormation deletes no export that is imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.errors import says_not_imported
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError


def check_kept(session: Session, spec: StackSpec, stack: Stack) -> None:
    """Refuse a template without an export that other stacks import, which CloudFormation would do half-way.

    Raises:
        ScaffoldError: An export of the deployed stack is missing, and is imported.
    """
    kept = {name or stack.exports.get(output) for output, name in spec.exports.items()}
    for export in sorted(set(stack.exports.values()) - kept):
        if users := _imports(session.client("cloudformation"), export):
            file = f"infrastructure/{spec.kind.name}.yaml"
            raise ScaffoldError(
                f"{file} no longer has the export {export}, which is imported by {', '.join(users)}.",
                "Restore this export, and remove it after a release in which no stack imports it.",
            )


def importers(session: Session, stacks: Iterable[Stack]) -> dict[str, list[str]]:
    """The names of the stacks that import from these stacks, by the exporting stack's name; only other stacks."""
    client = session.client("cloudformation")
    names = {stack.id: stack.name for stack in stacks}
    found: dict[str, list[str]] = {}
    for page in client.get_paginator("list_exports").paginate():
        for export in page["Exports"]:
            name = names.get(export["ExportingStackId"])
            if name is not None:
                others = set(_imports(client, export["Name"])) - set(names.values())
                found[name] = sorted({*found.get(name, ()), *others})
    return {name: others for name, others in found.items() if others}


def imports(session: Session, export: str) -> list[str]:
    """The names of the stacks that import an export; none where it does not exist."""
    return _imports(session.client("cloudformation"), export)


def _imports(client: Any, export: str) -> list[str]:
    pages = client.get_paginator("list_imports").paginate(ExportName=export)
    try:
        return [stack for page in pages for stack in page["Imports"]]
    except ClientError as error:
        if says_not_imported(error):
            return []
        raise
