"""Service Quotas: codes, values and usage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.service_quotas import BUILDS, ELASTIC_IPS, ON_DEMAND_VCPUS, SPOT_VCPUS, VPCS, QuotaId

from ..account import code, said
from ..builds import answers
from ..registry import probe
from ..sandbox import Sandbox
from ..verdicts import Unavailable, Undecided, Verdict, decided, proved, refuted

_QUOTAS = (VPCS, ELASTIC_IPS, ON_DEMAND_VCPUS, SPOT_VCPUS, *BUILDS.values())
_MISSING = "NoSuchResourceException"
_LIMIT = "AccountLimitExceededException"
# CodeBuild may queue several builds for each that may run at once.
_FEW_BUILDS, _QUEUED = 2, 6
_SLEEP = "version: 0.2\nphases: {build: {commands: [sleep 120]}}\n"


def _applied(sandbox: Sandbox, quota: QuotaId) -> dict[str, Any] | str:
    """A quota as GetServiceQuota has it, or the error code with which that is refused."""
    quotas = sandbox.client("service-quotas")
    try:
        answer = quotas.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
    except ClientError as error:
        return code(error)
    found: dict[str, Any] = answer["Quota"]
    return found


def _default(sandbox: Sandbox, quota: QuotaId, region: str = "") -> dict[str, Any] | str:
    """The default of a quota, or the message with which it is refused."""
    quotas = sandbox.client("service-quotas", region)
    try:
        answer = quotas.get_aws_default_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
    except (ClientError, BotoCoreError) as error:
        return said(error)
    found: dict[str, Any] = answer["Quota"]
    return found


@probe("quota-codes")
def quota_codes(sandbox: Sandbox) -> Verdict:
    """Each quota, in each region that the account uses."""
    regions = [one["RegionName"] for one in sandbox.client("ec2").describe_regions()["Regions"]]
    pairs = [(region, quota) for region in regions for quota in _QUOTAS]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pair: _default(sandbox, pair[1], pair[0]), pairs))
    unknown: list[str] = []
    unread: list[str] = []
    renamed: list[str] = []
    for (region, quota), answer in zip(pairs, answers, strict=True):
        if isinstance(answer, str):
            # Policies of the organization may deny a region, and not all regions are always there.
            (unknown if answer.startswith(_MISSING) else unread).append(
                f"{quota.service} {quota.code} in {region} ({answer})"
            )
        elif answer.get("QuotaName", quota.name) != quota.name:
            renamed.append(f"{quota.code} in {region} is {answer['QuotaName']!r}")
    wrong = unknown + renamed
    if unread and not wrong:
        raise Undecided(f"quotas could not be read: {'; '.join(unread)}")
    evidence = "; ".join(wrong) or f"{len(_QUOTAS)} quotas are known under their codes in {len(regions)} regions"
    return decided(not wrong, evidence)


@probe("quota-without-value")
def quota_without_value(sandbox: Sandbox) -> Verdict:
    """Each quota of which the account has the default value only."""
    answers = {quota.code: _applied(sandbox, quota) for quota in _QUOTAS}
    refusals = {one: answer for one, answer in answers.items() if isinstance(answer, str)}
    if not refusals:
        raise Undecided("GetServiceQuota returns a value of each of the quotas in this account")
    evidence = ", ".join(f"{one}: {answer}" for one, answer in refusals.items())
    if set(refusals.values()) != {_MISSING}:
        raise Undecided(f"GetServiceQuota was refused for another reason: {evidence}")
    return proved(evidence)


@probe("new-account-quotas")
def new_account_quotas(sandbox: Sandbox) -> Verdict:
    """Quotas whose value in the account is lower than the default."""
    lower = []
    for quota in _QUOTAS:
        applied, default = _applied(sandbox, quota), _default(sandbox, quota)
        if not isinstance(applied, str) and not isinstance(default, str) and applied["Value"] < default["Value"]:
            lower.append(f"{quota.name} is {applied['Value']:g} in place of {default['Value']:g}")
    if lower:
        return proved("GetServiceQuota returns lower values than the defaults: " + ", ".join(lower))
    raise Undecided("no quota of this account is lower than the default; only a new account has such quotas")


@probe("builds-by-compute-type")
def builds_by_compute_type(sandbox: Sandbox) -> Verdict:
    """A build of another compute type, while an account that runs few builds at once runs no more small ones."""
    quota = _applied(sandbox, BUILDS["LINUX_CONTAINER", "BUILD_GENERAL1_SMALL"])
    most = quota if isinstance(quota, str) else quota["Value"]
    if isinstance(most, str) or most > _FEW_BUILDS:
        raise Undecided(f"the quota of small builds is {most}; only a new account reaches its quota with few builds")
    codebuild, started = sandbox.client("codebuild"), []
    # Its project exists, and its build has ended.
    answers(sandbox)
    given = {"projectName": sandbox.name("sources"), "sourceTypeOverride": "NO_SOURCE", "buildspecOverride": _SLEEP}
    try:
        for _ in range(_FEW_BUILDS * _QUEUED + 1):
            try:
                started.append(codebuild.start_build(**given)["build"]["id"])
            except ClientError as error:
                if code(error) != _LIMIT:
                    raise
                break
        else:
            raise Undecided(f"{len(started)} small builds were accepted at once")
        try:
            other = codebuild.start_build(**given, computeTypeOverride="BUILD_GENERAL1_MEDIUM")["build"]["id"]
        except ClientError as error:
            if code(error) != _LIMIT:
                raise
            return refuted(f"{len(started)} small builds run, and a medium one is refused: {said(error)}")
        started.append(other)
        return proved(f"{len(started) - 1} small builds run, another one is refused, and a medium one is accepted")
    finally:
        for identifier in started:
            codebuild.stop_build(id=identifier)


@probe("fargate-usage", scenario="service")
def fargate_usage(sandbox: Sandbox) -> Verdict:
    """The usage of the two Fargate quotas in CloudWatch, while tasks of two clusters run."""
    # Afterwards, few tasks start or end.
    sandbox.after("service", "second release")
    metrics = {}
    for quota in (ON_DEMAND_VCPUS, SPOT_VCPUS):
        default = _default(sandbox, quota)
        metric = {} if isinstance(default, str) else default.get("UsageMetric", {})
        if not metric:
            raise Undecided(f"Service Quotas names no metric for the usage of {quota.name}")
        metrics[quota.name] = metric
    found: list[str] = []

    def equal() -> bool:
        usage = {name: _latest(sandbox, metric) for name, metric in metrics.items()}
        running = _running(sandbox)
        found[:] = [f"tasks of {running:g} vCPUs run in all clusters, and CloudWatch counts {usage}"]
        return sum(usage.values()) == running > 0

    try:
        # The metrics are some minutes late, and other probes start and stop tasks meanwhile.
        sandbox.wait(equal, "the update of the metrics", 900)
    except Unavailable as late:
        raise Undecided(f"the two were never equal within 15 minutes: {found[0]}") from late
    return proved(*found)


def _latest(sandbox: Sandbox, metric: dict[str, Any]) -> float:
    now = datetime.now(UTC)
    dimensions = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
    points = sandbox.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=dimensions,
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return float(max(points, key=lambda one: one["Timestamp"])["Maximum"]) if points else 0.0


def _running(sandbox: Sandbox) -> float:
    """The vCPUs of the account's Fargate tasks."""
    ecs, found = sandbox.client("ecs"), 0.0
    for cluster in ecs.list_clusters()["clusterArns"]:
        tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
        described = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"] if tasks else []
        found += sum(int(one["cpu"]) / 1024 for one in described if one.get("launchType") == "FARGATE")
    return found
