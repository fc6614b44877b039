"""Every AWS name that follows from a service's name, and the limit that each has to fit.

Stacks, scripts and policies of the kit spell the same names in CloudFormation; a
test holds the two together. Sources of the limits, checked 2026-11-21: the
`maxLength` and `pattern` of the botocore 1.43 API models, and where these say
nothing, the quotas page of the service named beside the limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

BRANCH = "main"
TAG_SERVICE = "gitops-scaffold:service"
TAG_ENVIRONMENT = "gitops-scaffold:environment"

APP_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# No dash: `{app}-{environment}-service` can then be read backwards in one way only.
ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9]{1,11}")

# The kinds of stack that an environment has, in the order in which the pipeline makes them.
ENVIRONMENT_STACK_KINDS = ("environment", "task-definition", "service")

# What has to exist in an account before ECS, load balancers and scaling work: service principal → role.
SERVICE_LINKED_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
}

# Change sets have one name each, so that what an interrupted run leaves behind is found and replaced.
DEPLOY_CHANGE_SET = "scaffold-deploy"
PLAN_CHANGE_SET = "scaffold-plan"


def foundation_stack(app: str) -> str:
    """The stack of what holds data or trust."""
    return f"{app}-foundation"


def pipeline_stack(app: str) -> str:
    """The stack of the pipeline and its builds."""
    return f"{app}-pipeline"


def environment_stack(app: str, environment: str, kind: str) -> str:
    """One of an environment's three stacks.

    Args:
        app: The service's name.
        environment: The environment's name.
        kind: One of ENVIRONMENT_STACK_KINDS.
    """
    return f"{app}-{environment}-{kind}"


def environment_of_stack(app: str, stack: str) -> str | None:
    """The environment that a stack's name stands for, or None where it is no environment's stack of this service."""
    for kind in ENVIRONMENT_STACK_KINDS:
        prefix, suffix = f"{app}-", f"-{kind}"
        if stack.startswith(prefix) and stack.endswith(suffix):
            environment = stack[len(prefix) : len(stack) - len(suffix)]
            if ENVIRONMENT_NAME.fullmatch(environment):
                return environment
    return None


def repository(app: str) -> str:
    """The CodeCommit repository; the ECR repository and the pipeline bear the same name."""
    return app


def pipeline(app: str) -> str:
    """The CodePipeline pipeline."""
    return app


def pipeline_stage(environment: str) -> str:
    """The pipeline's stage for an environment: its title."""
    return environment[:1].upper() + environment[1:]


def approval_rule_template(app: str) -> str:
    """The CodeCommit approval rule template."""
    return f"{app}-approvals"


def cluster(app: str, environment: str) -> str:
    """An environment's ECS cluster; its service and its task definition family bear the same name."""
    return f"{app}-{environment}"


def task_family(app: str, environment: str) -> str:
    """The family of an environment's task definitions."""
    return f"{app}-{environment}"


def log_group(app: str, environment: str) -> str:
    """The log group of an environment's tasks."""
    return f"/{app}/{environment}"


def log_group_prefix(app: str) -> str:
    """What every log group of the service begins with; the closing slash keeps `shop` apart from `shop-api`."""
    return f"/{app}/"


def container_insights_log_group(app: str, environment: str) -> str:
    """The log group that ECS itself makes for a cluster with Container Insights."""
    return f"/aws/ecs/containerinsights/{cluster(app, environment)}/performance"


def build_project(app: str) -> str:
    """The CodeBuild project that tests, builds and scans."""
    return f"{app}-build"


def smoke_test_project(app: str) -> str:
    """The CodeBuild project that asks a deployed environment for its version."""
    return f"{app}-smoke-test"


def report_group(app: str) -> str:
    """The build's report group, as CodeBuild names it: `<project>-<report>`."""
    return f"{build_project(app)}-unit-tests"


def role_path(app: str) -> str:
    """The IAM path of the service's roles and of their boundary."""
    return f"/{app}/"


def boundary_policy(app: str) -> str:
    """The permissions boundary of every role that the pipeline makes."""
    return f"{app}-boundary"


def template_key(stack: str) -> str:
    """Where the artifact bucket keeps a template that is too large to be sent inline."""
    return f"scaffold/templates/{stack}.yaml"


def remote_url(app: str, region: str, profile: str | None = None) -> str:
    """The address of the CodeCommit repository for git-remote-codecommit.

    Args:
        app: The service's name.
        region: The service's region.
        profile: The AWS profile that Git should use; None for the standard credentials.
    """
    return f"codecommit::{region}://{profile}@{repository(app)}" if profile else f"codecommit::{region}://{app}"


@dataclass(frozen=True)
class Limit:
    """A derived name and how long AWS lets it be."""

    what: str
    name: str
    longest: int

    @property
    def fits(self) -> bool:
        """Whether the name is within its limit."""
        return len(self.name) <= self.longest


def limits(app: str, environments: Iterable[str]) -> list[Limit]:
    """Every fixed name of a service with the longest that AWS takes.

    Args:
        app: The service's name.
        environments: The names of its environments.
    """
    names = [
        Limit("stack", foundation_stack(app), 128),
        Limit("stack", pipeline_stack(app), 128),
        Limit("CodeCommit repository", repository(app), 100),
        Limit("ECR repository", repository(app), 256),
        Limit("pipeline", pipeline(app), 100),
        Limit("approval rule template", approval_rule_template(app), 100),
        Limit("build project", build_project(app), 150),  # CodeBuild user guide, quotas
        Limit("build project", smoke_test_project(app), 150),
        Limit("report group", report_group(app), 128),
        Limit("managed policy", boundary_policy(app), 128),
        Limit("IAM path", role_path(app), 512),
    ]
    for environment in environments:
        names += [Limit("stack", environment_stack(app, environment, kind), 128) for kind in ENVIRONMENT_STACK_KINDS]
        names += [
            Limit("ECS cluster", cluster(app, environment), 255),  # ECS API reference, CreateCluster
            Limit("task definition family", task_family(app, environment), 255),
            Limit("log group", log_group(app, environment), 512),
            Limit("pipeline stage", pipeline_stage(environment), 100),
        ]
    return names
