"""The deletion protection of DynamoDB tables."""

from __future__ import annotations

from typing import Any

from scaffold.aws.cloudformation.stack_resources import by_logical_id
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import parse
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

_PROTECTION = "DeletionProtectionEnabled"


def unprotected(session: Session, stack: Stack) -> list[str]:
    """The names of a stack's tables whose deployed template says that they are protected, and that are not.

    A table for which the template leaves it open is its owner's, and so is one for which a parameter decides.
    """
    tables = by_logical_id(session, stack.id, "AWS::DynamoDB::Table")
    if not tables:
        return []
    client = session.client("cloudformation")
    template = parse(client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"])
    declared = template.get("Resources", {})
    wanted = (table for name, table in tables.items() if _protected(declared.get(name, {}).get("Properties", {})))
    return [table for table in wanted if _is_unprotected(session, table)]


def protect(session: Session, name: str) -> None:
    """Turn the protection of a table on. Its users notice nothing."""
    session.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=True)


def _protected(properties: dict[str, Any]) -> bool:
    # CloudFormation takes the word for the value, as in JSON templates.
    return properties.get(_PROTECTION) in (True, "true")


def _is_unprotected(session: Session, name: str) -> bool:
    """Whether a table exists and has no protection. None is about to be deleted with it."""
    with suppress_code("ResourceNotFoundException"):
        table = session.client("dynamodb").describe_table(TableName=name)["Table"]
        return table["TableStatus"] != "DELETING" and not table.get(_PROTECTION)
    return False
