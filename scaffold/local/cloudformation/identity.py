"""The resource types of IAM. They call IAM's API, as CloudFormation does; ministack's own bypass it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from scaffold.local.cloudformation.resource_types import (
    Created,
    Failed,
    Request,
    ResourceType,
    call_ministack,
    tag_map,
)
from scaffold.local.protocol import Document

_VERSIONS = 5
_ATTRIBUTES = (
    *("AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable"),
    *("PermissionsBoundaryUsageCount", "PolicyId", "UpdateDate"),
)


class Role(ResourceType):
    """AWS::IAM::Role."""

    name = "AWS::IAM::Role"
    create_only = ("Path", "RoleName")
    tags = ("Tags", "list")
    custom_name = "RoleName"
    longest_name = 64

    def create(self, request: Request) -> Created:
        """Create the role with its policies. A role whose policies are refused is deleted again."""
        properties = request.properties
        name = properties.get("RoleName", request.generated_name)
        given: Document = {
            "RoleName": name,
            "AssumeRolePolicyDocument": _document(properties["AssumeRolePolicyDocument"]),
            **_flat_tags(_own_tags(properties)),
            **{
                key: str(properties[key])
                for key in ("Path", "Description", "MaxSessionDuration", "PermissionsBoundary")
                if key in properties
            },
        }
        role = _iam("CreateRole", **given)["CreateRoleResult"]["Role"]
        created = replace(request, identifier=name)
        try:
            _change_policies(name, {}, properties)
        except Failed:
            self.delete(created)
            raise
        return name, {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def update(self, request: Request) -> Created:
        """Update the role. A role that is partly updated when IAM refuses goes back."""
        try:
            _change_role(request.identifier, request.old, request.properties)
        except Failed:
            with suppress(Failed):
                _change_role(request.identifier, request.properties, request.old)
            raise
        role = _iam("GetRole", RoleName=request.identifier)["GetRoleResult"]["Role"]
        return request.identifier, {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def delete(self, request: Request) -> None:
        """Delete the role with the policies of its template."""
        with _unless_missing():
            _change_policies(request.identifier, request.properties, {})
            _iam("DeleteRole", RoleName=request.identifier)


class ManagedPolicy(ResourceType):
    """AWS::IAM::ManagedPolicy."""

    name = "AWS::IAM::ManagedPolicy"
    create_only = ("Description", "ManagedPolicyName", "Path")
    custom_name = "ManagedPolicyName"

    def create(self, request: Request) -> Created:
        """Create the policy and attach it."""
        properties = request.properties
        given: Document = {
            "PolicyName": properties.get("ManagedPolicyName", request.generated_name),
            "PolicyDocument": _document(properties["PolicyDocument"]),
            **{key: str(properties[key]) for key in ("Path", "Description") if key in properties},
        }
        arn = _iam("CreatePolicy", **given)["CreatePolicyResult"]["Policy"]["Arn"]
        try:
            _change_attachments(arn, {}, properties)
        except Failed:
            self.delete(replace(request, identifier=arn))
            raise
        return arn, self._attributes(arn)

    def update(self, request: Request) -> Created:
        """Make another document the policy's default version; attach and detach it."""
        arn, new = request.identifier, request.properties
        if new["PolicyDocument"] != request.old.get("PolicyDocument"):
            others = self._other_versions(arn)
            if len(others) + 1 >= _VERSIONS:
                _iam("DeletePolicyVersion", PolicyArn=arn, VersionId=min(others, key=lambda one: int(one[1:])))
            _iam(
                "CreatePolicyVersion",
                PolicyArn=arn,
                PolicyDocument=_document(new["PolicyDocument"]),
                SetAsDefault="true",
            )
        _change_attachments(arn, request.old, new)
        return arn, self._attributes(arn)

    def delete(self, request: Request) -> None:
        """Detach the policy from what its template names, and delete it."""
        with _unless_missing():
            _change_attachments(request.identifier, request.properties, {})
            for version in self._other_versions(request.identifier):
                _iam("DeletePolicyVersion", PolicyArn=request.identifier, VersionId=version)
            _iam("DeletePolicy", PolicyArn=request.identifier)

    @staticmethod
    def _other_versions(arn: str) -> list[str]:
        versions = _iam("ListPolicyVersions", PolicyArn=arn)["ListPolicyVersionsResult"]["Versions"]
        return [one["VersionId"] for one in versions if one["IsDefaultVersion"] == "false"]

    @staticmethod
    def _attributes(arn: str) -> Document:
        policy = _iam("GetPolicy", PolicyArn=arn)["GetPolicyResult"]["Policy"]
        return {"PolicyArn": arn, **{name: policy[name] for name in _ATTRIBUTES}}


