"""IAM's quotas and rules that ministack lacks: sizes, names, tags, grammar, boundaries."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.services.policy_grammar import identity_problem, trust_problem
from scaffold.local.wire import Response, parameter

_MANAGED_POLICY_SIZE = 6_144
_INLINE_POLICIES_SIZE = {"Group": 5_120, "Role": 10_240, "User": 2_048}
_TRUST_POLICY_SIZE = 2_048
_ATTACHED_POLICIES = 10
_TAGS = 50

_STATUS = {"DeleteConflict": 409, "LimitExceeded": 409, "NoSuchEntity": 404}
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]+/")
_TAG_SIGNS = frozenset("_.:/=+-@")


def install() -> None:
    """Monkeypatch the rules into ministack's IAM."""
    for action, check in _CHECKS.items():
        ministack_bridge.wrap_action("iam", action, functools.partial(_respond, check))


def _respond(check: Callable[[Document], None], parameters: Document, original: Handler) -> Response:
    try:
        check(parameters)
    except ServiceError as error:
        return ministack_bridge.iam_error(error.code, error.message, _STATUS.get(error.code, 400))
    return original(parameters)


def _create_role(parameters: Document) -> None:
    _check_name("roleName", parameter(parameters, "RoleName"), 64)
    _check_path(parameter(parameters, "Path"))
    _check_tags(list(_tags(parameters)))
    _check_trust(parameter(parameters, "AssumeRolePolicyDocument"))
    if boundary := parameter(parameters, "PermissionsBoundary"):
        _check_boundary(boundary)


def _update_assume_role_policy(parameters: Document) -> None:
    _check_trust(parameter(parameters, "PolicyDocument"))


def _put_role_permissions_boundary(parameters: Document) -> None:
    _check_boundary(parameter(parameters, "PermissionsBoundary"))


def _put_policy(kind: str, parameters: Document) -> None:
    entity, name = parameter(parameters, f"{kind}Name"), parameter(parameters, "PolicyName")
    document = parameter(parameters, "PolicyDocument")
    _check_name("policyName", name, 128)
    # NoSuchEntity comes before the document's errors.
    others = [one for one in _inline_policies(kind, entity) if one != name]
    _check_grammar(identity_problem(document, managed=False))
    limit = _INLINE_POLICIES_SIZE[kind]
    if _size(document) + sum(_size(_inline_policy(kind, entity, one)) for one in others) > limit:
        message = f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} {entity}"
        raise ServiceError("LimitExceeded", message)


def _create_policy(parameters: Document) -> None:
    _check_name("policyName", parameter(parameters, "PolicyName"), 128)
    _check_path(parameter(parameters, "Path"))
    _check_tags(list(_tags(parameters)))
    _check_managed_policy(parameters)


def _check_managed_policy(parameters: Document) -> None:
    document = parameter(parameters, "PolicyDocument")
    _check_grammar(identity_problem(document, managed=True))
    _check_quota("PolicySize", _size(document), _MANAGED_POLICY_SIZE)


def _delete_policy(parameters: Document) -> None:
    given = {"PolicyArn": parameter(parameters, "PolicyArn"), "PolicyUsageFilter": "PermissionsBoundary"}
    bounded = ministack_bridge.call("iam", "ListEntitiesForPolicy", given)["ListEntitiesForPolicyResult"]
    if bounded["PolicyRoles"] or bounded["PolicyUsers"]:
        raise ServiceError("DeleteConflict", "Cannot delete a policy attached to entities.")


def _attach_policy(kind: str, parameters: Document) -> None:
    entity, policy = parameter(parameters, f"{kind}Name"), parameter(parameters, "PolicyArn")
    operation = f"ListAttached{kind}Policies"
    answer = ministack_bridge.call("iam", operation, {f"{kind}Name": entity})[f"{operation}Result"]
    _check_exists(policy, f"Policy {policy} does not exist or is not attachable.")
    others = [one for one in answer["AttachedPolicies"] or [] if one["PolicyArn"] != policy]
    _check_quota(f"PoliciesPer{kind}", len(others) + 1, _ATTACHED_POLICIES)


def _tag_role(parameters: Document) -> None:
    _check_tags(list(_tags(parameters)))
    given = {"RoleName": parameter(parameters, "RoleName")}
    tags = ministack_bridge.call("iam", "ListRoleTags", given)["ListRoleTagsResult"]["Tags"] or []
    # A role's tags differ in more than the case of their keys.
    keys = {key.lower() for key in [*(tag["Key"] for tag in tags), *(key for key, _ in _tags(parameters))]}
    _check_quota("TagsPerRole", len(keys), _TAGS)


