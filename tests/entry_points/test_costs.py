"""The costs of five typical answer sets, computed by hand, and `scaffold cost`.

The prices are those that AWS publishes for us-east-1 and eu-central-1; `includes/prices.yml` is not read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.commands.cost import CostOptions, run
from scaffold.core.errors import UsageError
from scaffold.kit.estimate import Costs, read_costs
from scaffold.kit.questionnaire import Questionnaire
from scaffold.kit.rendering import open_kit
from scaffold.views.cost import text
from tests.cli.running import forked_scaffold
from tests.kits import ROOT, kit_repository

HOURS = 730
# A load balancer in two zones has two public IPv4 addresses.
BALANCER = HOURS * (0.0225 + 2 * 0.005)
ADDRESS = HOURS * 0.005
SMALL = HOURS * (0.25 * 0.04048 + 0.5 * 0.004445)  # 256 CPU units, 512 MiB
SMALL_ARM = HOURS * (0.25 * 0.03238 + 0.5 * 0.00356)
SPOT = 0.3
LOGS = 0.1 * (0.50 + 0.15 * 0.03)  # of a task without traffic, for 30 days
WATCHED = 17 * 0.10 + 3.00  # alarms and a dashboard
# 20 releases: 15 minutes and the bake time of the pipeline's actions, 3 minutes of checks.
BEFORE_PRODUCTION = 20 * ((15 + 1) * 0.002 + 3 * 0.005)
IN_PRODUCTION = 20 * ((15 + 10) * 0.002 + 3 * 0.005)
# Key, three alarms, images, artifacts; 20 pushes of 6 minutes of tests and plan and 4 of verdicts; a verdict and a
# comparison a day; 20 builds of 7 minutes, of which 100 minutes of the pipeline are free.
SHARED = 1.00 + 3 * 0.10 + 2 * 0.10 + 2 * 0.023 + 20 * (6 * 0.01 + 4 * 0.02) + 30 * (0.02 + 2 * 0.01) + 140 * 0.005
SHARED += 40 * 0.002
DEV = SMALL * SPOT + BALANCER + ADDRESS + LOGS + WATCHED + BEFORE_PRODUCTION
STAGING = SMALL + BALANCER + ADDRESS + LOGS + WATCHED + BEFORE_PRODUCTION
PROD = 2 * (SMALL + ADDRESS + LOGS) + BALANCER + WATCHED + IN_PRODUCTION
# A gateway with an address instead of those of the tasks; a GB for each task.
GATEWAY = HOURS * (0.045 + 0.005)
FRANKFURT = HOURS * (0.25 * 0.04656 + 0.5 * 0.00511)
FRANKFURT_BALANCER = HOURS * (0.027 + 2 * 0.005)
FRANKFURT_LOGS = 0.1 * (0.63 + 0.15 * 0.0324)
# 200 requests a second, of 5 KB and a line of 350 bytes: 3.6 GB an hour are 3.6 units of the load balancer, and
# 200 / (0.25 * 300) tasks are three.
REQUESTS = 200 * 3600 * HOURS
LOADED = 3 * (SMALL + ADDRESS + LOGS) + REQUESTS * 350 / 1e9 * (0.50 + 0.15 * 0.03)
LOADED += HOURS * 3.6 * 0.008 + REQUESTS * 5 / 1e6 * 0.09 + BALANCER + WATCHED + IN_PRODUCTION


@pytest.fixture(scope="module")
def questions() -> Iterator[Questionnaire]:
    with open_kit(str(kit_repository())) as kit:
        yield kit.questionnaire()


@pytest.mark.parametrize(
    ("given", "traffic", "expected"),
    [
        ({}, None, DEV + STAGING + PROD + SHARED),
        ({"environments": "dev,prod", "architecture": "arm64"}, None,
         DEV + PROD + SHARED - (2 + SPOT) * (SMALL - SMALL_ARM)),
        ({"environments": "dev,prod", "egress": "nat_gateway", "deployment_strategy": "canary",
          "environment_overrides": {"prod": {"container_insights": True}}}, None,
         # Canary: 10 minutes more in each release, and six metrics of the second scaling policy.
         DEV + PROD + SHARED + 2 * GATEWAY - 3 * ADDRESS + 3 * 0.045 + 131 * 0.07 + 20 * 10 * 0.002 + 6 * 0.10),
        ({"environments": "dev,prod", "aws_region": "eu-central-1", "cpu": "256"}, None,
         DEV + PROD + SHARED + (2 + SPOT) * (FRANKFURT - SMALL) + 2 * (FRANKFURT_BALANCER - BALANCER)
         + 3 * (FRANKFURT_LOGS - LOGS) + 2 * (0.0245 - 0.023)),
        ({}, "high", DEV + STAGING + LOADED + SHARED),
        # Five metrics and one of an alarm in each environment; Container Insights of three tasks of two containers.
        ({"observability": "full"}, "high",
         DEV + STAGING + LOADED + SHARED + 3 * (5 * 0.30 + 0.10) + (81 + 3 * 50) * 0.07
         + 0.05 * REQUESTS * 5 / 1e6 + 3 * 0.07 * (0.50 + 0.15 * 0.03)),
        ({"scratch_gib": 20}, None, DEV + STAGING + PROD + SHARED),
        # 30 GB more than what is free, for four tasks.
        ({"scratch_gib": 50}, None, DEV + STAGING + PROD + SHARED + 4 * 30 * 0.000111 * HOURS),
        # Two tables, each read once and written in one of five requests; a queue with an alarm in each environment, a
        # bucket.
        ({"tables": "carts,orders", "queues": "jobs", "buckets": "files"}, "high",
         DEV + STAGING + LOADED + SHARED + 3 * 0.10 + 2 * REQUESTS / 1e6 * (0.125 + 0.2 * 0.625)
         + REQUESTS / 1e6 * 0.3 * 0.40 + REQUESTS / 1e3 * (0.1 * 0.0004 + 0.02 * 0.005)),
        # 0.05 ACU on average before production, two instances of 0.5 ACU in it, 1 GB with backups, and a secret.
        ({"environments": "dev,prod", "aws_region": "eu-central-1", "database": "postgres"}, None,
         DEV + PROD + SHARED + (2 + SPOT) * (FRANKFURT - SMALL) + 2 * (FRANKFURT_BALANCER - BALANCER)
         + 3 * (FRANKFURT_LOGS - LOGS) + 2 * (0.0245 - 0.023)
         + (0.05 + 1) * 0.14 * HOURS + 2 * (0.119 + 2 * 0.021 + 0.22 + 0.40)),
        # 150 requests a second for each ACU of the writer, and as much in its standby; one I/O for two requests.
        ({"environments": "dev,prod", "database": "postgres"}, "high",
         DEV + LOADED + SHARED + (0.05 + 2 * 200 / 150) * 0.12 * HOURS + 2 * (0.10 + 2 * 0.021 + 0.20 + 0.40)
         + REQUESTS / 1e6 * 0.5 * 0.20),
        ({"observability": "standard"}, None, DEV + STAGING + PROD + SHARED + 3 * (5 * 0.30 + 0.10)),
        # A web ACL with four rules in each environment. Flow logs: 0.25 GB of each of five tasks, and 440 bytes of each
        # connection, which five requests share. Access logs: 400 bytes of a request, 15 % of that compressed.
        ({"waf": "managed", "flow_logs": True, "access_logs": True}, "high",
         DEV + STAGING + LOADED + SHARED + 3 * (5 + 4 * 1) + REQUESTS / 1e6 * 0.60
         + (5 * 0.25 + REQUESTS / 5 * 440 / 1e9) * (0.25 + 0.15 * 0.023) + REQUESTS * 400 * 0.15 / 1e9 * 0.023),
        # 60 of the 168 hours of a week; a release wakes each of the two environments for a minute.
        ({"office_hours": "MON-FRI 07-19 UTC"}, None,
         DEV + STAGING + PROD + SHARED - 108 / 168 * (SMALL * SPOT + SMALL + 2 * ADDRESS) + 2 * 20 * (0.002 + 0.005)),
    ],
    ids=["default", "small", "private", "Frankfurt", "loaded", "observed and loaded", "disk", "large disk", "data",
         "database", "database and loaded", "observed", "edge and loaded", "office hours"],
)  # fmt: skip
def test_costs_by_hand(questions: Questionnaire, given: dict[str, Any], traffic: str | None, expected: float) -> None:
    costs = read_costs(questions.evaluate({"app_name": "orders", **given}).computed, traffic)
    assert costs
    assert costs.total_usd == pytest.approx(expected, abs=0.1)  # each of some thirty lines is rounded to a cent


def test_every_price_has_its_page_of_aws() -> None:
    text = (ROOT / "includes" / "prices.yml").read_text()
    assert not re.findall(r"https?://(?!aws\.amazon\.com/)\S+", text)
    listed = yaml.safe_load(text)
    settings = {"as_of", "region", "hours_per_month", "sources", "regions", "assumptions", "traffic"}
    prices, sources = listed.keys() - settings, listed["sources"]
    assert {one for one in prices if not one.startswith(tuple(sources))} == set()
    assert {one for one in sources if not any(price.startswith(one) for price in prices)} == set()
    for region, own in listed["regions"].items():
        assert own.keys() <= prices, region


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scaffold cost` reads of a service."""
    folder = tmp_path_factory.mktemp("orders")
    answers = {"_src_path": str(kit_repository()), "_commit": "v0.0.1", "app_name": "orders"}
    answers |= {"environments": "dev,staging,prod", "production": "prod"}
    (folder / ".copier-answers.yml").write_text(yaml.safe_dump(answers))
    return folder


