"""IAM's quotas and rules, through its API and through CloudFormation."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaffold.local.services.policy_grammar import identity_problem
from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import att, resource

ACCOUNT = "arn:aws:iam::000000000000"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"},
}


def policy(characters: int = 0, **statement: Any) -> dict[str, Any]:
    """A policy document with as many characters, if it is not longer anyway."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | statement
    document = {"Version": "2012-10-17", "Statement": [statement]}
    missing = characters - len(json.dumps(document, separators=(",", ":")))
    if missing > 0:
        statement["Resource"] = "arn:aws:s3:::" + "b" * (missing - len("arn:aws:s3:::") + 1)
        assert len(json.dumps(document, separators=(",", ":"))) == characters
    return document


def trust(characters: int = 0, **statement: Any) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": [TRUST["Statement"] | {"Sid": "S"} | statement]}
    missing = characters - len(json.dumps(document, separators=(",", ":")))
    if missing > 0:
        document["Statement"][0]["Sid"] = "S" * (missing + 1)
    return document


@pytest.fixture
def iam(client: Client) -> Any:
    return client("iam")


@pytest.fixture
def role(iam: Any) -> Iterator[str]:
    """A role that is deleted with its policies after the test."""
    iam.create_role(RoleName="tested", AssumeRolePolicyDocument=json.dumps(TRUST))
    yield "tested"
    for name in iam.list_role_policies(RoleName="tested")["PolicyNames"]:
        iam.delete_role_policy(RoleName="tested", PolicyName=name)
    for one in iam.list_attached_role_policies(RoleName="tested")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="tested", PolicyArn=one["PolicyArn"])
    iam.delete_role(RoleName="tested")


@pytest.fixture
def managed(iam: Any) -> Iterator[Callable[[int], list[str]]]:
    """Creates managed policies, which are deleted after the test."""
    made: list[str] = []

    def create(count: int) -> list[str]:
        for _ in range(count):
            name = f"managed-{uuid.uuid4()}"
            made.append(iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy()))["Policy"]["Arn"])
        return made

    yield create
    for arn in made:
        with suppress(ClientError):
            iam.delete_policy(PolicyArn=arn)


def refused(action: Callable[..., Any], code: str, message: str, **parameters: Any) -> None:
    """Call an API and compare its error."""
    with pytest.raises(ClientError) as error:
        action(**parameters)
    assert error.value.response["Error"]["Code"] == code
    assert message in error.value.response["Error"]["Message"]


def fails(stack: Stack, resources: dict[str, Any], reason: str, *, update: bool = False) -> None:
    """Create or update a stack and compare the reason of its rollback."""
    with pytest.raises(WaiterError):
        (stack.update if update else stack.create)(resources)
    assert stack.describe()["StackStatus"] == ("UPDATE_ROLLBACK_COMPLETE" if update else "ROLLBACK_COMPLETE")
    assert reason in stack.failures()[0]


def a_role(**properties: Any) -> dict[str, Any]:
    return {"Role": resource("IAM::Role", AssumeRolePolicyDocument=TRUST, **properties)}


def a_policy(document: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"Policy": resource("IAM::ManagedPolicy", PolicyDocument=document, **properties)}


def inline(*sizes: int) -> list[dict[str, Any]]:
    return [{"PolicyName": f"p{number}", "PolicyDocument": policy(size)} for number, size in enumerate(sizes)]


def test_the_size_of_a_managed_policy(iam: Any, stack: Stack) -> None:
    limit, message = 6144, "Cannot exceed quota for PolicySize: 6144"
    fits = json.dumps(policy(limit), indent=4)  # White space does not count.
    arn = iam.create_policy(PolicyName="size", PolicyDocument=fits)["Policy"]["Arn"]
    too_long = json.dumps(policy(limit + 1))
    refused(iam.create_policy, "LimitExceeded", message, PolicyName="longer", PolicyDocument=too_long)
    refused(iam.create_policy_version, "LimitExceeded", message, PolicyArn=arn, PolicyDocument=too_long)
    iam.delete_policy(PolicyArn=arn)

    made = stack.create(a_policy(policy(limit)), Outputs={"Uses": att("Policy", "PermissionsBoundaryUsageCount")})
    assert made["Outputs"] == {"Uses": "0"}
    fails(stack, a_policy(policy(limit + 1)), message, update=True)
    stack.delete()
    fails(stack, a_policy(policy(limit + 1)), message)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(characters=st.integers(6100, 6190), indent=st.none() | st.integers(0, 9))