class InlinePolicy(ResourceType):
    """AWS::IAM::Policy."""

    name = "AWS::IAM::Policy"

    def create(self, request: Request) -> Created:
        """Put the policy into roles, users and groups."""
        self._put({}, request.properties)
        return request.generated_name, {"Id": request.generated_name}

    def update(self, request: Request) -> Created:
        """Put the policy into what the template names, and delete it from what it named."""
        self._put(request.old, request.properties)
        return request.identifier, {"Id": request.identifier}

    def delete(self, request: Request) -> None:
        """Delete the policy from what the template names."""
        self._delete(request.properties, {})

    def _put(self, old: Document, new: Document) -> None:
        document = _document(new["PolicyDocument"])
        for kind, entity in _entities(new):
            given = {f"{kind}Name": entity, "PolicyName": new["PolicyName"], "PolicyDocument": document}
            _iam(f"Put{kind}Policy", **given)
        self._delete(old, new)

    @staticmethod
    def _delete(old: Document, new: Document) -> None:
        kept = _entities(new) if new.get("PolicyName") == old.get("PolicyName") else []
        for kind, entity in _entities(old):
            if (kind, entity) not in kept:
                with _unless_missing():
                    _iam(f"Delete{kind}Policy", **{f"{kind}Name": entity, "PolicyName": old["PolicyName"]})


def _change_role(role: str, old: Document, new: Document) -> None:
    if new["AssumeRolePolicyDocument"] != old["AssumeRolePolicyDocument"]:
        document = _document(new["AssumeRolePolicyDocument"])
        _iam("UpdateAssumeRolePolicy", RoleName=role, PolicyDocument=document)
    _iam("UpdateRoleDescription", RoleName=role, Description=new.get("Description", ""))
    _iam("UpdateRole", RoleName=role, MaxSessionDuration=new.get("MaxSessionDuration", 3600))
    if new.get("PermissionsBoundary") != old.get("PermissionsBoundary"):
        if boundary := new.get("PermissionsBoundary"):
            _iam("PutRolePermissionsBoundary", RoleName=role, PermissionsBoundary=boundary)
        else:
            _iam("DeleteRolePermissionsBoundary", RoleName=role)
    before, after = _own_tags(old), _own_tags(new)
    if removed := [key for key in before if key not in after]:
        _iam("UntagRole", RoleName=role, **{f"TagKeys.member.{n}": key for n, key in enumerate(removed, 1)})
    if after != before:
        _iam("TagRole", RoleName=role, **_flat_tags(after))
    _change_policies(role, old, new)


def _change_policies(role: str, old: Document, new: Document) -> None:
    """Detach and delete policies before others are attached and put, so that both fit into the quotas."""
    before, after = set(old.get("ManagedPolicyArns", [])), set(new.get("ManagedPolicyArns", []))
    inline_before, inline_after = _inline_policies(old), _inline_policies(new)
    for arn in sorted(before - after):
        with _unless_missing():
            _iam("DetachRolePolicy", RoleName=role, PolicyArn=arn)
    for name in inline_before.keys() - inline_after.keys():
        with _unless_missing():
            _iam("DeleteRolePolicy", RoleName=role, PolicyName=name)
    for arn in sorted(after - before):
        _iam("AttachRolePolicy", RoleName=role, PolicyArn=arn)
    for name, document in inline_after.items():
        if inline_before.get(name) != document:
            _iam("PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=document)


def _change_attachments(arn: str, old: Document, new: Document) -> None:
    before, after = _entities(old), _entities(new)
    for kind, entity in before:
        if (kind, entity) not in after:
            with _unless_missing():
                _iam(f"Detach{kind}Policy", **{f"{kind}Name": entity, "PolicyArn": arn})
    for kind, entity in after:
        if (kind, entity) not in before:
            _iam(f"Attach{kind}Policy", **{f"{kind}Name": entity, "PolicyArn": arn})


def _entities(properties: Document) -> list[tuple[str, str]]:
    """The roles, users and groups that a policy's properties name, each with its kind."""
    return [(kind, name) for kind in ("Role", "User", "Group") for name in properties.get(f"{kind}s") or []]


def _inline_policies(properties: Document) -> dict[str, str]:
    return {one["PolicyName"]: _document(one["PolicyDocument"]) for one in properties.get("Policies", [])}


def _own_tags(properties: Document) -> dict[str, str]:
    """The tags without CloudFormation's own, which it sets without the API."""
    return {key: value for key, value in tag_map(properties.get("Tags")).items() if not key.startswith("aws:")}


def _flat_tags(tags: dict[str, str]) -> Document:
    flat: Document = {}
    for number, (key, value) in enumerate(tags.items(), 1):
        flat |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
    return flat


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _iam(operation: str, **parameters: Any) -> Document:
    return call_ministack("iam", operation, parameters)


@contextmanager
def _unless_missing() -> Iterator[None]:
    """Suppress the failure of a call that names something which does not exist any more."""
    try:
        yield
    except Failed as error:
        if error.code != "NoSuchEntity":
            raise