def total(costs: Costs) -> float:
    return sum(line.usd for part in costs.parts for line in part.lines)


def test_the_default_service_costs_less_than_140_and_the_command_says_how_less_than_100(service: Path) -> None:
    result = run(CostOptions(service))
    assert 100 < result.costs.total_usd < 140
    assert total(result.costs) == pytest.approx(result.costs.total_usd)
    best, *others = result.cheaper
    assert best.answers == {"environments": "dev,prod"}
    assert best.total_usd < 100
    assert best.total_usd + best.saved_usd == pytest.approx(result.costs.total_usd)
    assert {"architecture": "arm64"} in [one.answers for one in others]
    said = text(result)
    assert "scaffold env remove staging\n" in said
    assert "scaffold update --data architecture=arm64" in said
    assert "comparison" in result.document()


def test_other_answers_are_compared_by_resource(service: Path) -> None:
    other_answers = {"egress": "nat_gateway", "environments": "dev,prod,dr", "queues": "jobs"}
    result = run(CostOptions(service, "low", other_answers))
    other = result.comparison
    assert other
    assert other.total_usd == pytest.approx(result.costs.total_usd + other.added_usd)
    assert sum(one.usd for one in other.differences) == pytest.approx(other.added_usd, abs=0.1)
    # 2 requests a second cause 10.5 GB.
    dev, prod = ([one.usd for one in other.differences if (one.part, one.name) == (part, "NAT gateway")]
                 for part in ("dev", "prod"))  # fmt: skip
    assert dev == [pytest.approx(HOURS * 0.045 + 0.045, abs=0.01)]
    assert prod == [pytest.approx(HOURS * 0.045 + (2 + 2 * 3600 * HOURS * 2 / 1e6) * 0.045, abs=0.01)]
    # The same alarms, of which there are more.
    alarms = [(one.name, one.usd) for one in other.differences if one.part == "dev" and "Alarms" in one.name]
    assert alarms == [("Alarms, 18 metrics", pytest.approx(0.10))]
    said = text(result)
    assert f"USD, {other.added_usd:.2f} more:\n" in said
    assert "with low traffic" in said
    same = text(run(CostOptions(service, compare={"description": "Other words", "aws_region": "us-west-2"})))
    assert "With description=Other words, aws_region=us-west-2 it costs the same, " in same