def test_only_characters_that_are_no_white_space_count(iam: Any, characters: int, indent: int | None) -> None:
    document = json.dumps(policy(characters), indent=indent)
    if characters > 6144:
        with pytest.raises(iam.exceptions.LimitExceededException):
            iam.create_policy(PolicyName="counted", PolicyDocument=document)
    else:
        iam.delete_policy(PolicyArn=iam.create_policy(PolicyName="counted", PolicyDocument=document)["Policy"]["Arn"])


def test_the_size_of_all_inline_policies(iam: Any, stack: Stack, role: str) -> None:
    message = f"Maximum policy size of 10240 bytes exceeded for role {role}"
    for name, document in (("a", policy(6000)), ("b", policy(4240)), ("a", policy(6000))):
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    more = {"RoleName": role, "PolicyName": "c", "PolicyDocument": json.dumps(policy())}
    refused(iam.put_role_policy, "LimitExceeded", message, **more)

    stack.create(a_role(RoleName="sized", Policies=inline(6000, 4240)))
    fails(stack, a_role(RoleName="sized", Policies=inline(6000, 4241)), "for role sized", update=True)
    kept = iam.get_role_policy(RoleName="sized", PolicyName="p1")["PolicyDocument"]
    assert kept == policy(4240)
    # A policy that is deleted makes room for one that is put.
    stack.update(a_role(RoleName="sized", Policies=[{"PolicyName": "other", "PolicyDocument": policy(10_240)}]))
    stack.delete()
    fails(stack, a_role(RoleName="sized", Policies=inline(6000, 4241)), "for role sized")
    assert "sized" not in [one["RoleName"] for one in iam.list_roles()["Roles"]]


def test_the_size_of_inline_policies_that_are_resources(stack: Stack, role: str) -> None:
    def resources(*sizes: int) -> dict[str, Any]:
        return {
            one["PolicyName"]: resource(
                "IAM::Policy", Roles=[role], PolicyName=one["PolicyName"], PolicyDocument=document
            )
            for one in inline(*sizes)
            for document in [one["PolicyDocument"]]
        }

    stack.create(resources(6000, 4240))
    fails(stack, resources(6000, 4241), f"for role {role}", update=True)


@pytest.mark.parametrize(("kind", "size"), [("user", 2048), ("group", 5120)])
def test_policies_of_users_and_groups(
    iam: Any, stack: Stack, managed: Callable[[int], list[str]], kind: str, size: int
) -> None:
    name = {f"{kind.title()}Name": "limited"}
    getattr(iam, f"create_{kind}")(**name)
    put, attach = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"attach_{kind}_policy")
    put(**name, PolicyName="a", PolicyDocument=json.dumps(policy(size - 500)))
    message = f"Maximum policy size of {size} bytes exceeded for {kind} limited"
    refused(put, "LimitExceeded", message, **name, PolicyName="b", PolicyDocument=json.dumps(policy(501)))
    put(**name, PolicyName="b", PolicyDocument=json.dumps(policy(500)))
    longer = {f"{kind.title()}s": ["limited"], "PolicyName": "b", "PolicyDocument": policy(501)}
    fails(stack, {"Policy": resource("IAM::Policy", **longer)}, message)
    *ten, last = managed(11)
    for arn in ten:
        attach(**name, PolicyArn=arn)
    refused(attach, "LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind.title()}: 10", **name, PolicyArn=last)
    for arn in ten:
        getattr(iam, f"detach_{kind}_policy")(**name, PolicyArn=arn)


def test_the_size_of_a_trust_policy(iam: Any, stack: Stack, role: str) -> None:
    message = "Cannot exceed quota for ACLSizePerRole: 2048"
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust(2048), indent=2))
    long = json.dumps(trust(2049))
    refused(iam.update_assume_role_policy, "LimitExceeded", message, RoleName=role, PolicyDocument=long)
    refused(iam.create_role, "LimitExceeded", message, RoleName="long", AssumeRolePolicyDocument=long)

    resources = {"Role": resource("IAM::Role", AssumeRolePolicyDocument=trust(2048))}
    stack.create(resources)
    resources["Role"]["Properties"]["AssumeRolePolicyDocument"] = trust(2049)
    fails(stack, resources, message, update=True)


