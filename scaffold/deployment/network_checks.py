"""Whether new environments and builds can be in their networks, looked at before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import networks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.networks import Subnet, Vpc
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.build_network import check_build_network
from scaffold.deployment.networks import (
    LOAD_BALANCER_ADDRESSES,
    ExistingNetwork,
    NetworkWarning,
    OwnNetwork,
    new_networks,
)
from scaffold.deployment.refused_answer import refused
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DEPLOY_ROLE, StackId


def check_networks(session: Session, service: Service, existing: Mapping[str, Stack]) -> tuple[NetworkWarning, ...]:
    """Refuse networks in which an environment cannot be created or builds cannot run. What stays is not looked up.

    Args:
        existing: The account's stacks, by name.

    Raises:
        ScaffoldError: A VPC or a subnet does not exist or does not fit, or an environment or the builds would move to
            another VPC.
    """
    environments = _check_environments(session, service, existing)
    return (*environments, *check_build_network(session, service, existing))


def _check_environments(
    session: Session, service: Service, existing: Mapping[str, Stack]
) -> tuple[NetworkWarning, ...]:
    own, given = new_networks(service, existing)
    # A warning is said once, before the environment's first stack.
    own = [one for one in own if StackId(DEPLOY_ROLE, one.environment).name(service.app_name) not in existing]
    if not given:
        return _overlaps(service, own, _visible_vpcs(session)) if own else ()
    vpcs = networks.vpcs(session)
    looked_up = (subnet for network in given for subnet in (*network.subnets, *network.running_subnets))
    subnets = networks.subnets(session, looked_up)
    for network in given:
        _check_existence(session, network, vpcs, subnets)
        _check_load_balancer_zones(network, subnets)
        _check_task_zones(network, subnets)
        _check_running_tasks(network, subnets)
    _check_free_addresses(given, subnets)
    return (*_overlaps(service, own, vpcs), *_unreachable(session, given))


def _visible_vpcs(session: Session) -> dict[str, Vpc]:
    """No VPCs without the permission to list them: for a warning alone, the deployment does not need it."""
    try:
        return networks.vpcs(session, attempts=1)
    except (BotoCoreError, ClientError):
        return {}


def _overlaps(service: Service, own: Sequence[OwnNetwork], vpcs: Mapping[str, Vpc]) -> tuple[NetworkWarning, ...]:
    return tuple(
        NetworkWarning(network.environment, "overlap", vpc.id, (str(network.block), str(block)))
        for network in own
        for vpc in vpcs.values()
        # One answer for all environments is a choice to overlap, and a failed creation may have left a VPC.
        if vpc.tags.get(names.TAG_SERVICE) != service.app_name
        for block in vpc.blocks
        if network.block.overlaps(block)
    )


def _unreachable(session: Session, given: Sequence[ExistingNetwork]) -> tuple[NetworkWarning, ...]:
    return tuple(
        NetworkWarning(network.environment, "no-internet-gateway", subnet)
        for network in given
        if not network.internal
        for subnet in networks.without_internet_gateway(session, network.vpc, network.public_subnets)
    )


def _check_existence(
    session: Session, network: ExistingNetwork, vpcs: Mapping[str, Vpc], subnets: Mapping[str, Subnet]
) -> None:
    if network.vpc not in vpcs:
        raise refused(
            f"The VPC {network.vpc} of {network.environment} does not exist in account {session.account}, "
            f"{session.region}.",
            "vpc_id",
        )
    for subnet in network.subnets:
        place = subnets[subnet].vpc if subnet in subnets else None
        if place != network.vpc:
            fault = f"belongs to {place}, not to {network.vpc}" if place else f"does not exist in {session.region}"
            public = subnet in network.public_subnets and not network.internal
            question = "public_subnet_ids" if public else "private_subnet_ids"
            raise refused(f"The subnet {subnet} of {network.environment} {fault}.", question)


def _check_load_balancer_zones(network: ExistingNetwork, subnets: Mapping[str, Subnet]) -> None:
    first: dict[str, str] = {}
    for subnet in network.public_subnets:
        zone = subnets[subnet].zone
        if zone in first:
            raise refused(
                f"The {'private' if network.internal else 'public'} subnets {first[zone]} and {subnet} of "
                f"{network.environment} are both in {zone}, and a load balancer takes one subnet of an Availability "
                "Zone.",
                "private_subnet_ids" if network.internal else "public_subnet_ids",
            )
        first[zone] = subnet


def _check_task_zones(network: ExistingNetwork, subnets: Mapping[str, Subnet]) -> None:
    served = {subnets[subnet].zone for subnet in network.public_subnets}
    for subnet in network.task_subnets:
        if subnets[subnet].zone not in served:
            raise refused(
                f"The private subnet {subnet} of {network.environment} is in {subnets[subnet].zone}, where the load "
                "balancer has no subnet and sends no requests.",
                "private_subnet_ids",
            )
    zones = {subnets[subnet].zone for subnet in network.task_subnets}
    if len(zones) == 1:
        raise refused(
            f"The private subnets of {network.environment} are all in {zones.pop()}, and tasks need two Availability "
            "Zones to survive the loss of one.",
            "private_subnet_ids",
        )


def _check_running_tasks(network: ExistingNetwork, subnets: Mapping[str, Subnet]) -> None:
    """The load balancer leaves a zone before the service does, in production even before the approval."""
    served = {subnets[subnet].zone for subnet in network.public_subnets}
    for subnet in network.running_subnets:
        if subnet in subnets and subnets[subnet].zone not in served:
            raise ScaffoldError(
                f"The tasks of {network.environment} run in {subnets[subnet].zone} until its next release has ended, "
                "and the load balancer would leave that zone before.",
                "Keep the public subnet of that zone in public_subnet_ids for one release, and remove it in the next.",
            )


def _check_free_addresses(given: Sequence[ExistingNetwork], subnets: Mapping[str, Subnet]) -> None:
    """Environments may share subnets, so their demands add up."""
    needed: Counter[str] = Counter()
    for network in given:
        needed += network.demand
        for subnet in network.subnets:
            free = subnets[subnet].free
            if needed[subnet] > free:
                raise ScaffoldError(
                    f"The subnet {subnet} has {free} free addresses, and {network.environment} needs {needed[subnet]}: "
                    f"a release runs up to twice max_tasks ({network.max_tasks}), and a load balancer takes "
                    f"{LOAD_BALANCER_ADDRESSES} addresses in each of its subnets.",
                    "Name larger or more subnets, or lower max_tasks in environment_overrides, commit, and run the "
                    "same command again.",
                )
