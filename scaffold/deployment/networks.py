"""The networks that a service's files name, compared with those that its environments run in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.core.errors import ScaffoldError
from scaffold.service.service import Service
from scaffold.service.stack_kinds import ENVIRONMENT, NETWORK, SERVICE, StackId, StackKind

# What a load balancer needs in each of its subnets.
LOAD_BALANCER_ADDRESSES = 8
_OWN = "a VPC of its own"


@dataclass(frozen=True)
class NetworkWarning:
    """What is probably not intended in a network.

    Attributes:
        environment: Whose network it is; None for that of the builds.
        problem: `overlap` with the VPC that is the resource, or `no-internet-gateway` for the subnet that is. Of
            builds, `no-default-route` for a subnet, or `left` with the command for a project that has left its VPC.
        blocks: With an overlap, the environment's block and that of the VPC.
    """

    environment: str | None
    problem: str
    resource: str
    blocks: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The problem, and what to do."""
        if self.problem == "overlap":
            own, other = self.blocks
            return (
                f"The VPC of {self.environment} ({own}) will overlap {self.resource} ({other}), so the two cannot be "
                f"connected later. To avoid that, answer vpc_cidr for {self.environment} in environment_overrides "
                "before its first release."
            )
        if self.problem == "no-default-route":
            return (
                f"The subnet {self.resource} of the builds has no default route: builds hang unless VPC endpoints or a "
                "proxy lead to npm, public.ecr.aws, ECR, S3, CloudWatch Logs and CodeCommit."
            )
        if self.problem == "left":
            return (
                f"CloudFormation leaves the VPC in a project that has left it: run `{self.resource}`, unless you have "
                "done so, before you delete the stack of the VPC."
            )
        return (
            f"The public subnet {self.resource} of {self.environment} has no default route to an internet gateway: "
            "requests from the internet do not reach the load balancer there, and AWS refuses it in a VPC without an "
            "internet gateway. Add the route to its route table."
        )


@dataclass(frozen=True)
class OwnNetwork:
    """The VPC of an environment's own that its network stack will create."""

    environment: str
    block: IPv4Network


@dataclass(frozen=True)
class ExistingNetwork:
    """An existing VPC in which an environment's load balancer or tasks are not yet.

    Attributes:
        internal: Whether its load balancer is internal, and so in private subnets.
        public_subnets: Those of the load balancer.
        new_public_subnets: Those in which the load balancer is not yet.
        new_tasks: Whether the tasks are in other subnets, or in none.
        running_subnets: Those in which the tasks run until the release of the service has ended.
    """

    environment: str
    vpc: str
    internal: bool
    public_subnets: tuple[str, ...]
    task_subnets: tuple[str, ...]
    max_tasks: int
    new_public_subnets: tuple[str, ...]
    new_tasks: bool
    running_subnets: tuple[str, ...]

    @property
    def subnets(self) -> tuple[str, ...]:
        """All of its subnets."""
        return tuple(dict.fromkeys((*self.public_subnets, *self.task_subnets)))

    @property
    def demand(self) -> Counter[str]:
        """The free addresses that it needs in each subnet. A release runs up to twice as many tasks."""
        needed: Counter[str] = Counter()
        needed.update(dict.fromkeys(self.new_public_subnets, LOAD_BALANCER_ADDRESSES))
        if self.new_tasks:
            needed.update(dict.fromkeys(self.task_subnets, -(-2 * self.max_tasks // len(self.task_subnets))))
        return needed


def new_networks(service: Service, existing: Mapping[str, Stack]) -> tuple[list[OwnNetwork], list[ExistingNetwork]]:
    """The networks in which something is still to be created.

    Args:
        existing: The account's stacks, by name.

    Raises:
        ScaffoldError: An environment would move to another VPC, or its VPC to other addresses.
    """
    own: list[OwnNetwork] = []
    given: list[ExistingNetwork] = []
    for environment in service.environments:
        block = _block(_parameters(service, NETWORK, environment).get("VpcCidr", ""))
        deployed = _deployed(service, NETWORK, environment, existing)
        if block and deployed is None:
            own.append(OwnNetwork(environment, block))
        elif block and deployed and (before := _block(deployed.get("VpcCidr", ""))) != block:
            raise _moved(environment, f"the network {before}", f"the network {block}", "vpc_cidr")
        if network := _existing_network(service, environment, existing):
            given.append(network)
    return own, given


def _existing_network(service: Service, environment: str, existing: Mapping[str, Stack]) -> ExistingNetwork | None:
    placed, run = (_parameters(service, kind, environment) for kind in (ENVIRONMENT, SERVICE))
    vpc = placed.get("VpcId", "")
    deployed, running = (_deployed(service, kind, environment, existing) for kind in (ENVIRONMENT, SERVICE))
    if deployed is not None and deployed.get("VpcId", "") != vpc:
        raise _moved(environment, deployed.get("VpcId", "") or _OWN, vpc or _OWN, "vpc_id")
    public, tasks = ids(placed.get("PublicSubnetIds", "")), ids(run.get("SubnetIds", ""))
    public_before = ids((deployed or {}).get("PublicSubnetIds", ""))
    running_subnets = ids((running or {}).get("SubnetIds", ""))
    new_tasks = running_subnets != tasks
    if not vpc or not tasks or (public == public_before and not new_tasks):
        return None
    return ExistingNetwork(
        environment=environment,
        vpc=vpc,
        internal=_is_internal(service),
        public_subnets=public,
        task_subnets=tasks,
        max_tasks=int(most) if (most := run.get("MaxTasks", "")).isdecimal() else 1,
        new_public_subnets=tuple(subnet for subnet in public if subnet not in public_before),
        new_tasks=new_tasks,
        running_subnets=running_subnets,
    )


def _is_internal(service: Service) -> bool:
    """Whether the load balancers of the service have no public addresses, by their template."""
    template = service.infrastructure / "environment.yaml"
    return template.is_file() and bool(re.search(r"^ *Scheme: internal\b", template.read_text("utf-8"), re.MULTILINE))


def _parameters(service: Service, kind: StackKind, environment: str) -> dict[str, str]:
    return templates.given_parameters(service, StackId(kind, environment))


def _deployed(
    service: Service, kind: StackKind, environment: str, existing: Mapping[str, Stack]
) -> dict[str, str] | None:
    """The parameters of an environment's stack, if it was ever released."""
    stack = existing.get(StackId(kind, environment).name(service.app_name))
    return stack.parameters if stack and stack.released else None


def _block(text: str) -> IPv4Network | None:
    """None for what CloudFormation will refuse."""
    try:
        return IPv4Network(text)
    except ValueError:
        return None


def ids(text: str) -> tuple[str, ...]:
    """The ids in a parameter."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _moved(environment: str, before: str, after: str, question: str) -> ScaffoldError:
    return ScaffoldError(
        f"{environment} runs in {before} and cannot move to {after}: its load balancer cannot be moved.",
        f"Delete it first with `scaffold destroy --environment {environment}`, then run the same command again; or "
        f"change {question} back to keep it.",
    )