def test_the_managed_policies_of_a_role(iam: Any, stack: Stack, role: str, managed: Callable[[int], list[str]]) -> None:
    *ten, last = managed(11)
    message = "Cannot exceed quota for PoliciesPerRole: 10"
    for arn in ten:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.attach_role_policy(RoleName=role, PolicyArn=ten[0])
    refused(iam.attach_role_policy, "LimitExceeded", message, RoleName=role, PolicyArn=last)
    absent = f"{ACCOUNT}:policy/absent"
    missing = f"Policy {absent} does not exist or is not attachable."
    refused(iam.attach_role_policy, "NoSuchEntity", missing, RoleName=role, PolicyArn=absent)

    stack.create(a_role(ManagedPolicyArns=ten))
    stack.update(a_role(ManagedPolicyArns=[*ten[1:], last]))
    fails(stack, a_role(ManagedPolicyArns=[*ten, last]), message, update=True)
    fails(stack, a_role(ManagedPolicyArns=[absent]), missing, update=True)
    attached = {"Policy": resource("IAM::ManagedPolicy", PolicyDocument=policy(), Roles=[role])}
    fails(Stack(stack.api, "attaching"), attached, message)
    stack.delete()


def test_a_boundary_exists_and_stays_while_it_is_used(iam: Any, stack: Stack, role: str) -> None:
    absent = f"{ACCOUNT}:policy/absent"
    message = f"Scope ARN: {absent} does not exist or is not attachable."
    refused(
        iam.create_role,
        *("NoSuchEntity", message),
        RoleName="bounded",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        PermissionsBoundary=absent,
    )
    refused(iam.put_role_permissions_boundary, "NoSuchEntity", message, RoleName=role, PermissionsBoundary=absent)

    boundary = a_policy(policy(), ManagedPolicyName="limit")
    arn = stack.create(boundary, Outputs={"Arn": {"Ref": "Policy"}})["Outputs"]["Arn"]
    bounded = Stack(stack.api, "bounded")
    fails(bounded, a_role(PermissionsBoundary=absent), message)
    bounded.delete()
    made = bounded.create(a_role(PermissionsBoundary=arn), Outputs={"Name": {"Ref": "Role"}})["Outputs"]["Name"]
    described = iam.get_role(RoleName=made)["Role"]
    assert described["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    refused(iam.delete_policy, "DeleteConflict", "Cannot delete a policy attached to entities.", PolicyArn=arn)
    with pytest.raises(WaiterError):
        stack.delete()
    bounded.update(a_role())
    assert "PermissionsBoundary" not in iam.get_role(RoleName=made)["Role"]
    bounded.delete()
    stack.delete()


TAGS = [
    ([("k", "v")] * 51, "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
    ([("k" * 129, "v")], "at 'tags.1.member.key' failed to satisfy constraint: Member must have length"),
    ([("k", "v" * 257)], "at 'tags.1.member.value' failed to satisfy constraint: Member must have length"),
    ([("a", "b"), ("k", "v<w>")], "at 'tags.2.member.value' failed to satisfy constraint: Member must satisfy regular"),
    ([("k*", "v")], "at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular"),
]


@pytest.mark.parametrize(("pairs", "message"), TAGS, ids=["number", "key", "value", "signs", "signs-of-key"])
def test_tags(iam: Any, stack: Stack, role: str, pairs: list[tuple[str, str]], message: str) -> None:
    pairs = [(f"{key}{number}" if len(pairs) > 2 else key, value) for number, (key, value) in enumerate(pairs)]
    tags = [{"Key": key, "Value": value} for key, value in pairs]
    refused(iam.tag_role, "ValidationError", message, RoleName=role, Tags=tags)
    created = {"RoleName": "tagged", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    refused(iam.create_role, "ValidationError", message, **created, Tags=tags)
    document = json.dumps(policy())
    refused(iam.create_policy, "ValidationError", message, PolicyName="tagged", PolicyDocument=document, Tags=tags)
    fails(stack, a_role(Tags=tags), message)


def test_the_tags_of_a_role_in_all(iam: Any, stack: Stack, role: str) -> None:
    fifty = [{"Key": f"k{number}", "Value": "é /:+@-_.="} for number in range(50)]
    iam.tag_role(RoleName=role, Tags=fifty)
    iam.tag_role(RoleName=role, Tags=fifty[:1])
    more = [{"Key": "more", "Value": ""}]
    refused(iam.tag_role, "LimitExceeded", "Cannot exceed quota for TagsPerRole: 50", RoleName=role, Tags=more)
    refused(iam.tag_role, "InvalidInput", "aws:", RoleName=role, Tags=[{"Key": "aws:a", "Value": ""}])
    # CloudFormation's own tags do not count.
    stack.create(a_role(Tags=fifty))
    stack.update(a_role(Tags=fifty[:1]))
    fails(stack, a_role(Tags=[*fifty, *more]), "at 'tags'", update=True)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"RoleName": "n" * 65}, "at 'roleName' failed to satisfy constraint: Member must have length"),
        ({"RoleName": "a/b"}, "The specified value for roleName is invalid."),
        (
            {"RoleName": "a", "Path": f"/{'p' * 511}/"},
            "at 'path' failed to satisfy constraint: Member must have length",
        ),
        ({"RoleName": "a", "Path": "/p"}, "The specified value for path is invalid. It must begin and end with /"),
    ],
    ids=["long-name", "name", "long-path", "path"],
)
def test_names_and_paths(iam: Any, stack: Stack, properties: dict[str, str], message: str) -> None:
    refused(iam.create_role, "ValidationError", message, AssumeRolePolicyDocument=json.dumps(TRUST), **properties)
    fails(stack, a_role(**properties), message)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"PolicyName": "n" * 129}, "at 'policyName' failed to satisfy constraint: Member must have"),
        ({"PolicyName": "a/b"}, "The specified value for policyName is invalid."),
        ({"PolicyName": "a", "Path": "/p"}, "The specified value for path is invalid."),
    ],
    ids=["long-name", "name", "path"],
)
def test_names_and_paths_of_policies(iam: Any, stack: Stack, properties: dict[str, str], message: str) -> None:
    refused(iam.create_policy, "ValidationError", message, PolicyDocument=json.dumps(policy()), **properties)
    named = {key.replace("PolicyName", "ManagedPolicyName"): value for key, value in properties.items()}
    fails(
        stack,
        a_policy(policy(), **named),
        message.replace("Invalid length for parameter PolicyName", "at 'policyName'"),
    )


