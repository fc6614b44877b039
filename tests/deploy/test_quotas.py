"""Quotas are read before the first run of new environments: by code, in addition to what is in use, never blocking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.aws.service_quotas import (
    BUILDS,
    DB_CLUSTERS,
    ELASTIC_IPS,
    LOAD_BALANCERS,
    ON_DEMAND_VCPUS,
    SPOT_VCPUS,
    TABLES,
    VPCS,
    WEB_ACLS,
    Quota,
    QuotaId,
)
from scaffold.deployment.first_run import quota_needs
from scaffold.service.service import read
from tests.deploy.services import (
    MORE,
    PIPELINE,
    Wire,
    client,
    commit,
    environment_stack,
    make_service,
    release_stack,
    run,
)
from tests.kits import generate

LINUX, ARM = BUILDS["LINUX_CONTAINER", "BUILD_GENERAL1_SMALL"], BUILDS["ARM_CONTAINER", "BUILD_GENERAL1_SMALL"]
TASK_DEFINITION = "Resources: {Task: {Type: AWS::ECS::TaskDefinition, Properties: {Cpu: '1024', Memory: '2048'}}}\n"
BUILD = """\
Resources:
  Builds: {Type: AWS::SNS::Topic}
  BuildProject:
    Type: AWS::CodeBuild::Project
    Properties:
      Name: %s-build
      ServiceRole: arn:aws:iam::000000000000:role/build
      Source: {Type: CODEPIPELINE}
      Artifacts: {Type: CODEPIPELINE}
      Environment: {Type: ARM_CONTAINER, ComputeType: BUILD_GENERAL1_SMALL, Image: image}
"""


def add_environments(service: Path, egress: str = "nat_gateway", max_tasks: int = 2) -> Path:
    """Add what the first run of a small service's environments creates."""
    files = {"infrastructure__build_yaml": BUILD % read(service).app_name}
    for name in read(service).environments:
        network = {"Parameters": {"Egress": egress}}
        tasks = {"Parameters": {"MaxTasks": str(max_tasks), "Spot": "false"}}
        files |= {
            f"infrastructure__{name}__network_json": json.dumps(network),
            f"infrastructure__{name}__service_json": json.dumps(tasks),
            f"infrastructure__{name}__task-definition_yaml": TASK_DEFINITION,
        }
    commit(service, **files)
    return service


def add_data(service: Path) -> Path:
    """Add what the first run of a small service's environments creates beside their tasks, one of each."""
    types = {
        "environment": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "data": "AWS::DynamoDB::Table",
        "database": "AWS::RDS::DBCluster",
        "waf": "AWS::WAFv2::WebACL",
    }
    files = {f"infrastructure__{kind}_yaml": f"Resources: {{One: {{Type: {one}}}}}\n" for kind, one in types.items()}
    own = {f"infrastructure__{name}__{kind}_json": "{}" for kind in types for name in read(service).environments}
    commit(service, **files, **own)
    return service


def set_quotas(wire: Wire, **values: float) -> None:
    """Give quotas values of their own, by code without its prefix; the others keep their defaults."""

    def answer() -> Any:
        code = wire.requests[-1]["body"]
        asked = json.loads(code)["QuotaCode"].removeprefix("L-")
        if asked not in values:
            error = {"Code": "NoSuchResourceException", "Message": "It has its default value only."}
            return type("Response", (), {"status_code": 400})(), {"Error": error, "ResponseMetadata": {}}
        quota = {"QuotaCode": f"L-{asked}", "Value": values[asked]}
        return type("Response", (), {"status_code": 200})(), {"Quota": quota, "ResponseMetadata": {}}

    wire.faults["GetServiceQuota"] = answer


def of(found: tuple[Quota, ...]) -> dict[str, tuple[float, int | None, float]]:
    return {quota.code: (quota.value, quota.used, quota.needed) for quota in found}


def codes(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith(("service-quotas:", "ec2:"))]


# ---- what is needed ----


