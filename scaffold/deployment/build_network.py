"""Whether builds can run in the VPC that the answers name, looked at before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping

from scaffold.aws import networks
from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.networks import DefaultRoute
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.networks import NetworkWarning, ids
from scaffold.service.build_vpc import leave_commands, tests_leave_commands
from scaffold.service.service import Service
from scaffold.service.stack_kinds import BUILD, BUILD_VPC, TESTS, StackId


def check_build_network(
    session: Session, service: Service, existing: Mapping[str, Stack]
) -> tuple[NetworkWarning, ...]:
    """Refuse subnets in which builds would hang. For builds that stay where they are, nothing is looked up.

    Args:
        existing: The account's stacks, by name.

    Raises:
        ScaffoldError: The VPC or a subnet does not exist or does not fit, the builds would move to another VPC, or they
            leave theirs: that takes a release before the permissions change.
    """
    network, builds = (existing.get(StackId(kind).name(service.app_name)) for kind in (BUILD_VPC, BUILD))
    before = ids(builds.parameters.get("SubnetIds", "")) if builds else ()
    left = _left(service, existing)
    if BUILD_VPC not in service.optional_kinds:
        commands = (*leave_commands(service.app_name, service.region), *left)
        if before:
            raise ScaffoldError(
                f"This commit takes the builds of {service.app_name} out of their VPC, which CloudFormation leaves in "
                "their projects; and their roles have to change before the permissions.",
                f"Run {' and '.join(f'`{one}`' for one in commands)}, merge the commit to main or push it there with "
                "Git, and run the same command after its release.",
            )
        return tuple(NetworkWarning(None, "left", one) for one in commands) if network else ()
    vpc = templates.given_parameters(service, StackId(BUILD_VPC)).get("VpcId", "")
    subnets = ids(templates.given_parameters(service, StackId(BUILD)).get("SubnetIds", ""))
    running_in = network.parameters.get("VpcId", "") if network and network.released else ""
    if running_in and running_in != vpc:
        raise ScaffoldError(
            f"Builds run in {running_in} and cannot move to {vpc}: other stacks import the security groups.",
            "Answer none for build_network, release that, delete the stack "
            f"{StackId(BUILD_VPC).name(service.app_name)}, and answer vpc again.",
        )
    if not vpc or (running_in and set(subnets) == set(before)):
        return tuple(NetworkWarning(None, "left", one) for one in left)
    _check_existence(session, vpc, subnets)
    routes = networks.default_routes(session, vpc, subnets)
    for subnet in subnets:
        if routes[subnet] is DefaultRoute.INTERNET_GATEWAY:
            raise _refused(
                f"The default route of the subnet {subnet} is an internet gateway, and builds have no public address: "
                "they would hang.",
                "build_subnet_ids",
                "with subnets whose default route is a NAT gateway or a transit gateway",
            )
    return tuple(
        NetworkWarning(None, "no-default-route", subnet) for subnet in subnets if routes[subnet] is DefaultRoute.NONE
    )


def _left(service: Service, existing: Mapping[str, Stack]) -> tuple[str, ...]:
    """The commands for the tests of an environment, where they leave the VPC: everybody reaches the service again."""
    stack = existing.get(StackId(TESTS).name(service.app_name))
    if not stack or not stack.parameters.get("SubnetIds"):
        return ()
    if templates.given_parameters(service, StackId(TESTS)).get("SubnetIds"):
        return ()
    load_test = (service.root / "config" / "scripts" / "load_test.py").exists()
    return tests_leave_commands(service.app_name, service.region, load_test=load_test)


def _check_existence(session: Session, vpc: str, subnets: tuple[str, ...]) -> None:
    if vpc not in networks.vpcs(session):
        raise _refused(
            f"The VPC {vpc} of the builds does not exist in account {session.account}, {session.region}.",
            "build_vpc_id",
        )
    found = networks.subnets(session, subnets)
    for subnet in subnets:
        if subnet not in found:
            raise _refused(f"The subnet {subnet} of the builds does not exist in {session.region}.", "build_subnet_ids")
        if found[subnet].vpc != vpc:
            raise _refused(
                f"The subnet {subnet} of the builds belongs to {found[subnet].vpc}, not to {vpc}.", "build_subnet_ids"
            )


def _refused(happened: str, question: str, how: str = "") -> ScaffoldError:
    again = f"Answer {question} again{f' {how}' if how else ''}"
    return ScaffoldError(
        happened,
        f"{again} (`scaffold update --to current --data {question}=…`), commit, and run the same command again.",
    )
