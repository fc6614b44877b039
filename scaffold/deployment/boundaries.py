"""Boundaries and deploy roles keep what deployed stacks use: only the pipeline changes these stacks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.cloudformation.templates import StackSpec, parse
from scaffold.core.errors import ScaffoldError
from scaffold.iam.grants import Grant, Limit, grants
from scaffold.iam.policies import as_list
from scaffold.service import names
from scaffold.service.stack_kinds import DEPLOY_OPTIONS, DEPLOY_ROLE, PERMISSIONS, Deployer, identify

#: Gives the deployed template of a stack.
Read = Callable[[Stack], Any]

# The stacks with policies of the deploy role of an environment.
_DEPLOY = (DEPLOY_ROLE, DEPLOY_OPTIONS)
_MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
_ROLE = "AWS::IAM::Role"
# The prefixes of actions that differ from the service's name in CloudFormation, but for hyphens.
_PREFIXES = {
    "AmazonMQ": "mq",
    "ApiGatewayV2": "apigateway",
    "CertificateManager": "acm",
    "DocDB": "rds",
    "EFS": "elasticfilesystem",
    "EMR": "elasticmapreduce",
    "ElasticLoadBalancingV2": "elasticloadbalancing",
    "Elasticsearch": "es",
    "KinesisFirehose": "firehose",
    "MSK": "kafka",
    "Neptune": "rds",
    "OpenSearchServerless": "aoss",
    "OpenSearchService": "es",
    "StepFunctions": "states",
}
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_SHOWN = 3


def check_kept(spec: StackSpec, stack: Stack, existing: Mapping[str, Stack], read: Read) -> None:
    """Refuse a template whose boundary no longer allows what roles of deployed stacks use, or whose deploy role no
    longer has any permission of a service of which they have resources: it could not delete these.

    The deployed template is read only where it differs, those of other stacks only where the boundary loses something.

    Args:
        existing: All stacks by name.
        read: Reads the template of a stack.

    Raises:
        ScaffoldError: A role would lose a permission that it still needs.
    """
    if spec.kind not in (PERMISSIONS, *_DEPLOY) or stack.status in UNFINISHED:
        return
    if stack.parameters.get(names.TEMPLATE_DIGEST, names.UNKNOWN_DIGEST) == spec.digest:
        return
    deployed = _Deployed(existing, read)
    before, after = deployed.template(stack), _Template(spec.parsed, stack, spec.parameters, deployed.exports)
    for output, policy in before.policies_in_outputs():
        old, new = before.limit(policy), after.limit(policy)
        if not old.removed(new):
            continue
        lost = {}
        for user in _users(spec, existing):
            used = deployed.grants_under(stack.outputs.get(output, ""), user)
            if found := sorted({str(one) for one in used if old.loses(new, one)}):
                lost[user.name] = found
        if lost:
            raise _still_used(spec, lost)
    kept = after.services_of_roles() | _granted_beside(spec, existing, deployed)
    if (services := before.services_of_roles() - kept) and "*" not in kept and not after.grants_more_elsewhere:
        for user in _users(spec, existing):
            types = deployed.template(user).types
            if declared := sorted(one for one in types if _served(one, services)):
                raise _still_declared(spec, user, declared)


def _granted_beside(spec: StackSpec, existing: Mapping[str, Stack], deployed: _Deployed) -> set[str]:
    """The services of the other policies of an environment's deploy role, in a stack of their own."""
    stem = spec.name.removesuffix(spec.kind.name)
    beside = [existing.get(f"{stem}{kind.name}") for kind in _DEPLOY if spec.kind in _DEPLOY and kind is not spec.kind]
    return set().union(*(deployed.template(stack).services_of_roles() for stack in beside if stack))


def _served(resource_type: str, prefixes: set[str]) -> bool:
    """Whether actions with one of some prefixes create and delete resources of a type."""
    if not resource_type.startswith("AWS::"):
        return False
    _, service, kind = resource_type.split("::", 2)
    if service == "Cognito":
        return ("cognito-identity" if kind.startswith("IdentityPool") else "cognito-idp") in prefixes
    prefix = _PREFIXES.get(service, service.lower())
    return any(one.replace("-", "") == prefix for one in prefixes)