_CHECKS: dict[str, Callable[[Document], None]] = {
    "CreatePolicy": _create_policy,
    "CreatePolicyVersion": _check_managed_policy,
    "CreateRole": _create_role,
    "DeletePolicy": _delete_policy,
    "PutRolePermissionsBoundary": _put_role_permissions_boundary,
    "TagRole": _tag_role,
    "UpdateAssumeRolePolicy": _update_assume_role_policy,
    **{f"Attach{kind}Policy": functools.partial(_attach_policy, kind) for kind in _INLINE_POLICIES_SIZE},
    **{f"Put{kind}Policy": functools.partial(_put_policy, kind) for kind in _INLINE_POLICIES_SIZE},
}


def _check_name(member: str, name: str, longest: int) -> None:
    if len(name) > longest:
        _refuse_value(member, name, f"Member must have length less than or equal to {longest}")
    if not _NAME.fullmatch(name):
        message = f"The specified value for {member} is invalid. It must contain only alphanumeric characters and/or "
        raise ServiceError("ValidationError", f"{message}the following: +=,.@_-")


def _check_path(path: str) -> None:
    if len(path) > 512:
        _refuse_value("path", path, "Member must have length less than or equal to 512")
    if path and not _PATH.fullmatch(path):
        message = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
        raise ServiceError("ValidationError", f"{message}characters and/or / characters.")


def _check_tags(tags: list[tuple[str, str]]) -> None:
    if len(tags) > _TAGS:
        _refuse_value("tags", f"{len(tags)} tags", f"Member must have length less than or equal to {_TAGS}")
    for number, tag in enumerate(tags, 1):
        for member, text, longest in zip(("key", "value"), tag, (128, 256), strict=True):
            where = f"tags.{number}.member.{member}"
            if len(text) > longest:
                _refuse_value(where, text, f"Member must have length less than or equal to {longest}")
            if not all(sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LNZ" for sign in text):
                pattern = r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]"
                _refuse_value(where, text, f"{pattern}{'+' if member == 'key' else '*'}")
        if tag[0].lower().startswith("aws:"):
            message = f"Tag key {tag[0]} is invalid: the prefix aws: is reserved for AWS"
            raise ServiceError("InvalidInput", message)


def _check_trust(document: str) -> None:
    _check_grammar(trust_problem(document))
    _check_quota("ACLSizePerRole", _size(document), _TRUST_POLICY_SIZE)


def _check_grammar(problem: str | None) -> None:
    if problem:
        raise ServiceError("MalformedPolicyDocument", problem)


def _check_boundary(policy: str) -> None:
    _check_exists(policy, f"Scope ARN: {policy} does not exist or is not attachable.")


def _check_exists(policy: str, message: str) -> None:
    if policy.startswith("arn:aws:iam::aws:policy/"):  # ministack does not know all of them.
        return
    try:
        ministack_bridge.call("iam", "GetPolicy", {"PolicyArn": policy})
    except ServiceError as error:
        raise ServiceError(error.code, message) from error


def _check_quota(quota: str, used: int, limit: int) -> None:
    if used > limit:
        raise ServiceError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}")


def _refuse_value(member: str, value: str, constraint: str) -> None:
    message = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    raise ServiceError("ValidationError", message)


def _inline_policies(kind: str, entity: str) -> list[str]:
    operation = f"List{kind}Policies"
    answer = ministack_bridge.call("iam", operation, {f"{kind}Name": entity})
    return [str(name) for name in answer[f"{operation}Result"]["PolicyNames"] or []]


def _inline_policy(kind: str, entity: str, name: str) -> str:
    given = {f"{kind}Name": entity, "PolicyName": name}
    return unquote(ministack_bridge.call("iam", f"Get{kind}Policy", given)[f"Get{kind}PolicyResult"]["PolicyDocument"])


def _size(document: str) -> int:
    """The characters of a document that count: IAM leaves out white space."""
    return len(re.sub(r"\s", "", document))


def _tags(parameters: Document) -> Iterator[tuple[str, str]]:
    number = 1
    while f"Tags.member.{number}.Key" in parameters:
        yield parameter(parameters, f"Tags.member.{number}.Key"), parameter(parameters, f"Tags.member.{number}.Value")
        number += 1
