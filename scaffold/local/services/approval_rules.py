"""CodeCommit's approval rule templates: the approvals that a pull request needs."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field

from scaffold.local.protocol import ROOT, Call, Document, ServiceError
from scaffold.local.services.pull_requests.pools import is_form_of_member
from scaffold.local.services.repositories import Repositories, Repository

_MOST_MEMBERS = 50


@dataclass
class ApprovalRuleTemplate:
    """One template, and the names of the repositories that it is associated with."""

    name: str
    content: str
    description: str
    author: str = ROOT
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    repositories: set[str] = field(default_factory=set)

    def document(self) -> Document:
        """The template as the API describes it."""
        return {
            "approvalRuleTemplateId": self.identifier,
            "approvalRuleTemplateName": self.name,
            "approvalRuleTemplateDescription": self.description,
            "approvalRuleTemplateContent": self.content,
            "ruleContentSha256": hashlib.sha256(self.content.encode()).hexdigest(),
            "creationDate": self.created,
            "lastModifiedDate": self.modified,
            "lastModifiedUser": self.author,
        }


class ApprovalRuleTemplates:
    """The operations on approval rule templates."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._all: dict[tuple[str, str], ApprovalRuleTemplate] = {}

    def of(self, repository: Repository) -> list[ApprovalRuleTemplate]:
        """The templates that are associated with a repository, by their names."""
        found = [one for (region, _), one in self._all.items() if region == repository.region]
        return sorted((one for one in found if repository.name in one.repositories), key=lambda one: one.name)

    def disassociate_all(self, repository: Repository) -> None:
        """Delete a repository's associations."""
        for (region, _), template in self._all.items():
            if region == repository.region:
                template.repositories.discard(repository.name)

    def create_approval_rule_template(self, call: Call) -> Document:
        """Create a template."""
        name = call.parameters["approvalRuleTemplateName"]
        if (call.region, name) in self._all:
            raise ServiceError("ApprovalRuleTemplateNameAlreadyExistsException", f"{name} already exists")
        content = _checked_content(call.parameters["approvalRuleTemplateContent"])
        description = call.parameters.get("approvalRuleTemplateDescription", "")
        template = self._all[call.region, name] = ApprovalRuleTemplate(name, content, description, call.caller)
        return {"approvalRuleTemplate": template.document()}

    def get_approval_rule_template(self, call: Call) -> Document:
        """Describe a template."""
        return {"approvalRuleTemplate": self._template(call).document()}

    def list_approval_rule_templates(self, call: Call) -> Document:
        """List a region's templates."""
        return {"approvalRuleTemplateNames": sorted(name for region, name in self._all if region == call.region)}

    def update_approval_rule_template_content(self, call: Call) -> Document:
        """Update a template's rules."""
        template = self._template(call)
        known = template.document()["ruleContentSha256"]
        if call.parameters.get("existingRuleContentSha256", known) != known:
            raise ServiceError("InvalidRuleContentSha256Exception", "The rule was changed in the meantime")
        template.content = _checked_content(call.parameters["newRuleContent"])
        template.author, template.modified = call.caller, time.time()
        return {"approvalRuleTemplate": template.document()}

    def delete_approval_rule_template(self, call: Call) -> Document:
        """Delete a template without associations. No error if it does not exist."""
        template = self._all.get((call.region, call.parameters["approvalRuleTemplateName"]))
        if template is None:
            return {"approvalRuleTemplateId": ""}
        if template.repositories:
            raise ServiceError("ApprovalRuleTemplateInUseException", f"{template.name} is associated with a repository")
        del self._all[call.region, template.name]
        return {"approvalRuleTemplateId": template.identifier}

    def associate_approval_rule_template_with_repository(self, call: Call) -> Document:
        """Associate a template with a repository."""
        template = self._template(call)
        repository = self._repository(call)
        template.repositories.add(repository.name)
        return {}

    def disassociate_approval_rule_template_from_repository(self, call: Call) -> Document:
        """Disassociate a template from a repository."""
        template = self._template(call)
        template.repositories.discard(self._repository(call).name)
        return {}

    def list_associated_approval_rule_templates_for_repository(self, call: Call) -> Document:
        """List the templates that are associated with a repository."""
        return {"approvalRuleTemplateNames": [one.name for one in self.of(self._repository(call))]}

    def _template(self, call: Call) -> ApprovalRuleTemplate:
        return self._named(call.region, call.parameters["approvalRuleTemplateName"])

    def _named(self, region: str, name: str) -> ApprovalRuleTemplate:
        if (region, name) not in self._all:
            raise ServiceError("ApprovalRuleTemplateDoesNotExistException", f"{name} does not exist")
        return self._all[region, name]

    def _repository(self, call: Call) -> Repository:
        return self._repositories.named(call.region, call.parameters["repositoryName"])


def _checked_content(content: str) -> str:
    """Validate the content of a rule: JSON, of the only version that CodeCommit has."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    statements = document.get("Statements") if isinstance(document, dict) else None
    if not statements or document.get("Version") != "2018-11-08":
        raise ServiceError(
            "InvalidApprovalRuleTemplateContentException",
            'The content must be JSON with "Version": "2018-11-08" and "Statements"',
        )
    for statement in statements:
        number, pool = statement.get("NumberOfApprovalsNeeded"), statement.get("ApprovalPoolMembers", [])
        if statement.get("Type") != "Approvers" or type(number) is not int or number < 1:
            raise ServiceError(
                "InvalidApprovalRuleTemplateContentException",
                'Each statement needs "Type": "Approvers" and a positive whole "NumberOfApprovalsNeeded"',
            )
        if len(pool) > _MOST_MEMBERS or not all(map(is_form_of_member, pool)):
            raise ServiceError(
                "InvalidApprovalRuleTemplateContentException",
                f'"ApprovalPoolMembers" has at most {_MOST_MEMBERS} members, each an ARN or '
                "CodeCommitApprovers:ACCOUNT:NAME",
            )
    return content
