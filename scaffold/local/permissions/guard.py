"""Lets calls of roles pass only with the permissions that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from scaffold.engine.credentials import Credentials
from scaffold.iam.policies import NotEvaluated, Request, refusal
from scaffold.local.ministack_bridge import secret_arn
from scaffold.local.permissions import answers
from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.bucket_needs import Ask, bucket_needs
from scaffold.local.permissions.needs import Need, NotRehearsed, needs_of, registry_needs
from scaffold.local.permissions.roles import Permissions, Roles
from scaffold.local.permissions.sessions import Session, Sessions
from scaffold.local.protocol import ACCOUNT

#: The tags of a resource by its ARN; None where they are not known.
TagsOf = Callable[[str], Mapping[str, str] | None]

#: The condition keys that are evaluated, in lower case; a key with a slash at its end stands for all that start so.
#: Those that a request does not set are not in it. `aws:ResourceTag/` is evaluated where the tags are known.
EVALUATED: tuple[str, ...] = (
    "application-autoscaling:service-namespace",
    "aws:calledvia",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:tagkeys",
    "cloudformation:changesetname",
    "codecommit:references",
    "ec2:createaction",
    "ecs:createaction",
    "elasticloadbalancing:createaction",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "s3:if-none-match",
    "s3:prefix",
)


class Denied(Exception):
    """A role lacks a permission. The text is AWS's message."""


class Guard:
    """Decides about the calls of roles. May be used from any thread.

    Args:
        tags: How the tags of resources are found.
    """

    def __init__(self, tags: TagsOf) -> None:
        self._sessions = Sessions()
        self._roles = Roles()
        self._tags = tags

    def assume(self, role_arn: str, session: str) -> Credentials:
        """The credentials of a role."""
        return self._sessions.assume(role_arn, session).credentials

    def session_of(self, access_key: str) -> Session | None:
        """Whose access key it is; None for local AWS's own."""
        return self._sessions.of_key(access_key)

    def require(self, role_arn: str, session: str, region: str, needs: Iterable[Need]) -> None:
        """Check a call that a service makes for a role within local AWS.

        Raises:
            Denied: The role lacks a permission.
        """
        found = self._sessions.assume(role_arn, session)
        try:
            self._check(found, region, needs, self._roles.permissions_of(found.role, region))
        except NotRehearsed as error:
            raise Denied(_message(found, error)) from error

    def require_all(self, role_arn: str, session: str, region: str, needs: Callable[[], Iterable[Need]]) -> None:
        """Check the calls that CloudFormation makes with a role. A role that may do everything may make any call.

        Args:
            needs: Gives the permissions; raises NotRehearsed where they are not known.

        Raises:
            Denied: The role lacks a permission.
        """
        found = self._sessions.assume(role_arn, session)
        permissions = self._roles.permissions_of(found.role, region)
        if permissions.unlimited:
            return
        try:
            self._check(found, region, needs(), permissions)
        except NotRehearsed as error:
            raise Denied(_message(found, error)) from error

    def concerns(self, request: ApiRequest) -> bool:
        """Whether a request may be a role's."""
        basic = request.headers.get("authorization", "").startswith("Basic ")
        return basic or self._sessions.of_key(request.access_key) is not None

    async def answer(self, request: ApiRequest, ask: Ask) -> answers.Answer | None:
        """The response to a request that is not passed on, such as an error for one without permission.

        Args:
            ask: Asks S3 without permissions.
        """
        if request.headers.get("authorization", "").startswith("Basic "):
            return self._registry_answer(request)
        session = self._sessions.of_key(request.access_key)
        if session is None:
            return None
        if request.token != session.credentials.token:
            code, message = "UnrecognizedClientException", "The security token included in the request is invalid."
            return answers.error(code, message, request.protocol, request.method)
        if (request.service, request.operation) == ("sts", "GetCallerIdentity"):
            return answers.caller_identity(session)
        try:
            needs = await bucket_needs(request, ask) if request.service == "s3" else needs_of(request, secret_arn)
            self._check(session, request.region, needs, self._roles.permissions_of(session.role, request.region))
        except (Denied, NotRehearsed) as error:
            return answers.access_denied(_message(session, error), request.protocol, request.method)
        if (request.service, request.operation) == ("ecr", "GetAuthorizationToken"):
            return answers.registry_token(session, request.region)
        return None

    def _registry_answer(self, request: ApiRequest) -> answers.Answer | None:
        session, region = self._sessions.of_registry_token(request.headers["authorization"].partition(" ")[2])
        if session is None:
            return None
        try:
            needs = registry_needs(request.method, request.path, request.arguments, region)
            self._check(session, region, needs, self._roles.permissions_of(session.role, region))
        except (Denied, NotRehearsed) as error:
            return answers.registry_denied(_message(session, error))
        return None

    def _check(self, session: Session, region: str, needs: Iterable[Need], permissions: Permissions) -> None:
        for need in needs:
            request = self._request(session, region, need)
            try:
                why = refusal(request, permissions.identity, permissions.boundary)
            except NotEvaluated as error:
                raise NotRehearsed(f"{need.action} with {error} in a policy of {session.role}") from error
            if why:
                what = f"{need.action} on resource: {need.resource}"
                raise Denied(f"User: {session.arn} is not authorized to perform: {what} {why}")

    def _request(self, session: Session, region: str, need: Need) -> Request:
        context = {
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalArn": session.role_arn,
            "aws:RequestedRegion": region,
            "aws:SecureTransport": "true",
            **need.context,
        }
        known = EVALUATED
        tags = self._tags(need.resource)
        if tags is not None:
            context |= {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
            known = (*known, "aws:resourcetag/")
        if need.action == "cloudwatch:PutMetricData":
            return Request(need.action, need.resource, context, lambda key: not _listed(key, known))
        # Only PutMetricData has a namespace.
        return Request(need.action, need.resource, context, lambda key: not _listed(key, (*known, _NAMESPACE)))


_NAMESPACE = "cloudwatch:namespace"


def _listed(key: str, known: Iterable[str]) -> bool:
    return any(key.startswith(one) if one.endswith("/") else key == one for one in known)


def _message(session: Session, error: Denied | NotRehearsed) -> str:
    if isinstance(error, Denied):
        return str(error)
    return f"Local AWS denies a call of {session.role}, not rehearsed: {error}"