def test_the_needs_of_the_default_answers(tmp_path: Path) -> None:
    service = read(generate(tmp_path / "service"))
    # dev on Spot with at most 2 tasks of a quarter vCPU, staging with 2 and prod with 10 on demand; twice in a release.
    assert quota_needs(service, service.environments) == {
        VPCS: 3,
        ELASTIC_IPS: 0,
        LOAD_BALANCERS: 3,
        SPOT_VCPUS: 1,
        ON_DEMAND_VCPUS: 6,
        LINUX: 3,
        BUILDS["LINUX_CONTAINER", "BUILD_GENERAL1_MEDIUM"]: 1,
        BUILDS["LINUX_CONTAINER", "BUILD_GENERAL1_LARGE"]: 1,
    }
    assert quota_needs(service, ["prod"])[ON_DEMAND_VCPUS] == 5
    assert quota_needs(service, []) == {}


def test_the_needs_follow_from_the_answers(tmp_path: Path) -> None:
    overrides = {"dev": {"egress": "nat_gateway", "max_tasks": 5, "spot": "above_first"}, "prod": {"max_tasks": 3}}
    answers = {"environments": "dev,prod", "customize": True, "architecture": "arm64", "cpu": 1024, "memory": 2048}
    answers |= {"tables": "orders,items", "buckets": "uploads", "database": "postgres", "waf": "managed"}
    service = read(generate(tmp_path / "service", **answers, environment_overrides=overrides))
    assert quota_needs(service, service.environments) == {
        VPCS: 2,
        ELASTIC_IPS: 1,
        LOAD_BALANCERS: 2,
        TABLES: 4,
        DB_CLUSTERS: 2,
        WEB_ACLS: 2,
        SPOT_VCPUS: 4 * 2,
        ON_DEMAND_VCPUS: (1 + 3) * 2 + 2 * 0.25,  # and a migration in each environment
        ARM: 3,
        BUILDS["ARM_CONTAINER", "BUILD_GENERAL1_MEDIUM"]: 1,
        BUILDS["ARM_CONTAINER", "BUILD_GENERAL1_LARGE"]: 1,
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Parameters": 3}', '{"Parameters": {"MaxTasks": "inf"}}'])
def test_files_that_cannot_be_read_need_nothing_of_what_they_say(service: Path, text: str) -> None:
    add_environments(service)
    for path in (service / "infrastructure").rglob("*"):
        if path.name in {"service.json", "task-definition.yaml", "build.yaml"}:
            path.write_text(text)
    assert {quota: needed for quota, needed in quota_needs(read(service), ["dev"]).items() if needed} == {
        VPCS: 1,
        ELASTIC_IPS: 1,
    }


def test_an_environment_without_a_network_of_its_own_needs_neither_vpc_nor_address(service: Path) -> None:
    add_environments(service)
    (service / "infrastructure/prod/network.json").unlink()
    needs = quota_needs(read(service), ["dev", "prod"])
    assert (needs[VPCS], needs[ELASTIC_IPS], needs[ON_DEMAND_VCPUS]) == (1, 1, 8)


# ---- what the account has ----


@pytest.mark.parametrize("plan", [True, False])
def test_quotas_that_are_too_small_are_reported_with_the_command_that_raises_them(
    service: Path, wire: Wire, capsys: pytest.CaptureFixture[str], plan: bool
) -> None:
    used = len(client("ec2").describe_vpcs()["Vpcs"])
    addresses = len(client("ec2").describe_addresses()["Addresses"])
    add_environments(service, max_tasks=5)
    set_quotas(wire, F678F1CE=used + 1, **{"0263D0A3": addresses, "5ED1D25B": 0, "3032A538": 19.5})
    result = run(service, plan=plan)
    assert of(result.quotas) == {
        VPCS.code: (used + 1, used, 2),
        ELASTIC_IPS.code: (addresses, addresses, 2),
        ON_DEMAND_VCPUS.code: (19.5, None, 20),
        ARM.code: (0, None, 3),
    }
    json.dumps(result.document())
    shown = " ".join(capsys.readouterr().err.split())
    assert f"“VPCs per Region” is {used + 1}, of which {used} " in shown
    assert f"--service-code vpc --quota-code L-F678F1CE --desired-value {used + 2} --region us-east-1`" in shown
    assert "--service-code fargate --quota-code L-3032A538 --desired-value 20 --region us-east-1`" in shown


def test_quotas_that_suffice_are_not_mentioned(service: Path, wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    add_environments(service, egress="public_ip", max_tasks=1)
    used = len(client("ec2").describe_vpcs()["Vpcs"])
    # Exactly what is needed; the defaults of the others suffice.
    set_quotas(wire, F678F1CE=used + 2, **{"5ED1D25B": 5})
    assert run(service, plan=True).quotas == ()
    assert "quota" not in capsys.readouterr().err
    assert "service-quotas:GetAWSDefaultServiceQuota" in wire.calls
    assert "ec2:DescribeAddresses" not in wire.calls


def test_local_aws_makes_no_command_warn(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_environments(service, max_tasks=200)
    assert run(service, plan=True).quotas == ()
    assert "quota" not in capsys.readouterr().err


def test_a_quota_that_the_region_does_not_have_is_passed_over(
    service: Path, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    add_environments(service)
    for operation in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
        wire.refuse(operation, "NoSuchResourceException", "no such quota")
    assert run(service, plan=True).quotas == ()
    assert "quota" not in capsys.readouterr().err


def test_shared_vpcs_do_not_count(service: Path, wire: Wire) -> None:
    add_environments(service)
    own = client("ec2").describe_vpcs()["Vpcs"]
    wire.touched["DescribeVpcs"] = lambda answer: answer["Vpcs"].extend([{"OwnerId": "999999999999"}] * 9)
    set_quotas(wire, F678F1CE=0)
    assert of(run(service, plan=True).quotas)[VPCS.code] == (0, len(own), 2)


# ---- when they are read ----


def test_quotas_are_read_before_the_pipeline_is_created(service: Path, wire: Wire) -> None:
    add_environments(service)
    run(service)
    last_creation = max(index for index, call in enumerate(wire.calls) if call == "cloudformation:CreateStack")
    asked = [index for index, call in enumerate(wire.calls) if call in codes(wire.calls)]
    assert asked
    assert max(asked) < last_creation


def test_a_deployment_without_changes_reads_no_quota(service: Path, wire: Wire) -> None:
    run(add_environments(service))
    wire.calls.clear()
    assert run(service).quotas == ()
    assert codes(wire.calls) == []


@pytest.mark.slow
def test_only_environments_that_are_not_deployed_count(service: Path, wire: Wire) -> None:
    add_environments(service, egress="public_ip")
    run(service)
    app = read(service).app_name
    for name in ("dev", "prod"):
        release_stack(environment_stack(app, name, "network"), "Resources: {T: {Type: AWS::SNS::Topic}}")
        commit(service, infrastructure__pipeline_yaml=PIPELINE + MORE + f"# {name}\n")
        wire.calls.clear()
        set_quotas(wire, F678F1CE=0)
        quotas = of(run(service).quotas)
        if name == "dev":
            assert quotas[VPCS.code][2] == 1
        else:
            assert quotas == {}
            assert codes(wire.calls) == []


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetServiceQuota", "AccessDeniedException"),
        ("GetAWSDefaultServiceQuota", "TooManyRequestsException"),
        ("DescribeVpcs", "UnauthorizedOperation"),
    ],
)
def test_quotas_that_cannot_be_read_are_one_note_and_stop_nothing(
    service: Path, wire: Wire, capsys: pytest.CaptureFixture[str], operation: str, code: str
) -> None:
    add_environments(service)
    set_quotas(wire)
    wire.refuse(operation, code, "no")
    assert run(service, plan=True).quotas == ()
    assert capsys.readouterr().err.count("could not be read") == 1


def test_an_account_with_nothing_to_create_is_asked_nothing(tmp_path: Path, wire: Wire) -> None:
    run(make_service(tmp_path / "small"))
    assert codes(wire.calls) == []


def test_quotas_have_a_code_each() -> None:
    more = [LOAD_BALANCERS, TABLES, DB_CLUSTERS, WEB_ACLS]
    known: list[QuotaId] = [VPCS, ELASTIC_IPS, ON_DEMAND_VCPUS, SPOT_VCPUS, *BUILDS.values(), *more]
    assert len({quota.code for quota in known}) == len(known)