def test_generated_names_fit(iam: Any, client: Client) -> None:
    stack = Stack(client("cloudformation"), "s" * 100)
    made = stack.create(a_role(), Outputs={"Name": {"Ref": "Role"}, "Arn": att("Role", "Arn")})["Outputs"]
    assert len(made["Name"]) <= 64
    assert made["Arn"] == f"{ACCOUNT}:role/{made['Name']}"
    stack.delete()


MALFORMED = [
    (policy(Condition={"StringEqualz": {"aws:SourceAccount": "1"}}), "Syntax errors in policy."),
    (policy(Condition={"aws:SourceAccount": "1"}), "Syntax errors in policy."),
    (policy(Condition={"NullIfExists": {"aws:SourceAccount": "true"}}), "Syntax errors in policy."),
    (policy(Condition={"StringLike": {"s3:prefix": {"a": "b"}}}), "Syntax errors in policy."),
    (policy(Conditions={}), "Syntax errors in policy."),
    (policy(Effect="allow"), "Syntax errors in policy."),
    (policy(NotAction="s3:*"), "Syntax errors in policy."),
    (policy(Action={"Ref": "x"}), "Syntax errors in policy."),
    (policy() | {"Statements": []}, "Syntax errors in policy."),
    (policy() | {"Version": "2012-10-18"}, "Syntax errors in policy."),
    (policy() | {"Statement": []}, "Syntax errors in policy."),
    (policy(Principal="*"), "Policy document should not specify a principal."),
    (policy(Action=[]), "Policy statement must contain actions."),
    (policy(Resource=[]), "Policy statement must contain resources."),
    (policy(Action="GetObject"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    (policy(Resource="bucket"), 'Resource bucket must be in ARN format or "*".'),
    (
        {"Version": "2012-10-17", "Statement": [policy(Sid="A")["Statement"][0]] * 2},
        "Statement IDs (SID) in a single policy must be unique.",
    ),
]


@pytest.mark.parametrize(("document", "message"), MALFORMED)
def test_malformed_policies(iam: Any, role: str, document: dict[str, Any], message: str) -> None:
    text = json.dumps(document)
    code = "MalformedPolicyDocument"
    refused(iam.create_policy, code, message, PolicyName="malformed", PolicyDocument=text)
    refused(iam.put_role_policy, code, message, RoleName=role, PolicyName="malformed", PolicyDocument=text)


OPERATORS = [
    *("StringEquals", "StringNotLike", "ArnLike", "Bool", "IpAddress", "NumericLessThan", "DateGreaterThanEquals"),
    *("BinaryEquals", "NotIpAddress", "StringEqualsIgnoreCase"),
]


@given(
    operator=st.sampled_from(OPERATORS),
    prefix=st.sampled_from(["", "ForAnyValue:", "ForAllValues:"]),
    suffix=st.sampled_from(["", "IfExists"]),
    wrong=st.sampled_from(["s", "2", " ", ":", "Exists", "ForAnyValue:ForAllValues:"]),
)
def test_condition_operators(operator: str, prefix: str, suffix: str, wrong: str) -> None:
    def problem(name: str) -> str | None:
        return identity_problem(json.dumps(policy(Condition={name: {"aws:a": "b"}})), managed=True)

    name = f"{prefix}{operator}{suffix}"
    assert problem(name) is None
    for unknown in (f"{name}{wrong}", f"{wrong}{name}", name.lower(), f"{prefix}{wrong}{operator}{suffix}"):
        assert problem(unknown) == "Syntax errors in policy."


def test_malformed_policies_fail_a_stack(stack: Stack) -> None:
    unknown = policy(Condition={"StringEqualz": {"aws:SourceAccount": "1"}})
    stack.create(a_policy(policy()))
    fails(stack, a_policy(unknown), "Syntax errors in policy.", update=True)
    role = a_role(Policies=[{"PolicyName": "p", "PolicyDocument": unknown}])
    fails(Stack(stack.api, "malformed-inline"), role, "Syntax errors in policy.")


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": ["1", "2"]}, "Null": {"aws:PrincipalTag/a": True}},
        {"ForAllValues:StringLikeIfExists": {"aws:TagKeys": "a*"}},
        {"ArnNotLike": {"iam:PolicyARN": f"{ACCOUNT}:policy/*"}, "NumericLessThanEquals": {"s3:max-keys": 10}},
        {},
    ],
)
def test_conditions_that_iam_knows(iam: Any, role: str, condition: dict[str, Any]) -> None:
    document = json.dumps(policy(Condition=condition))
    iam.put_role_policy(RoleName=role, PolicyName="conditional", PolicyDocument=document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(Principal={}), "Missing required field Principal"),
        (trust(Principal={"Account": "1"}), "Syntax errors in policy."),
        (trust(Action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Condition={"StringEqualz": {"a:b": "c"}}), "Syntax errors in policy."),
    ],
)
def test_malformed_trust_policies(iam: Any, stack: Stack, role: str, document: Any, message: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    code = "MalformedPolicyDocument"
    refused(iam.create_role, code, message, RoleName="malformed", AssumeRolePolicyDocument=text)
    refused(iam.update_assume_role_policy, code, message, RoleName=role, PolicyDocument=text)
    if not isinstance(document, str):
        fails(stack, {"Role": resource("IAM::Role", AssumeRolePolicyDocument=document)}, message)


def test_a_policy_resource_keeps_its_versions_within_five(iam: Any, stack: Stack) -> None:
    for number in range(7):
        changed = a_policy(policy(Sid=f"S{number}"))
        made = (stack.update if number else stack.create)(changed, Outputs={"Arn": {"Ref": "Policy"}})
    versions = iam.list_policy_versions(PolicyArn=made["Outputs"]["Arn"])["Versions"]
    assert [one["VersionId"] for one in versions if one["IsDefaultVersion"]] == ["v7"]
    assert len(versions) == 5
    stack.delete()
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn=made["Outputs"]["Arn"])


def test_a_role_changes_in_place(iam: Any, stack: Stack, managed: Callable[[int], list[str]]) -> None:
    first, second = managed(2)
    before = a_role(Description="one", ManagedPolicyArns=[first], Tags=[{"Key": "a", "Value": "1"}], Policies=inline(0))
    after = a_role(MaxSessionDuration=7200, ManagedPolicyArns=[second], Tags=[{"Key": "b", "Value": "2"}])
    outputs = {"Name": {"Ref": "Role"}, "Id": att("Role", "RoleId")}
    made = stack.create(before, Outputs=outputs)["Outputs"]
    assert stack.update(after, Outputs=outputs)["Outputs"] == made
    role = iam.get_role(RoleName=made["Name"])["Role"]
    assert (role.get("Description", ""), role["MaxSessionDuration"]) == ("", 7200)
    assert role["Tags"] == [{"Key": "b", "Value": "2"}]
    attached = iam.list_attached_role_policies(RoleName=made["Name"])["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [second]
    assert iam.list_role_policies(RoleName=made["Name"])["PolicyNames"] == []
    stack.delete()
