"""The kinds of CloudFormation stack that a service has, in one table.

A new kind of stack is one row here and one template, `infrastructure/<name>.yaml`, with its configuration file:
`infrastructure/<name>.json`, or `infrastructure/<environment>/<name>.json` for an environment's stack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from scaffold.service.names import ENVIRONMENT_NAME


class Deployer(Enum):
    """Who updates a stack. `scaffold deploy` creates all of them."""

    PERSON = "person"  # `scaffold deploy`, with the user's own permissions
    ITSELF = (
        "itself"  # `scaffold deploy` with the deploy role of the delivery, afterwards the pipeline's own first stage
    )
    # The pipeline's stages, with the deploy role of the environment; `scaffold deploy` creates it from a placeholder.
    PIPELINE = "pipeline"


@dataclass(frozen=True)
class StackKind:
    """One kind of stack.

    Attributes:
        name: The last part of the stack's name, and its template's file name.
        deployer: Who updates it.
        per_environment: Whether each environment has one; otherwise the service has one.
        optional: Whether only services have it whose answers ask for it: those with its template.
        data: Whether it holds an environment's data, or is the role for that. It outlives the environment's other
            stacks unless its deletion is asked for.
        chosen: Whether only those environments have it whose folder has its configuration file.
        region: The region of the stack where it is always the same one; None for the service's.
    """

    name: str
    deployer: Deployer
    per_environment: bool = False
    optional: bool = False
    data: bool = False
    chosen: bool = False
    region: str | None = None

    @property
    def service_role(self) -> bool:
        """Whether CloudFormation works on it with a deploy role instead of the caller's permissions."""
        return self.deployer is not Deployer.PERSON

    @property
    def action(self) -> str:
        """The name of the pipeline's action that updates it."""
        return "".join(part.capitalize() for part in self.name.split("-"))


FOUNDATION = StackKind("foundation", Deployer.PERSON)
PERMISSIONS = StackKind("permissions", Deployer.PERSON)
DEPLOY_ROLE = StackKind("deploy-role", Deployer.PERSON, per_environment=True)
DEPLOY_OPTIONS = StackKind("deploy-options", Deployer.PERSON, per_environment=True, optional=True)
DATA_ROLE = StackKind("data-role", Deployer.PERSON, per_environment=True, optional=True, data=True)
ALARM_TOPIC = StackKind("alarm-topic", Deployer.PERSON, per_environment=True, optional=True, chosen=True)
# Of production only. Route 53 has the metrics of health checks in this region, and an alarm is where its metric is.
HEALTH_CHECK = StackKind(
    "health-check", Deployer.PERSON, per_environment=True, optional=True, chosen=True, region="us-east-1"
)
AUDIT = StackKind("audit", Deployer.PERSON, optional=True)
ACCESS_LOGS = StackKind("access-logs", Deployer.PERSON, optional=True)
BUDGET = StackKind("budget", Deployer.PERSON, optional=True)
BUILD_VPC = StackKind("build-vpc", Deployer.PERSON, optional=True)
BUILD = StackKind("build", Deployer.ITSELF)
CHECKS = StackKind("checks", Deployer.ITSELF)
PULL_REQUESTS = StackKind("pull-requests", Deployer.ITSELF)
PLANS = StackKind("plans", Deployer.ITSELF)
RELEASES = StackKind("releases", Deployer.ITSELF)
TESTS = StackKind("tests", Deployer.ITSELF)
MIGRATIONS = StackKind("migrations", Deployer.ITSELF, optional=True)
SCANS = StackKind("scans", Deployer.ITSELF, optional=True)
UPDATES = StackKind("updates", Deployer.ITSELF, optional=True)
WAKE = StackKind("wake", Deployer.ITSELF, optional=True)
EVENTS = StackKind("events", Deployer.ITSELF)
PIPELINE = StackKind("pipeline", Deployer.ITSELF)
DATA = StackKind("data", Deployer.PIPELINE, per_environment=True, optional=True, data=True)
NETWORK = StackKind("network", Deployer.PIPELINE, per_environment=True)
DATABASE = StackKind("database", Deployer.PIPELINE, per_environment=True, optional=True, data=True)
ENVIRONMENT = StackKind("environment", Deployer.PIPELINE, per_environment=True)
WAF = StackKind("waf", Deployer.PIPELINE, per_environment=True, optional=True)
TASK_DEFINITION = StackKind("task-definition", Deployer.PIPELINE, per_environment=True)
ALARMS = StackKind("alarms", Deployer.PIPELINE, per_environment=True)
DOMAIN = StackKind("domain", Deployer.PIPELINE, per_environment=True, optional=True)
SERVICE = StackKind("service", Deployer.PIPELINE, per_environment=True)