def _users(spec: StackSpec, existing: Mapping[str, Stack]) -> Iterator[Stack]:
    """The stacks whose roles are under the boundary: those that the pipeline updates, of the same environment."""
    app = spec.tags.get(names.TAG_SERVICE, "")
    own = identify(app, spec.name)
    for name, stack in existing.items():
        other = identify(app, name)
        if own and other and other.environment == own.environment and other.kind.deployer is not Deployer.PERSON:
            yield stack


def _still_used(spec: StackSpec, lost: Mapping[str, list[str]]) -> ScaffoldError:
    found = sorted({one for several in lost.values() for one in several})
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    stacks = ", ".join(sorted(lost))
    return ScaffoldError(
        f"The boundary in infrastructure/{spec.kind.name}.yaml no longer allows {', '.join(found[:_SHOWN])}{more}, "
        f"which roles of {stacks} still have.",
        "If this commit stops using it, merge it to main or push it there with Git, and run `scaffold deploy` after "
        "its release. Otherwise restore it.",
    )


def _still_declared(spec: StackSpec, user: Stack, types: list[str]) -> ScaffoldError:
    more = f" and {len(types) - _SHOWN} more types" if len(types) > _SHOWN else ""
    return ScaffoldError(
        f"The deploy role in infrastructure/{spec.kind.name}.yaml no longer has permissions for "
        f"{', '.join(types[:_SHOWN])}{more}, of which {user.name} has resources.",
        "Restore them, release the commit that deletes these resources first, then remove the permissions and run "
        "`scaffold deploy`.",
    )


class _Deployed:
    """The templates of deployed stacks."""

    def __init__(self, existing: Mapping[str, Stack], read: Read) -> None:
        self._existing = existing
        self._read = read
        self.exports = {
            export: stack.outputs[output] for stack in existing.values() for output, export in stack.exports.items()
        }

    def template(self, stack: Stack) -> _Template:
        """The deployed template of a stack."""
        return _Template(parse(self._read(stack)), stack, stack.parameters, self.exports)

    def grants_under(self, boundary: str, stack: Stack) -> Iterator[Grant]:
        """What the policies allow of a stack's roles under a boundary, by its ARN. AWS's own policies are left out."""
        template = self.template(stack)
        for logical_id, properties in template.of_type(_ROLE):
            if template.text(properties.get("PermissionsBoundary")) != boundary:
                continue
            yield from template.grants_of(logical_id, properties)
            for attached in as_list(properties.get("ManagedPolicyArns") or []):
                yield from self._of_policy(template.text(attached))

    def _of_policy(self, arn: str | None) -> Iterator[Grant]:
        """What a managed policy of another stack allows, found by its ARN among the outputs."""
        for stack in self._existing.values():
            if arn and arn in stack.outputs.values():
                template = self.template(stack)
                for output, policy in template.policies_in_outputs():
                    if stack.outputs.get(output) == arn:
                        yield from template.granted(policy)
                return


