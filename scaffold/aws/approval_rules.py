"""The approval rule template that a service's pull requests have to satisfy."""

from __future__ import annotations

import json
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
    """The desired and the actual state of a service's approval rule template.

    Attributes:
        desired: The content of the service's file; None where the service has no such file.
        actual: The content in CodeCommit; None where there is no such template.
        sha256: The hash of the actual content, which an update has to name.
        associated: Whether the repository applies it.
    """

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


def inspect(session: Session, service: Service, *, repository_exists: bool) -> ApprovalRule:
    """Read the desired and the actual state.

    Raises:
        ScaffoldError: The service's file is not JSON.
    """
    desired = _desired(service)
    client, name = session.client("codecommit"), names.approval_rule_template(service.app_name)
    associated = False
    if repository_exists:
        repository = names.repository(service.app_name)
        answer = client.list_associated_approval_rule_templates_for_repository(repositoryName=repository)
        associated = name in answer.get("approvalRuleTemplateNames", [])
    template = _find(client, name)
    return ApprovalRule(
        desired=desired,
        actual=template.get("approvalRuleTemplateContent", "") if template else None,
        sha256=str((template or {}).get("ruleContentSha256", "")),
        associated=associated,
    )


def apply(session: Session, service: Service, rule: ApprovalRule) -> None:
    """Create or update the template and associate it with the repository, or delete it where none is desired."""
    for _ in range(_LOOKS):
        try:
            return _apply(session, service, rule)
        except ClientError as error:
            if code_of(error) not in _CHANGED_MEANWHILE:
                raise
        # By another process, or by this request, whose answer was lost.
        rule = inspect(session, service, repository_exists=True)
    return _apply(session, service, rule)


def _apply(session: Session, service: Service, rule: ApprovalRule) -> None:
    client, name = session.client("codecommit"), names.approval_rule_template(service.app_name)
    if rule.desired is None:
        if rule.actual is not None:
            delete(session, service.app_name, associated=rule.associated)
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


def exists(session: Session, app_name: str) -> bool:
    """Whether the service has an approval rule template."""
    return _find(session.client("codecommit"), names.approval_rule_template(app_name)) is not None


def delete(session: Session, app_name: str, *, associated: bool) -> bool:
    """Delete the template; false where another repository applies it too, and it is kept.

    Args:
        associated: Whether the repository may still apply it: CodeCommit deletes no template in use.
    """
    client, name = session.client("codecommit"), names.approval_rule_template(app_name)
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


def _desired(service: Service) -> str | None:
    if not service.approval_rule.is_file():
        return None
    content = service.approval_rule.read_text(encoding="utf-8")
    try:
        json.loads(content)
    except ValueError as error:
        path = service.approval_rule.relative_to(service.root).as_posix()
        raise ScaffoldError(f"{path} is not JSON: {error}.", "Fix or restore it, then commit.") from error
    return content