def test_a_region_without_prices_of_its_own_is_named(service: Path, tmp_path: Path) -> None:
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    (tmp_path / ".copier-answers.yml").write_text(yaml.safe_dump({**answers, "aws_region": "eu-south-2"}))
    assert "The kit has no prices of eu-south-2; those of us-east-1 stand in." in text(run(CostOptions(tmp_path)))


@pytest.mark.parametrize(
    ("options", "happened", "remedy"),
    [
        ({"traffic": "hihg"}, "is no traffic that the kit knows", "Did you mean high?"),
        ({"traffic": ""}, "is no traffic that the kit knows", "Give one of low, high, or leave --traffic out."),
        ({"compare": {"egres": "x"}}, "The kit has no question 'egres'.", "Did you mean egress?"),
        ({"compare": {"egress": "nat"}}, "not one of public_ip, nat_gateway", "`--compare egress=…`"),
        ({"compare": {"canary_percent": "5"}}, "canary_percent was answered but is not asked", "Leave canary_percent"),
    ],
)
def test_what_is_refused(service: Path, options: dict[str, Any], happened: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        run(CostOptions(service, **options))
    assert happened in refused.value.happened
    assert remedy in refused.value.remedy


@pytest.mark.slow
def test_the_command_line(service: Path) -> None:
    done = forked_scaffold("cost", "--json", "--compare", "architecture=arm64", cwd=service)
    document = json.loads(done.stdout)
    assert (done.returncode, document["command"], document["schema_version"]) == (0, "cost", 1)
    assert {"service", "region", "traffic", "costs", "comparison", "cheaper"} < set(document)
    assert document["comparison"]["answers"] == {"architecture": "arm64"}
    assert forked_scaffold("cost", "--compare", "architecture", cwd=service).returncode == 2
