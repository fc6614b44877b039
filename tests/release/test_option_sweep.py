"""Options of a service that exists: turned on, used, and turned off as `scaffold update` leads through.

Here are those that no other test turns on and off through the pipeline, and most of the others with them, since all of
them meet in the same templates, roles and boundaries. `ELSEWHERE` has the tests of the rest.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.commands import update
from scaffold.commands.update import UpdateOptions
from scaffold.console.console import Console
from scaffold.core.git import git
from scaffold.core.target import configured_target
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.follow import wait_for_release
from scaffold.service import names, project_names
from scaffold.service.service import read
from scaffold.update.result import UpdateResult
from scaffold.views.update import following
from tests.cli.running import ROOT
from tests.deploy.services import all_stacks, client, commit, listed, remove, run
from tests.release.rehearsals import DOCKERFILE, small_service
from tests.release.services import decide, release

APP = "swept"
NAME = f"{APP}-live"
#: The answers with which an option is on, and off.
OPTIONS: dict[str, tuple[str, str | None]] = {
    "notification_email": ("team@example.com", ""),
    "monthly_budget": ("200", None),
    "chat_notifications": ("true", "false"),
    "success_notifications": ("every", "none"),
    "architecture": ("arm64", "x86_64"),
    "requests_per_task": ("50", "0"),
    "port": ("3000", "8080"),
    "health_path": ("/ready", "/health"),
    "health_grace_seconds": ("120", "60"),
    "scratch_gib": ("21", "0"),
    "build_secrets": ("NPM_TOKEN", ""),
    "log_retention_days": ("90", "30"),
    "encrypt_logs": ("true", "false"),
    "observability": ("full", "off"),
    "exec": ("live", ""),
    "audit": ("trail", "off"),
    "access_logs": ("true", "false"),
    "flow_logs": ("true", "false"),
    "waf": ("managed", "off"),
    "waf_rate_limit": ("500", None),
    "buckets": ("uploads", ""),
    "queues": ("jobs", ""),
    "tables": ("orders", ""),
    "bake_minutes": ("20", "10"),
    "updates": ("renovate", "off"),
    "environment_overrides": ("{live: {alarm_email: oncall@example.com}}", "{}"),
}
_RULES = "deploy/test_deploy.py::test_approval_rule_follows_its_file"
_BUILD_VPC = "deploy/test_build_network.py::test_builds_enter_a_vpc_change_their_subnets_and_leave_it"
_VPC = "infrastructure/test_local_aws.py::test_environments_in_an_existing_vpc_and_in_their_own_deploy"
_DOMAIN = "release/test_domain.py::test_a_domain_is_released_kept_and_given_up"
_SCAN = "release/test_nightly_scan.py::test_findings_of_what_runs_reach_people_and_so_does_a_scan_that_fails"
_BRANCHES = "release/test_branches.py::test_branches_promote_releases"
_CANARY = "release/test_strategies.py::test_a_bad_canary_is_taken_back_by_the_alarms"
_LINEAR = "release/test_strategies.py::test_a_second_release_shifts_the_traffic"
_PROMOTION = "release/test_promotion.py::test_"
#: The tests of the other optional answers.
ELSEWHERE = {
    "pull_request_approvals": _RULES,
    "reviewers": _RULES,
    "office_hours": "infrastructure/test_local_aws.py::test_office_hours_begin_and_end_with_their_answer",
    "health_check": (
        "deploy/test_health_checks.py::"
        "test_a_health_check_begins_with_its_release_ends_with_its_answer_and_leaves_nothing"
    ),
    "build_network": _BUILD_VPC,
    "build_vpc_id": _BUILD_VPC,
    "build_subnet_ids": _BUILD_VPC,
    "vpc_id": _VPC,
    "public_subnet_ids": _VPC,
    "private_subnet_ids": _VPC,
    # AWS changes neither: the environment is deleted before.
    "load_balancer": "deploy/test_networks.py::test_an_environment_moves_by_its_deletion",
    "vpc_cidr": "deploy/test_networks.py::test_the_addresses_of_a_network_that_exists_stay",
    "egress": "infrastructure/test_local_aws.py::test_a_nat_gateway_comes_with_a_release_and_goes_with_two",
    "ingress_cidrs": "infrastructure/test_edge.py::test_blocks_are_let_in_and_everybody_again",
    "domain_name": _DOMAIN,
    "hosted_zone_id": _DOMAIN,
    "certificate_arn": "deploy/test_domains.py::test_a_zone_and_a_certificate_that_fit_are_looked_up_until_the_release",
    "database": "release/test_database_option.py::test_a_database_comes_stays_and_goes",
    "coverage_threshold": "service/test_coverage_gate.py::test_the_threshold_is_the_answer_and_judged_before_the_push",
    "scan_engine": _SCAN,
    "nightly_scan": _SCAN,
    "promotion": _BRANCHES,
    "auto_promote": _BRANCHES,
    "approval": f"{_PROMOTION}every_environment_waits_for_approval_where_the_answers_say_so",
    "approvers": f"{_PROMOTION}only_approvers_release",
    "windows": f"{_PROMOTION}a_release_waits_for_its_window_until_that_is_overridden",
    "freezes": f"{_PROMOTION}no_release_enters_production_during_a_freeze",
    "soak_minutes": f"{_PROMOTION}a_release_that_rings_while_it_soaks_is_rolled_back_and_goes_no_further",
    "load_test": f"{_PROMOTION}a_release_that_fails_its_load_test_is_rolled_back_and_goes_no_further",
    "canary_percent": _CANARY,
    "canary_bake_minutes": _CANARY,
    "linear_step_percent": _LINEAR,
    "linear_step_minutes": _LINEAR,
    "approve_running": "release/test_running_approval.py::test_people_approve_while_the_tasks_run",
}
#: They change no resource.
OF_FILES = {"description", "aws_account_id"}


def test_every_optional_answer_has_a_test() -> None:
    questions = yaml.safe_load((ROOT / "copier.yml").read_text())
    asked = {name: one for name, one in questions.items() if not name.startswith("_")}
    optional = {name for name, one in asked.items() if "customize" in str(one.get("when", ""))}
    assert OPTIONS.keys() | ELSEWHERE.keys() | OF_FILES == optional
    for place in set(ELSEWHERE.values()):
        path, _, name = place.partition("::")
        assert f"\ndef {name}(" in (ROOT / "tests" / path).read_text(), place


def switch(root: Path, place: int) -> UpdateResult:
    """Update a service to the first or the second answers, and commit."""
    answers = {key: value for key, values in OPTIONS.items() if (value := values[place]) is not None}
    result = update.run(UpdateOptions(root, data=answers, to="current"), Console())
    # The application of these tests is not the kit's.
    assert {one.path for one in result.conflicts} == {"app/Dockerfile"}
    user = "USER" if answers["scratch_gib"] == "0" else "VOLUME /tmp\nUSER"
    dockerfile = DOCKERFILE.replace("8080", str(answers["port"])).replace("USER", user)
    (root / "app/Dockerfile").write_text(dockerfile)
    commit(root)
    return result


def follow(root: Path, result: UpdateResult) -> list[DeployResult]:
    """Do what has to follow an update, and return the results of `scaffold deploy`."""
    done = []
    for command, _ in following(result.follow_up):
        if command == "git push":
            git("push", "--quiet", "origin", f"HEAD:{names.BRANCH}", cwd=root, env=dict(os.environ))
        else:
            assert command == "scaffold deploy"
            done.append(run(root))
        wait(root)
    return done


def wait(root: Path) -> None:
    """Approve the release of the commit in the merge gate, and wait for its end."""
    service = read(root)
    target, head = configured_target(service.region), git("rev-parse", "HEAD", cwd=root)
    found = wait_for_release(service, target, head, Console())
    if found.waiting:
        assert found.waiting == "Approve-Gate"
        decide(root, yes=True, execution=found.execution)
        assert not wait_for_release(service, target, head, Console()).waiting


def stacks() -> set[str]:
    """The stacks of the service, without its name."""
    return {one["StackName"].removeprefix(f"{APP}-") for one in all_stacks() if one["StackName"].startswith(f"{APP}-")}


def resources(kind: str) -> dict[str, str]:
    """The resources of a stack of the environment: logical id → id."""
    held = client("cloudformation").describe_stack_resources(StackName=f"{NAME}-{kind}")["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in held}


def state() -> dict[str, Any]:
    """What the account has of each option."""
    ecs, elb = client("ecs"), client("elbv2")
    (service,) = ecs.describe_services(cluster=NAME, services=[NAME])["services"]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    app, *sidecars = task["containerDefinitions"]
    (cluster,) = ecs.describe_clusters(clusters=[NAME], include=["SETTINGS"])["clusters"]
    groups = [one["targetGroupArn"] for one in service["loadBalancers"]]
    balancer = resources("environment")["LoadBalancer"]
    attributes = {
        one["Key"]: one["Value"]
        for one in elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]
    }
    scaled = {"ServiceNamespace": "ecs", "ResourceId": f"service/{NAME}/{NAME}"}
    (logs,) = listed("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"/{APP}/live")
    (build,) = client("codebuild").batch_get_projects(names=[project_names.build(APP)])["projects"]
    variables = build["environment"]["environmentVariables"]
    acls = client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
    alarms = listed("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=f"{NAME}-")
    return {
        "architecture": task["runtimePlatform"]["cpuArchitecture"],
        "scaling": {
            one["PolicyName"]
            for one in listed("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", **scaled)
        },
        "port": app["portMappings"][0]["containerPort"],
        "health": (
            {one["HealthCheckPath"] for one in elb.describe_target_groups(TargetGroupArns=groups)["TargetGroups"]},
            service["healthCheckGracePeriodSeconds"],
        ),
        "disk": ([one["containerPath"] for one in app.get("mountPoints", [])], task.get("ephemeralStorage")),
        "build secrets": [one["name"] for one in variables if one.get("type") == "PARAMETER_STORE"],
        "logs": (logs["retentionInDays"], "kmsKeyId" in logs),
        "sidecars": [one["name"] for one in sidecars],
        "insights": {one["name"]: one["value"] for one in cluster["settings"]},
        "shells": str(service.get("enableExecuteCommand", False)).lower(),
        "access logs": attributes["access_logs.s3.enabled"],
        "flow logs": [
            one["LogDestination"].rpartition("bucket")[0] for one in listed("ec2", "describe_flow_logs", "FlowLogs")
        ],
        "web ACLs": [one["Name"] for one in acls if one["Name"].startswith(APP)],
        "variables": {one["name"] for one in app["environment"]},
        "bake": service["deploymentConfiguration"]["bakeTimeInMinutes"],
        "told": {action.rpartition(":")[2] for one in alarms for action in one["AlarmActions"]},
        "trails": [one["Name"] for one in client("cloudtrail").describe_trails()["trailList"]],
        "subscribed": {one["Endpoint"] for one in listed("sns", "list_subscriptions", "Subscriptions")},
        "projects": {one for one in listed("codebuild", "list_projects", "projects") if one.startswith(f"{APP}-")},
        "stacks": stacks(),
    }


ON = {
    "architecture": "ARM64",
    "scaling": {"cpu", "requests"},
    "port": 3000,
    "health": ({"/ready"}, 120),
    "build secrets": ["NPM_TOKEN"],
    "logs": (90, True),
    "sidecars": ["collector"],
    "insights": {"containerInsights": "enhanced"},
    "shells": "true",
    "access logs": "true",
    "flow logs": [f"arn:aws:s3:::{APP}-access-logs-"],
    "web ACLs": [NAME],
    "bake": 20,
    "told": {f"{NAME}-alarms"},
    "trails": [f"{APP}-audit"],
    "subscribed": {"team@example.com", "oncall@example.com"},
}
DATA = {"UPLOADS_BUCKET", "JOBS_QUEUE_URL", "ORDERS_TABLE"}
# Those of people, those that hold data, and with production those that are protected.
LEFT = {
    "live-waf": "protected",
    "live-data": "environment-data",
    "access-logs": "person",
    "audit": "person",
    "budget": "person",
    "live-alarm-topic": "person",
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_options_come_and_go(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / APP, app_name=APP, environments="live", customize=True, approval="none")
    release(root)
    off = state()
    client("ssm").put_parameter(Name=f"/{APP}/build/NPM_TOKEN", Value="token", Type="SecureString")
    follow(root, switch(root, 0))
    on = state()
    assert {key: on[key] for key in ON} == ON
    assert off["variables"] | DATA < on["variables"]
    assert (on["disk"][0][:1], on["disk"][1]) == (["/tmp"], {"sizeInGiB": 21})
    assert on["projects"] - off["projects"] == {project_names.updates(APP)}
    assert on["stacks"] - off["stacks"] == LEFT.keys() | {"updates", "live-deploy-options", "live-data-role"}

    # What the release may not take away is said, with the commands for that.
    (result,) = follow(root, switch(root, 1))
    assert {one.name.removeprefix(f"{APP}-"): one.reason for one in result.left_stacks} == LEFT
    found = state()
    # ECS keeps that tasks are open to shells, which nothing permits any more. The others are of these stacks.
    assert {key for key in off if found[key] != off[key]} == {
        "shells",
        "web ACLs",
        "told",
        "trails",
        "subscribed",
        "stacks",
    }
    assert found["stacks"] - off["stacks"] == LEFT.keys() | {"live-deploy-options", "live-data-role"}
    client("cloudformation").update_termination_protection(StackName=f"{NAME}-waf", EnableTerminationProtection=False)
    assert "live-waf" not in {one.name.removeprefix(f"{APP}-") for one in run(root).left_stacks}
    assert state()["web ACLs"] == []

    destroyed = remove(root, with_data=True)
    kept = {one.name for one in destroyed.kept if one.name.startswith(f"{APP}-")}
    assert not stacks()
    assert {one["Name"] for one in listed("s3", "list_buckets", "Buckets") if one["Name"].startswith(APP)} == kept
    assert sorted(one.removeprefix(f"{APP}-").partition("bucket")[0] for one in kept) == ["access-logs-", "audit-audit"]
    for place in (
        ("logs", "describe_log_groups", "logGroups"),
        ("sns", "list_topics", "Topics"),
        ("dynamodb", "list_tables", "TableNames"),
        ("iam", "list_roles", "Roles"),
        ("iam", "list_policies", "Policies"),
        ("cloudwatch", "describe_alarms", "MetricAlarms"),
        ("codebuild", "list_projects", "projects"),
    ):
        assert not [one for one in listed(*place) if f"{APP}-" in str(one)], place
    assert not [one for one in client("sqs").list_queues().get("QueueUrls", []) if f"/{APP}-" in one]
    client("ssm").delete_parameter(Name=f"/{APP}/build/NPM_TOKEN")
