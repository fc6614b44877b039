"""The calls for roles and managed policies."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_BOUNDARY = {"iam:PermissionsBoundary": "PermissionsBoundary"}
_UNDER_BOUNDARY = (
    *("AttachRolePolicy", "CreateRole", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary"),
    "PutRolePolicy",
)

CALLS = {
    "AWS::IAM::ManagedPolicy": ResourceCalls(
        "iam",
        "policy{Path}{id}",
        name="ManagedPolicyName",
        create="CreatePolicy self",
        update="""
            CreatePolicyVersion self
            DeletePolicyVersion self""",
        delete="""
            ListEntitiesForPolicy self
            DeletePolicyVersion self
            DeletePolicy self""",
        read="""
            GetPolicy self
            GetPolicyVersion self
            ListPolicyVersions self""",
        # Their ARNs have paths, which the template does not name.
        not_rehearsed=("Groups", "Roles", "Users"),
    ),
    # The ARN and the boundary are those of the role.
    "AWS::IAM::Policy": ResourceCalls(
        "iam",
        name="PolicyName",
        create="PutRolePolicy self",
        change="-Roles DeleteRolePolicy self",
        update="PutRolePolicy self",
        delete="DeleteRolePolicy self",
        read="GetRolePolicy self",
        keys={f"iam:{action}": _BOUNDARY for action in ("PutRolePolicy", "DeleteRolePolicy")},
        not_rehearsed=("Groups", "Users"),
    ),
    "AWS::IAM::Role": ResourceCalls(
        "iam",
        "role{Path}{id}",
        name="RoleName",
        create="CreateRole self",
        set="""
            +ManagedPolicyArns AttachRolePolicy self
            +Policies PutRolePolicy self""",
        change="""
            +PermissionsBoundary PutRolePermissionsBoundary self
            -PermissionsBoundary DeleteRolePermissionsBoundary self
            -ManagedPolicyArns DetachRolePolicy self
            -Policies DeleteRolePolicy self
            +AssumeRolePolicyDocument UpdateAssumeRolePolicy self
            +Description,MaxSessionDuration UpdateRole self
            -Description,MaxSessionDuration UpdateRole self
            +Description UpdateRoleDescription self""",
        delete="""
            GetRole self
            ListAttachedRolePolicies self
            ListRolePolicies self
            ?ManagedPolicyArns DetachRolePolicy self
            ?Policies DeleteRolePolicy self
            DeleteRole self""",
        read="""
            GetRole self
            GetRolePolicy self
            ListAttachedRolePolicies self
            ListRolePolicies self
            ListRoleTags self""",
        tagging=Tagging("iam:TagRole self", "iam:UntagRole self"),
        keys={f"iam:{action}": _BOUNDARY for action in _UNDER_BOUNDARY},
    ),
}