class _Template:
    """A template whose functions are evaluated as far as parameters and exports are enough.

    Args:
        body: As `parse` returns it, where `!Ref X`, `!GetAtt X.Y` and `!Sub X` are texts.
        stack: The stack, for pseudo parameters.
        exports: The values of exports by name.
    """

    def __init__(
        self, body: Mapping[str, Any], stack: Stack, parameters: Mapping[str, str], exports: Mapping[str, str]
    ) -> None:
        self._resources = {key: one for key, one in _mapping(body.get("Resources")).items() if isinstance(one, dict)}
        self._outputs = {key: one for key, one in _mapping(body.get("Outputs")).items() if isinstance(one, dict)}
        self._exports = exports
        _, partition, _, region, account, _ = stack.id.split(":", 5)
        self._values = {
            **parameters,
            "AWS::AccountId": account,
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::StackName": stack.name,
        }

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The resources of some types, as logical id and properties."""
        for logical_id, resource in self._resources.items():
            if resource.get("Type") in types:
                yield logical_id, _mapping(resource.get("Properties"))

    @property
    def types(self) -> set[str]:
        """The types of the resources that it always has."""
        return {str(one.get("Type")) for one in self._resources.values() if "Condition" not in one}

    @property
    def grants_more_elsewhere(self) -> bool:
        """Whether its roles may have permissions that `services_of_roles` does not know."""
        policies = {logical_id for logical_id, _ in self.of_type(_MANAGED_POLICY)} | {"AWS::NoValue"}
        for logical_id, properties in self.of_type(_ROLE):
            attached = list(as_list(properties.get("ManagedPolicyArns") or []))
            while attached:
                one = attached.pop()
                if isinstance(one, dict) and "Fn::If" in one:
                    attached += as_list(one["Fn::If"])[1:]
                elif isinstance(one, list):
                    attached += one
                elif _referred(one) not in policies:
                    return True
            documents = self._documents_of(logical_id, properties)
            if any("NotAction" in one for document in documents for one in _statements(document)):
                return True
        return False

    def services_of_roles(self) -> set[str]:
        """The prefixes of the actions that policies for its roles allow: all but its boundaries."""
        boundaries = {policy for _, policy in self.policies_in_outputs()}
        policies = {logical_id for logical_id, _ in self.of_type(_MANAGED_POLICY)} - boundaries
        allowed = [grant for policy in policies for grant in self.granted(policy)]
        for logical_id, properties in self.of_type(_ROLE):
            allowed += self.grants_of(logical_id, properties)
        return {grant.action.partition(":")[0].lower() for grant in allowed}

    def policies_in_outputs(self) -> Iterator[tuple[str, str]]:
        """The outputs that are managed policies, with the policies' logical ids."""
        policies = dict(self.of_type(_MANAGED_POLICY))
        for name, output in self._outputs.items():
            value = output.get("Value")
            referred = value.get("Ref") if isinstance(value, dict) else value
            if isinstance(referred, str) and referred in policies:
                yield name, referred

    def limit(self, policy: str) -> Limit:
        """What a managed policy sets as a boundary; it allows nothing if the template lacks it."""
        return Limit.of(list(self._statements_of(policy)), self.text)

    def granted(self, policy: str) -> Iterator[Grant]:
        """What a managed policy allows."""
        return grants(self._statements_of(policy), "Allow", self.text)

    def grants_of(self, role: str, properties: Mapping[str, Any]) -> Iterator[Grant]:
        """What the policies of this template allow a role."""
        for document in self._documents_of(role, properties):
            yield from grants(_statements(document), "Allow", self.text)

    def _documents_of(self, role: str, properties: Mapping[str, Any]) -> list[Any]:
        """The policies of a role in this template: inline ones, listed ones, and those that list the role."""
        documents = [_mapping(one).get("PolicyDocument") for one in as_list(properties.get("Policies") or [])]
        listed = [_referred(one) for one in as_list(properties.get("ManagedPolicyArns") or [])]
        for logical_id, policy in self.of_type(_MANAGED_POLICY, "AWS::IAM::Policy"):
            roles = [_referred(one) for one in as_list(policy.get("Roles") or [])]
            if logical_id in listed or role in roles:
                documents.append(policy.get("PolicyDocument"))
        return documents

    def _statements_of(self, policy: str) -> Iterator[dict[str, Any]]:
        return _statements(dict(self.of_type(_MANAGED_POLICY)).get(policy, {}).get("PolicyDocument"))

    def text(self, value: Any) -> str | None:
        """A value as text; None where it depends on a resource or on functions that are not evaluated here."""
        if isinstance(value, dict) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Fn::ImportValue":
                return self._exports.get(self.text(argument) or "")
            return self.text(argument) if function in ("Fn::Sub", "Ref") else None
        if not isinstance(value, str) or value.partition(".")[0] in self._resources:
            return None
        if value in self._values:
            return self._values[value]
        found = _PLACEHOLDER.sub(lambda one: self._values.get(one[1], one[0]), value)
        return None if "${" in found else found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _referred(value: Any) -> Any:
    return value.get("Ref") if isinstance(value, dict) else value


def _statements(document: Any) -> Iterator[dict[str, Any]]:
    """The statements of a policy document, of all branches of conditions."""
    found = list(as_list(_mapping(document).get("Statement") or []))
    while found:
        one = found.pop(0)
        if isinstance(one, list):  # !If
            found[:0] = one
        elif isinstance(one, dict) and "Fn::If" in one:
            found[:0] = as_list(one["Fn::If"])
        elif isinstance(one, dict):
            yield one
