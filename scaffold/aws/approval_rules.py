"""The approval rule templates that a service's pull requests have to satisfy."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.service import Service

_NO_TEMPLATE = "ApprovalRuleTemplateDoesNotExistException"
_CHANGED_MEANWHILE = {
    _NO_TEMPLATE,
    "ApprovalRuleTemplateNameAlreadyExistsException",
    "InvalidRuleContentSha256Exception",
}
_LOOKS = 3


@dataclass(frozen=True)
class ApprovalRule:
    """The desired and the actual state of one of a service's approval rule templates.

    Attributes:
        name: The template's name.
        desired: The content of the service's file; None where the service has no such file.
        actual: The content in CodeCommit; None where there is no such template.
        sha256: The hash of the actual content, which an update has to name.
        associated: Whether the repository applies it.
    """

    name: str
    desired: str | None
    actual: str | None
    sha256: str
    associated: bool

    @property
    def same_content(self) -> bool:
        """Whether desired and actual content mean the same."""
        try:
            return bool(json.loads(self.actual or "") == json.loads(self.desired or ""))
        except ValueError:
            return False


def associated(session: Session, service: Service) -> set[str]:
    """The names of the templates that the service's repository applies."""
    client, repository = session.client("codecommit"), names.repository(service.app_name)
    answer = client.list_associated_approval_rule_templates_for_repository(repositoryName=repository)
    return set(answer.get("approvalRuleTemplateNames", []))


def inspect(session: Session, service: Service, rule: str, associated: Collection[str]) -> ApprovalRule:
    """Read the desired and the actual state.

    Args:
        rule: One of `names.APPROVAL_RULES`.
        associated: The names of the templates that the repository applies.

    Raises:
        ScaffoldError: The service's file is not JSON.
    """
    desired = _desired(session, service, rule)
    name = names.approval_rule_template(service.app_name, rule)
    template = _find(session.client("codecommit"), name)
    return ApprovalRule(
        name=name,
        desired=desired,
        actual=template.get("approvalRuleTemplateContent", "") if template else None,
        sha256=str((template or {}).get("ruleContentSha256", "")),
        associated=name in associated,
    )


def apply(session: Session, service: Service, rule: str, found: ApprovalRule) -> None:
    """Create or update the template and associate it with the repository, or delete it where none is desired."""
    for _ in range(_LOOKS):
        try:
            return _apply(session, service, found)
        except ClientError as error:
            if code_of(error) not in _CHANGED_MEANWHILE:
                raise
        # By another process, or by this request, whose answer was lost.
        found = inspect(session, service, rule, associated(session, service))
    return _apply(session, service, found)


def _apply(session: Session, service: Service, rule: ApprovalRule) -> None:
    client, name = session.client("codecommit"), rule.name
    if rule.desired is None:
        if rule.actual is not None:
            delete(session, service.app_name, name, associated=rule.associated)
        return
    if rule.actual is None:
        client.create_approval_rule_template(
            approvalRuleTemplateName=name,
            approvalRuleTemplateContent=rule.desired,
            approvalRuleTemplateDescription=f"Approvals that pull requests of {service.app_name} need",
        )
    elif not rule.same_content:
        client.update_approval_rule_template_content(
            approvalRuleTemplateName=name,
            newRuleContent=rule.desired,
            **({"existingRuleContentSha256": rule.sha256} if rule.sha256 else {}),
        )
    if not rule.associated:
        client.associate_approval_rule_template_with_repository(
            approvalRuleTemplateName=name, repositoryName=names.repository(service.app_name)
        )


def existing(session: Session, app_name: str) -> list[str]:
    """The names of the service's approval rule templates."""
    client = session.client("codecommit")
    wanted = [names.approval_rule_template(app_name, rule) for rule in names.APPROVAL_RULES]
    return [name for name in wanted if _find(client, name) is not None]


def delete(session: Session, app_name: str, name: str, *, associated: bool) -> bool:
    """Delete a template; false where another repository applies it too, and it is kept.

    Args:
        associated: Whether the repository may still apply it: CodeCommit deletes no template in use.
    """
    client = session.client("codecommit")
    if associated:
        # CodeCommit accepts this also where there is no association.
        client.disassociate_approval_rule_template_from_repository(
            approvalRuleTemplateName=name, repositoryName=names.repository(app_name)
        )
    try:
        client.delete_approval_rule_template(approvalRuleTemplateName=name)
    except ClientError as error:
        if code_of(error) == "ApprovalRuleTemplateInUseException":
            return False
        raise
    return True


def _find(client: Any, name: str) -> dict[str, Any] | None:
    try:
        answer = client.get_approval_rule_template(approvalRuleTemplateName=name)
    except ClientError as error:
        if code_of(error) == _NO_TEMPLATE:
            return None
        raise
    template: dict[str, Any] = answer["approvalRuleTemplate"]
    return template


def _desired(session: Session, service: Service, rule: str) -> str | None:
    """The content of the service's file, in which pools name account and partition as CloudFormation does."""
    path = service.approval_rule(rule)
    if not path.is_file():
        return None
    content = path.read_text(encoding="utf-8")
    given = {"${AWS::AccountId}": session.account, "${AWS::Partition}": session.partition}
    for name, value in given.items():
        content = content.replace(name, value)
    try:
        json.loads(content)
    except ValueError as error:
        shown = path.relative_to(service.root).as_posix()
        raise ScaffoldError(f"{shown} is not JSON: {error}.", "Fix or restore it, then commit.") from error
    return content
