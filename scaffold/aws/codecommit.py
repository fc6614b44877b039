"""The service's CodeCommit repository, its tags and the approvals that a pull request needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Account
from scaffold.core.errors import ScaffoldError
from scaffold.service import names
from scaffold.service.service import Service

# CodeCommit's codes for an approval rule template, or a repository, that is not there.
_NO_TEMPLATE = "ApprovalRuleTemplateDoesNotExistException"
_NO_REPOSITORY = "RepositoryDoesNotExistException"


@dataclass(frozen=True)
class Look:
    """What there is, against what there should be.

    Attributes:
        arn: The repository's ARN; None while there is no repository.
        missing_tags: Tags that the repository lacks.
        rule_exists: Whether the approval rule template exists.
        rule_sha: The SHA-256 of the template's content, which an update has to name.
        rule_current: Whether its content is the one in the service's files.
        rule_associated: Whether the repository applies it.
        rule_wanted: The content that it should have; None where the service asks for no approvals.
    """

    arn: str | None
    missing_tags: dict[str, str]
    rule_exists: bool
    rule_sha: str
    rule_current: bool
    rule_associated: bool
    rule_wanted: str | None

    @property
    def done(self) -> str:
        """What `pending` names, once it is done; `present` where there was nothing to do."""
        past = {"create": "created", "change": "changed", "apply": "applied", "remove": "removed", "tag": "tagged"}
        words = (todo.split(" ", 1) for todo in self.pending)
        return ", ".join(f"{past[verb]} {what}" for verb, what in words) or "present"

    @property
    def pending(self) -> list[str]:
        """What is left to do, in words."""
        todo = [] if self.arn else ["create the repository"]
        if self.arn and self.missing_tags:
            todo.append("tag the repository")
        if self.rule_wanted is None:
            return todo + (["remove the approval rule"] if self.rule_exists else [])
        if not self.rule_exists:
            todo.append("create the approval rule")
        elif not self.rule_current:
            todo.append("change the approval rule")
        if self.rule_exists and not self.rule_associated:
            todo.append("apply the approval rule")
        return todo


def look(account: Account, service: Service) -> Look:
    """See what there is.

    Args:
        account: The account.
        service: The service.
    """
    client, rule = account.client("codecommit"), names.approval_rule_template(service.app_name)
    found = _find(account, service.app_name)
    arn = str(found["Arn"]) if found else None
    missing_tags, associated = _tags(service), False
    if found:
        # Tags come with the creation: only an empty repository that somebody else has made may lack them.
        empty = "defaultBranch" not in found
        present = client.list_tags_for_resource(resourceArn=arn).get("tags", {}) if empty else missing_tags
        missing_tags = {key: value for key, value in missing_tags.items() if present.get(key) != value}
        associated = rule in client.list_associated_approval_rule_templates_for_repository(
            repositoryName=names.repository(service.app_name)
        ).get("approvalRuleTemplateNames", [])
    wanted = _wanted_rule(service)
    existing = _rule(client, rule)
    return Look(
        arn=arn,
        missing_tags=missing_tags,
        rule_exists=existing is not None,
        rule_sha=str((existing or {}).get("ruleContentSha256", "")),
        rule_current=existing is not None and _same(existing.get("approvalRuleTemplateContent", ""), wanted or ""),
        rule_associated=associated,
        rule_wanted=wanted,
    )


def find(account: Account, app_name: str) -> str | None:
    """The ARN of the service's repository, or None.

    Args:
        account: The account.
        app_name: The service's name.
    """
    found = _find(account, app_name)
    return str(found["Arn"]) if found else None


def main_commit(account: Account, app_name: str) -> str | None:
    """The commit of the repository's main, or None where it has no such branch.

    Args:
        account: The account.
        app_name: The service's name.
    """
    try:
        answer = account.client("codecommit").get_branch(
            repositoryName=names.repository(app_name), branchName=names.BRANCH
        )
    except ClientError as error:
        if code_of(error) == "BranchDoesNotExistException":
            return None
        raise
    return str(answer["branch"]["commitId"])


def ensure_exists(account: Account, service: Service, seen: Look) -> bool:
    """Create the repository, or the tags that it lacks.

    Args:
        account: The account.
        service: The service.
        seen: What `look` found.

    Returns:
        Whether the repository is new, and so empty.
    """
    client = account.client("codecommit")
    if seen.arn is None:
        try:
            # The tags come with the creation, so that no repository of ours is ever without them.
            client.create_repository(
                repositoryName=names.repository(service.app_name),
                repositoryDescription=f"The service {service.app_name}, generated by gitops-scaffold",
                tags=_tags(service),
            )
            return True
        except ClientError as error:
            if code_of(error) != "RepositoryNameExistsException":
                raise
    elif seen.missing_tags:
        client.tag_resource(resourceArn=seen.arn, tags=seen.missing_tags)
    return False


def ensure_approvals(account: Account, service: Service, seen: Look) -> None:
    """Create, change, apply or remove the approval rule template.

    Args:
        account: The account.
        service: The service.
        seen: What `look` found.
    """
    client, rule = account.client("codecommit"), names.approval_rule_template(service.app_name)
    if seen.rule_wanted is None:
        if seen.rule_exists:
            remove_approvals(account, service.app_name, associated=seen.rule_associated)
        return
    if not seen.rule_exists:
        client.create_approval_rule_template(
            approvalRuleTemplateName=rule,
            approvalRuleTemplateContent=seen.rule_wanted,
            approvalRuleTemplateDescription=f"What pull requests of {service.app_name} to {names.BRANCH} need",
        )
    elif not seen.rule_current:
        client.update_approval_rule_template_content(
            approvalRuleTemplateName=rule,
            newRuleContent=seen.rule_wanted,
            **({"existingRuleContentSha256": seen.rule_sha} if seen.rule_sha else {}),
        )
    if not seen.rule_associated:
        client.associate_approval_rule_template_with_repository(
            approvalRuleTemplateName=rule, repositoryName=names.repository(service.app_name)
        )


def remove_approvals(account: Account, app_name: str, *, associated: bool) -> bool:
    """Delete the approval rule template; say whether there was one.

    Args:
        account: The account.
        app_name: The service's name.
        associated: Whether the repository still applies it: CodeCommit deletes no template in use.
    """
    client, rule = account.client("codecommit"), names.approval_rule_template(app_name)
    if _rule(client, rule) is None:
        return False
    if associated:
        # CodeCommit says nothing against taking away an association that is not there.
        client.disassociate_approval_rule_template_from_repository(
            approvalRuleTemplateName=rule, repositoryName=names.repository(app_name)
        )
    client.delete_approval_rule_template(approvalRuleTemplateName=rule)
    return True


def rule_exists(account: Account, app_name: str) -> bool:
    """Whether there is an approval rule template of the service.

    Args:
        account: The account.
        app_name: The service's name.
    """
    return _rule(account.client("codecommit"), names.approval_rule_template(app_name)) is not None


def _find(account: Account, app_name: str) -> dict[str, Any] | None:
    try:
        answer = account.client("codecommit").get_repository(repositoryName=names.repository(app_name))
    except ClientError as error:
        if code_of(error) == _NO_REPOSITORY:
            return None
        raise
    metadata: dict[str, Any] = answer["repositoryMetadata"]
    return metadata


def _rule(client: Any, name: str) -> dict[str, Any] | None:
    try:
        answer = client.get_approval_rule_template(approvalRuleTemplateName=name)
    except ClientError as error:
        if code_of(error) == _NO_TEMPLATE:
            return None
        raise
    template: dict[str, Any] = answer["approvalRuleTemplate"]
    return template


def _wanted_rule(service: Service) -> str | None:
    if not service.approval_rule.is_file():
        return None
    content = service.approval_rule.read_text(encoding="utf-8")
    try:
        json.loads(content)
    except ValueError as error:
        raise ScaffoldError(
            f"config/policies/approval-rule.json is not JSON: {error}.", "Mend or restore it, then commit."
        ) from error
    return content


def _same(deployed: str, wanted: str) -> bool:
    try:
        return bool(json.loads(deployed) == json.loads(wanted))
    except ValueError:
        return False


def _tags(service: Service) -> dict[str, str]:
    return {names.TAG_SERVICE: service.app_name}
