"""A domain added to a service that runs and taken away again, with each strategy, under load."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scaffold.local.environment import LocalAws, running_local_aws
from tests.engine.tasks.test_running import wait
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.test_running import ANSWERS, prepared
from tests.kits import generate

DOMAIN = {"customize": True, "domain_name": "shop.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}
REDIRECT = "https://shop.example.com:443/"
WAITS = ("BakeMinutes", "CanaryBakeMinutes", "LinearStepMinutes")


class Load:
    """Sends requests all the time, each over a new connection, and follows no redirect.

    Attributes:
        failures: What was neither a response with the status 200 nor the redirect to HTTPS.
    """

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.ended = threading.Event()
        self._address = urlsplit(url).netloc

    def run(self) -> None:
        while not self.ended.wait(0.01):
            connection = http.client.HTTPConnection(self._address, timeout=60)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
                if answer.status != 200 and (answer.status, answer.headers["Location"]) != (301, REDIRECT):
                    self.failures.append(f"{answer.status} {answer.headers['Location']}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()


@contextmanager
def load(*urls: str) -> Iterator[tuple[Load, ...]]:
    found = tuple(Load(url) for url in urls)
    threads = [threading.Thread(target=one.run) for one in found]
    for thread in threads:
        thread.start()
    try:
        yield found
        for one in found:
            wait(lambda one=one: bool(one.statuses) or bool(one.failures), 60)
    finally:
        for one in found:
            one.ended.set()
        for thread in threads:
            thread.join()
    assert [one.failures for one in found] == [[] for _ in found]


class Live:
    """The environment `live` of a service, with its files with and without a domain."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.without = Account(aws.variables, generate(folder / "without", **ANSWERS))
        self.domain = Account(aws.variables, generate(folder / "with", **ANSWERS, **DOMAIN))
        # Both change the same stacks: no two change sets have one name.
        self.without._numbers = self.domain._numbers
        self.name = f"{self.domain.app}-live"
        self.role = f"arn:aws:iam::000000000000:role/{self.domain.app}/deploy/{self.name}-deploy"
        self.image = prepared(self.domain, folder / "with")
        self.released = 0
        for kind in ("network", "environment", "alarms"):
            self.domain.apply(f"live-{kind}", f"{kind}.yaml", f"live/{kind}.json", self.role)

    def release(self, account: Account, strategy: str) -> None:
        """Release a new version."""
        self.released += 1
        version = f"{self.released:012d}"
        task = account.apply(
            "live-task-definition",
            "live/task-definition.yaml",
            "",
            self.role,
            ImageUri=self.image,
            Version=version,
        )
        waits = dict.fromkeys(WAITS, "1")
        account.apply(
            "live-service", "service.yaml", "live/service.json", self.role, DeploymentStrategy=strategy, **waits, **task
        )

    def environment(self, account: Account) -> dict[str, str]:
        return account.apply("live-environment", "environment.yaml", "live/environment.json", self.role)

    def weights(self, rule: str) -> list[int]:
        (found,) = self.domain.client("elbv2").describe_rules(RuleArns=[rule])["Rules"]
        return [one["Weight"] for one in found["Actions"][0]["ForwardConfig"]["TargetGroups"]]

    def add_domain(self, environment: dict[str, str]) -> dict[str, str]:
        """What the pipeline does before the service: the rule begins with the weights of that on port 80."""
        primary, alternate = map(str, self.weights(environment["ProductionRuleArn"]))
        return self.domain.apply(
            "live-domain",
            "domain.yaml",
            "live/domain.json",
            self.role,
            LoadBalancerHostedZoneId=environment["LoadBalancerHostedZoneId"],
            PrimaryWeight=primary,
            AlternateWeight=alternate,
        )

    def records(self) -> list[dict[str, Any]]:
        found = self.domain.client("route53").list_resource_record_sets(HostedZoneId=DOMAIN["hosted_zone_id"])
        return [one for one in found["ResourceRecordSets"] if one["Type"] == "A"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_domain_comes_and_goes_without_a_lost_request(tmp_path: Path) -> None:
    with running_local_aws(runs=True, speed=120) as aws:
        live = Live(aws, tmp_path)
        live.release(live.without, "ROLLING")
        for strategy in ("ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"):
            http = live.environment(live.without)
            plain = http["ProductionRuleArn"]
            shifts = strategy != "ROLLING"
            with load(http["ServiceUrl"]) as (over_http,):
                if shifts:
                    live.release(live.without, strategy)
                before = live.weights(plain)
                assert before == ([0, 100] if shifts else [100, 0])
                https = live.add_domain(live.environment(live.domain))
                secure = https["ProductionRuleArn"]
                assert live.weights(secure) == before
                with load(https["ServiceUrl"]) as (over_https,):
                    live.release(live.domain, strategy)
                    # The release itself was a shift of the rule that the service names now; that on port 80 follows.
                    assert live.weights(secure) == live.weights(plain) == [100, 0]
                    wait(lambda: over_http.statuses[301] > 0, 60)
                    assert live.records()[0]["Name"] == "shop.example.com."

                    live.release(live.without, "ROLLING")
                    live.environment(live.without)
                    answered = over_http.statuses[200]
                    wait(lambda: over_http.statuses[200] > answered, 60)  # noqa: B023
                assert set(over_https.statuses) == {200}
                live.domain.delete("live-domain")
            assert set(over_http.statuses) == {200, 301}
            assert live.records() == []
            assert live.weights(plain) == [100, 0]
        assert live.domain.client("acm").list_certificates()["CertificateSummaryList"] == []
