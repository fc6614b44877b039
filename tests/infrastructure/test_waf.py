"""The web ACL: what it blocks, counts and logs, who may change it, and that there is none without the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.dashboards import lines, widgets
from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, one
from tests.infrastructure.test_permissions import OWN, deploy_role

ANSWERS: dict[str, Any] = {"customize": True, "environments": "dev,prod", "waf": "managed", "waf_rate_limit": 300}
WAF = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl"
BALANCER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/any/1"


@pytest.fixture(scope="module")
def stacks(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of(**ANSWERS)


@pytest.fixture(scope="module")
def waf(stacks: Stacks) -> Stack:
    return next(stack for stack in stacks.values() if stack.kind == "waf")


def test_it_limits_addresses_and_knows_attacks(waf: Stack) -> None:
    ((_, acl),) = waf.of_type("AWS::WAFv2::WebACL")
    assert (acl["Scope"], acl["DefaultAction"]) == ("REGIONAL", {"Allow": {}})
    rate, *groups = acl["Rules"]
    assert rate["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"
    assert int(rate["Statement"]["RateBasedStatement"]["Limit"]) == 300
    assert rate["Action"] == {"Block": {"CustomResponse": {"ResponseCode": 429}}}
    names = [one["Statement"]["ManagedRuleGroupStatement"]["Name"] for one in groups]
    assert names == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]
    # With an override, a group would only count.
    assert all(one["OverrideAction"] == {"None": {}} for one in groups)
    counted = [one for group in groups for one in _overrides(group)]
    assert counted == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]
    assert [one["Priority"] for one in acl["Rules"]] == [0, 1, 2, 3]


def _overrides(group: dict[str, Any]) -> list[Any]:
    found: list[Any] = group["Statement"]["ManagedRuleGroupStatement"].get("RuleActionOverrides", [])
    return found


def test_it_logs_what_it_blocks_without_secrets(waf: Stack) -> None:
    ((_, logging),) = waf.of_type("AWS::WAFv2::LoggingConfiguration")
    ((_, group),) = waf.of_type("AWS::Logs::LogGroup")
    assert group["LogGroupName"] == "aws-waf-logs-hello-service-dev"
    # Not the attribute of the group, which ends with an asterisk.
    assert logging["LogDestinationConfigs"] == [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group['LogGroupName']}"]
    hidden = [one["SingleHeader"]["Name"] for one in logging["RedactedFields"]]
    assert hidden == ["authorization", "cookie"]
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
    ((_, acl),) = waf.of_type("AWS::WAFv2::WebACL")
    settings = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    # Samples have all headers.
    assert not any(one["SampledRequestsEnabled"] for one in settings)


def test_it_is_associated_with_the_load_balancer_of_its_environment(stacks: Stacks, waf: Stack) -> None:
    environment = next(one for one in stacks.values() if one.kind == "environment")
    ((_, association),) = waf.of_type("AWS::WAFv2::WebACLAssociation")
    assert environment.parameters["EnvironmentName"] == waf.parameters["EnvironmentName"]
    assert association["ResourceArn"] == environment._arn("LoadBalancer")


def test_a_deploy_role_changes_the_web_acl_of_its_environment_only(
    stacks_of: Callable[..., Stacks], stacks: Stacks
) -> None:
    statements = deploy_role(stacks, "dev")
    own, other = f"{WAF}/hello-service-dev/1", f"{WAF}/hello-service-prod/1"
    for action in ("CreateWebACL", "DeleteWebACL", "UpdateWebACL", "PutLoggingConfiguration", "AssociateWebACL"):
        assert allowed(statements, f"wafv2:{action}", own), action
        assert not allowed(statements, f"wafv2:{action}", other), action
    # WAF asks for both, and this one looks at the tags of the load balancer.
    assert allowed(statements, "wafv2:DisassociateWebACL", BALANCER)
    assert allowed(statements, "elasticloadbalancing:SetWebACL", BALANCER, OWN)
    assert not allowed(statements, "elasticloadbalancing:SetWebACL", BALANCER)
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-hello-service-"
    assert allowed(statements, "logs:DeleteLogGroup", f"{logs}dev:log-stream:")
    for name in ("prod", "dev2", "dev-prod"):
        assert not allowed(statements, "logs:DeleteLogGroup", f"{logs}{name}:log-stream:")
    without = deploy_role(stacks_of(customize=True, environments="dev,prod"), "dev")
    assert not any(allowed(without, f"wafv2:{action}", own) for action in ("CreateWebACL", "GetWebACL"))


def test_without_the_answer_there_is_none(stacks_of: Callable[..., Stacks]) -> None:
    assert "waf" not in {stack.kind for stack in stacks_of().values()}
    ((_, pipeline),) = one(stacks_of(), "pipeline").of_type("AWS::CodePipeline::Pipeline")
    assert "Waf" not in [action["Name"] for stage in pipeline["Stages"] for action in stage["Actions"]]


def test_it_follows_the_load_balancer_in_each_stage(stacks: Stacks) -> None:
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    for stage in pipeline["Stages"]:
        orders = {action["Name"]: action.get("RunOrder", 1) for action in stage["Actions"]}
        if "Environment" in orders:
            assert orders["Environment"] < orders["Waf"] < orders["Service"]


def test_the_dashboard_shows_what_each_rule_blocks(stacks_of: Callable[..., Stacks]) -> None:
    """By a search of the three dimensions that WAF documents for a rule of a regional web ACL."""
    stacks = stacks_of(**ANSWERS, observability="standard")
    (shown,) = [one for one in widgets(stacks)["hello-service-prod"] if "WAF" in one["properties"]["title"]]
    (line,) = lines(shown)
    acl = next(
        acl for stack in stacks.values() for _, acl in stack.of_type("AWS::WAFv2::WebACL") if "prod" in acl["Name"]
    )
    wanted = f'MetricName="BlockedRequests" WebACL="{acl["VisibilityConfig"]["MetricName"]}"'
    assert line.expression == f"SEARCH('{{AWS/WAFV2,Region,Rule,WebACL}} {wanted}', 'Sum', 300)"
    cells = [
        (x, y)
        for one in widgets(stacks)["hello-service-prod"]
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    without = stacks_of(environments="dev,live", customize=True, observability="full")
    assert not [one for one in widgets(without)["hello-service-live"] if "WAF" in one["properties"]["title"]]
