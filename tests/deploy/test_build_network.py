"""`scaffold deploy` looks at the subnets of builds before it changes anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scaffold.core.git import git
from scaffold.deployment.networks import NetworkWarning
from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import BUILD, Wire, client, commit, make_kit_service, remove, run
from tests.deploy.test_networks import NOWHERE, Place, looked_up, place, untouched
from tests.deploy.test_refusals import refusal
from tests.infrastructure.variants import BUILD_VPC
from tests.kits import generate

__all__ = ["place"]
NETWORK = """\
Parameters:
  AppName: {Type: String}
  VpcId: {Type: String}
  TemplateDigest: {Type: String, Default: unknown}
Resources:
  Topic: {Type: AWS::SNS::Topic}
Outputs:
  TemplateDigest: {Value: !Ref TemplateDigest}
  RootCommit: {Value: !ImportValue APP-foundation-RootCommit}
"""
# The project changes with its subnets.
IN_VPC = BUILD.replace("Parameters:\n", "Parameters:\n  SubnetIds: {Type: CommaDelimitedList}\n").replace(
    "Builds: {Type: AWS::SNS::Topic}",
    "Builds: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Join ['-', !Ref SubnetIds]}}",
)


def put(service: Path, vpc: str, *subnets: str) -> None:
    """Commit the files that place the builds in a VPC, or with none take them out of it."""
    app = read(service).app_name
    files, tags = service / "infrastructure", {names.TAG_SERVICE: app}
    build = {"AppName": app} | ({"SubnetIds": ",".join(subnets)} if vpc else {})
    (files / "build.yaml").write_text(IN_VPC if vpc else BUILD)
    (files / "build.json").write_text(json.dumps({"Parameters": build, "Tags": tags}))
    for ending, content in (
        ("yaml", NETWORK.replace("APP", app)),
        ("json", json.dumps({"Parameters": {"AppName": app, "VpcId": vpc}, "Tags": tags})),
    ):
        (files / f"build-vpc.{ending}").write_text(content) if vpc else (files / f"build-vpc.{ending}").unlink()
    commit(service)


def put_tests(service: Path, *subnets: str) -> None:
    """Commit the files that place the tests of an environment in the VPC, or with none take them out of it."""
    app = read(service).app_name
    body = (IN_VPC if subnets else BUILD).replace("Builds:", "Tests:")
    parameters = {"AppName": app} | ({"SubnetIds": ",".join(subnets)} if subnets else {})
    (service / "infrastructure/tests.yaml").write_text(body)
    configuration = {"Parameters": parameters, "Tags": {names.TAG_SERVICE: app}}
    (service / "infrastructure/tests.json").write_text(json.dumps(configuration))
    commit(service)


def released(app: str) -> None:
    """Update the stack of the builds as the pipeline does, to a template without a VPC."""
    stack = {"StackName": f"{app}-build"}
    parameters = [{"ParameterKey": "AppName", "ParameterValue": app}]
    client("cloudformation").update_stack(**stack, TemplateBody=BUILD, Parameters=parameters)
    waiter = client("cloudformation").get_waiter("stack_update_complete")
    waiter.wait(**stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


@pytest.fixture
def private(place: Place) -> Place:
    """The place, whose private subnets lead to a NAT gateway, and its third one nowhere."""
    ec2 = client("ec2")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=place.public[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    for route, subnets in (({"NatGatewayId": gateway}, place.private), (None, [place.third])):
        table = ec2.create_route_table(VpcId=place.vpc)["RouteTable"]["RouteTableId"]
        if route:
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **route)
        for subnet in subnets:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return place


def test_builds_enter_a_vpc_change_their_subnets_and_leave_it(service: Path, wire: Wire, private: Place) -> None:
    app = read(service).app_name
    put(service, private.vpc, *private.private)
    assert run(service, plan=True).networks == run(service).networks == ()
    assert looked_up(wire) == {"ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeRouteTables"}
    wire.calls.clear()
    assert run(service, plan=True).networks == ()
    assert looked_up(wire) == set()
    put(service, private.vpc, private.private[0], private.third)
    (warning,) = run(service).networks
    assert warning == NetworkWarning(None, "no-default-route", private.third)
    assert "builds hang unless VPC endpoints" in warning.sentence
    put(service, NOWHERE, *private.private)
    error = refusal(service, plan=True)
    assert error.happened.startswith(f"Builds run in {private.vpc} and cannot move to {NOWHERE}")
    assert f"delete the stack {app}-build-vpc" in error.remedy
    # CloudFormation leaves the VPC in the projects.
    put(service, "")
    commands = [
        f"aws codebuild update-project --region us-east-1 --name {app}-{one} --vpc-config '{{}}'"
        for one in ("build", "pr-tests")
    ]
    for plan in (True, False):
        wire.calls.clear()
        error = refusal(service, plan=plan)
        assert untouched(service, wire)
        assert f"takes the builds of {app} out of their VPC" in error.happened
        assert all(f"`{one}`" in error.remedy for one in commands)
        assert "after its release" in error.remedy
    released(app)
    run(service)
    after = run(service, plan=True)
    assert [one.sentence.count(command) for one, command in zip(after.networks, commands, strict=True)] == [1, 1]
    assert not after.changed
    assert [(one.name, one.reason) for one in after.left_stacks] == [(f"{app}-build-vpc", "person")]
    stack = {"StackName": f"{app}-build-vpc"}
    client("cloudformation").delete_stack(**stack)
    client("cloudformation").get_waiter("stack_delete_complete").wait(
        **stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    assert run(service, plan=True).networks == ()


def test_the_tests_of_an_environment_leave_the_vpc_before_the_builds(service: Path, private: Place) -> None:
    app = read(service).app_name
    put(service, private.vpc, *private.private)
    put_tests(service, *private.private)
    assert run(service).networks == ()
    put_tests(service)
    (left,) = run(service).networks
    assert f"--name {app}-tests --vpc-config" in left.sentence
    assert run(service, plan=True).networks == ()


@pytest.mark.parametrize(
    ("fault", "happened", "question"),
    [
        ("no vpc", f"The VPC {NOWHERE} of the builds does not exist", "build_vpc_id"),
        ("no subnet", "The subnet subnet-00000000 of the builds does not exist in us-east-1.", "build_subnet_ids"),
        ("other vpc", "of the builds belongs to", "build_subnet_ids"),
        ("public", "is an internet gateway, and builds have no public address", "build_subnet_ids"),
    ],
)
def test_subnets_in_which_builds_would_hang_are_refused(
    service: Path, wire: Wire, private: Place, fault: str, happened: str, question: str
) -> None:
    other = client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]
    vpc, subnet = {
        "no vpc": (NOWHERE, private.private[1]),
        "no subnet": (private.vpc, "subnet-00000000"),
        "other vpc": (private.vpc, other["SubnetId"]),
        "public": (private.vpc, private.public[0]),
    }[fault]
    put(service, vpc, private.private[0], subnet)
    wire.calls.clear()
    error = refusal(service)
    assert happened in error.happened
    assert error.remedy.startswith(f"Answer {question} again")
    assert untouched(service, wire)


def test_a_route_to_a_deleted_gateway_leads_nowhere(service: Path, wire: Wire, private: Place) -> None:
    def blackhole(answer: dict[str, object]) -> None:
        for table in answer["RouteTables"]:  # type: ignore[attr-defined]
            for route in table["Routes"]:
                route["State"] = "blackhole"

    wire.touched["DescribeRouteTables"] = blackhole
    put(service, private.vpc, private.private[0])
    assert [one.problem for one in run(service, plan=True).networks] == ["no-default-route"]


@pytest.mark.slow
def test_the_templates_of_the_kit_are_deployed_and_destroyed(tmp_path: Path, private: Place) -> None:
    """Nothing is left in the VPC."""
    answers = {"build_vpc_id": private.vpc, "build_subnet_ids": ",".join(private.private)}
    service = make_kit_service(tmp_path / "service", environments="dev", customize=True, **{**BUILD_VPC, **answers})
    app = read(service).app_name
    run(service)
    ec2, iam = client("ec2"), client("iam")
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [private.vpc]}])["SecurityGroups"]
    assert {one["Description"] for one in groups} >= {"Builds of main", "Tests of pull requests"}
    for kind, role in (("build", "BuildRole"), ("pull-requests", "TestsRole")):
        found = client("cloudformation").describe_stack_resource(StackName=f"{app}-{kind}", LogicalResourceId=role)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        assert any("NetworkInterfacesPolicy" in one["PolicyName"] for one in attached)
    without = generate(tmp_path / "without", app_name=app, environments="dev")
    shutil.rmtree(service / "infrastructure")
    shutil.copytree(without / "infrastructure", service / "infrastructure")
    inside = git("rev-parse", "HEAD", cwd=service)
    commit(service)
    assert "out of their VPC" in refusal(service).happened
    git("reset", "-q", "--hard", inside, cwd=service)
    remove(service)
    left = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [private.vpc]}])["SecurityGroups"]
    assert [group["GroupName"] for group in left] == ["default"]
