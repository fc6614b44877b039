"""Lets calls of roles pass only with the permissions that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from scaffold.engine.credentials import Credentials
from scaffold.iam.policies import NotEvaluated, Request, refusal
from scaffold.local.ministack_bridge import secret_arn, task_roles
from scaffold.local.permissions import answers
from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.assumption import trusting
from scaffold.local.permissions.bucket_needs import Ask, bucket_needs
from scaffold.local.permissions.code_reviews import FindReviewed, review_needs
from scaffold.local.permissions.needs import Need, NotRehearsed, needs_of, passed_role, registry_needs
from scaffold.local.permissions.roles import Permissions, Roles
from scaffold.local.permissions.sessions import Session, Sessions
from scaffold.local.protocol import ACCOUNT, ROOT

#: The tags of a resource by its ARN; None where they are not known.
TagsOf = Callable[[str], Mapping[str, str] | None]

#: The condition keys that are evaluated, in lower case; a key with a slash at its end stands for all that start so.
#: Those that a request does not set are not in it. `aws:ResourceTag/` is evaluated where the tags are known.
EVALUATED: tuple[str, ...] = (
    "acm:domainnames",
    "acm:validationmethod",
    "application-autoscaling:service-namespace",
    "aws:calledvia",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:tagkeys",
    "aws:userid",
    "cloudformation:changesetname",
    "cloudwatch:namespace",
    "codecommit:references",
    "ec2:createaction",
    "ecs:createaction",
    "elasticloadbalancing:createaction",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "route53:changeresourcerecordsetsnormalizedrecordnames",
    "route53:changeresourcerecordsetsrecordtypes",
    "s3:if-none-match",
    "s3:prefix",
    "sts:rolesessionname",
)
#: Keys that the requests of an action always set. Where the value is not known here, a decision cannot depend on it.
_ALWAYS_SET = {"cloudwatch:PutMetricData": "cloudwatch:namespace"}
# Parameters of AssumeRole with which the session would have other permissions or tags than its role.
_SESSION_SETTINGS = ("Policy", "Tags", "TransitiveTagKeys", "SourceIdentity")


class Denied(Exception):
    """A role lacks a permission. The text is AWS's message."""


class Guard:
    """Decides about the calls of roles. May be used from any thread.

    Args:
        tags: How the tags of resources are found.
        reviewed: How the pull requests and comments are found that calls name.
    """

    def __init__(self, tags: TagsOf, reviewed: FindReviewed) -> None:
        self._sessions = Sessions()
        self._roles = Roles()
        self._tags = tags
        self._reviewed = reviewed

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
        """Whether a request may be a role's, or may ask for a role's credentials."""
        basic = request.headers.get("authorization", "").startswith("Basic ")
        return basic or request.service == "sts" or self._sessions.of_key(request.access_key) is not None

    async def answer(self, request: ApiRequest, ask: Ask) -> answers.Answer | None:
        """The response to a request that is not passed on, such as an error for one without permission.

        Args:
            ask: Asks S3 without permissions.
        """
        if request.headers.get("authorization", "").startswith("Basic "):
            return self._registry_answer(request)
        session = self._sessions.of_key(request.access_key)
        assumes = (request.service, request.operation) == ("sts", "AssumeRole")
        if session is None:
            return self._assumed(request, None) if assumes else None
        if request.token != session.credentials.token:
            code, message = "UnrecognizedClientException", "The security token included in the request is invalid."
            return answers.error(code, message, request.protocol, request.method)
        if (request.service, request.operation) == ("sts", "GetCallerIdentity"):
            return answers.caller_identity(session)
        try:
            needs = await self._needs(request, ask)
            self._check(session, request.region, needs, self._roles.permissions_of(session.role, request.region))
            if assumes:
                return self._assumed(request, session)
        except (Denied, NotRehearsed) as error:
            return answers.access_denied(_message(session, error), request.protocol, request.method)
        if (request.service, request.operation) == ("ecr", "GetAuthorizationToken"):
            return answers.registry_token(session, request.region)
        return None

    async def _needs(self, request: ApiRequest, ask: Ask) -> list[Need]:
        if request.service == "s3":
            return await bucket_needs(request, ask)
        found = review_needs(request, self._reviewed)
        if found is not None:
            return found
        found = needs_of(request, secret_arn)
        if (request.service, request.operation) == ("ecs", "RunTask"):
            roles = task_roles(str(request.parameters.get("taskDefinition", "")), request.region)
            found += [passed_role(role, "ecs-tasks.amazonaws.com") for role in roles]
        return found

    def _assumed(self, request: ApiRequest, caller: Session | None) -> answers.Answer:
        """The credentials of a role. Every role trusts local AWS's own credentials.

        Args:
            caller: The session that asks for them; None for local AWS's own credentials.
        """
        given, protocol = request.parameters, request.protocol
        role_arn, name = str(given.get("RoleArn", "")), str(given.get("RoleSessionName", ""))
        if more := next((one for one in given if one.startswith(_SESSION_SETTINGS)), ""):
            return answers.access_denied(f"Local AWS denies sts:AssumeRole, not rehearsed: {more}", protocol, "POST")
        if not name or not self._is_trusted(role_arn, name, caller, request.region):
            who = caller.arn if caller else ROOT
            refused = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            return answers.access_denied(refused, protocol, "POST")
        return answers.assumed_role(self._sessions.assume(role_arn, name), int(given.get("DurationSeconds", 3600)))

    def _is_trusted(self, role_arn: str, name: str, caller: Session | None, region: str) -> bool:
        """Whether the trust policy of a role, if there is one, lets a caller assume it in a session with this name.

        Raises:
            NotRehearsed: The policy cannot be evaluated.
        """
        trust = self._roles.trust_of(role_arn, region)
        if trust is None or caller is None:
            return trust is not None
        need = Need("sts:AssumeRole", role_arn, {"sts:RoleSessionName": name})
        try:
            return not refusal(self._request(caller, region, need), trusting(trust, caller))
        except NotEvaluated as error:
            raise NotRehearsed(f"sts:AssumeRole with {error} in the trust policy of {role_arn}") from error

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
            "aws:ResourceAccount": ACCOUNT,  # There is only one.
            "aws:SecureTransport": "true",
            "aws:userid": session.user_id,
            **need.context,
        }
        known = EVALUATED
        tags = self._tags(need.resource)
        if tags is not None:
            context |= {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
            known = (*known, "aws:resourcetag/")
        left_open = _ALWAYS_SET.get(need.action)
        return Request(need.action, need.resource, context, lambda key: key == left_open or not _listed(key, known))


def _listed(key: str, known: Iterable[str]) -> bool:
    return any(key.startswith(one) if one.endswith("/") else key == one for one in known)


def _message(session: Session, error: Denied | NotRehearsed) -> str:
    if isinstance(error, Denied):
        return str(error)
    return f"Local AWS denies a call of {session.role}, not rehearsed: {error}"