# In the order of deployment. Deletion goes the other way: a stack needs the role that created it, and exports what
# later ones import.
STACK_KINDS = (
    FOUNDATION,
    PERMISSIONS,
    DEPLOY_ROLE,
    DEPLOY_OPTIONS,
    DATA_ROLE,
    ALARM_TOPIC,
    HEALTH_CHECK,
    AUDIT,
    ACCESS_LOGS,
    BUDGET,
    BUILD_VPC,
    BUILD,
    CHECKS,
    PULL_REQUESTS,
    PLANS,
    RELEASES,
    TESTS,
    MIGRATIONS,
    SCANS,
    UPDATES,
    WAKE,
    EVENTS,
    PIPELINE,
    DATA,
    NETWORK,
    DATABASE,
    ENVIRONMENT,
    WAF,
    TASK_DEFINITION,
    ALARMS,
    DOMAIN,
    SERVICE,
)


#: Those that are given the root commit; the others import it from the foundation, which only stacks of its region can.
WITH_ROOT_COMMIT = (FOUNDATION, HEALTH_CHECK)
#: Those whose scripts are of the commit that was deployed last, which is a parameter of them.
WITH_SOURCE_COMMIT = (CHECKS, PULL_REQUESTS, PLANS, SCANS, UPDATES)
#: Those that not every service has.
OPTIONAL_KINDS = frozenset(kind for kind in STACK_KINDS if kind.optional)


@dataclass(frozen=True)
class StackId:
    """One stack of a service.

    Attributes:
        environment: None for a stack that the service has once.
    """

    kind: StackKind
    environment: str | None = None

    @property
    def asked_by(self) -> tuple[str, ...]:
        """The files of a service without which it has no such stack; none for what every service has."""
        template = (f"infrastructure/{self.kind.name}.yaml",) if self.kind.optional else ()
        own = (f"infrastructure/{self.environment}/{self.kind.name}.json",) if self.kind.chosen else ()
        return template + own

    def name(self, app: str) -> str:
        """The stack's name."""
        return "-".join(part for part in (app, self.environment, self.kind.name) if part)


def stack_ids(
    environments: Iterable[str], in_existing_vpc: Collection[str] = (), optional: Collection[StackKind] = ()
) -> Iterator[StackId]:
    """Every stack of a service with these environments, in the order of deployment.

    Args:
        in_existing_vpc: The environments that have no network of their own.
        optional: The optional kinds that the service has.
    """
    names = tuple(environments)
    for kind in STACK_KINDS:
        if kind.optional and kind not in optional:
            continue
        own = [name for name in names if kind is not NETWORK or name not in in_existing_vpc]
        yield from (StackId(kind, name) for name in own) if kind.per_environment else (StackId(kind),)


def deployed_by_scaffold(environments: Iterable[str], optional: Collection[StackKind] = ()) -> tuple[StackId, ...]:
    """The stacks that `scaffold deploy` creates from their templates, in order."""
    found = stack_ids(environments, optional=optional)
    return tuple(one for one in found if one.kind.deployer is not Deployer.PIPELINE)


def deployed_by_pipeline(environments: Iterable[str], optional: Collection[StackKind] = ()) -> tuple[StackId, ...]:
    """The stacks that `scaffold deploy` creates from a placeholder, and the pipeline updates."""
    found = stack_ids(environments, optional=optional)
    return tuple(one for one in found if one.kind.deployer is Deployer.PIPELINE)


def identify(app: str, stack: str) -> StackId | None:
    """The stack of a service that has a name, or None where the name is not that of a stack of this service."""
    rest = stack.removeprefix(f"{app}-")
    if rest == stack:
        return None
    for kind in STACK_KINDS:
        if not kind.per_environment:
            if rest == kind.name:
                return StackId(kind)
        elif rest.endswith(f"-{kind.name}"):
            environment = rest.removesuffix(f"-{kind.name}")
            if ENVIRONMENT_NAME.fullmatch(environment):
                return StackId(kind, environment)
    return None
