"""The longest that AWS accepts of each derived name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaffold.service import names, project_names
from scaffold.service.stack_kinds import stack_ids


@dataclass(frozen=True)
class Limit:
    """A derived name, and the longest that AWS accepts.

    Sources, checked 2026-11-21: `maxLength` and `pattern` of the botocore 1.43 API models, and where these say
    nothing, the quotas page of the service named beside the limit.
    """

    what: str
    name: str
    longest: int

    @property
    def fits(self) -> bool:
        """Whether the name is within its limit."""
        return len(self.name) <= self.longest


def limits(app: str, environments: Iterable[str]) -> list[Limit]:
    """Every fixed name of a service with its limit."""
    environments = list(environments)
    found = [Limit("stack", stack.name(app), 128) for stack in stack_ids(environments)]
    found += [
        Limit("CodeCommit repository", names.repository(app), 100),
        Limit("ECR repository", names.repository(app), 256),
        Limit("pipeline", names.pipeline(app), 100),
        *(
            Limit("approval rule template", names.approval_rule_template(app, rule), 100)
            for rule in names.APPROVAL_RULES
        ),
        Limit("build project", project_names.build(app), 150),  # CodeBuild user guide, quotas
        Limit("checks project", project_names.checks(app), 150),
        Limit("tests project", project_names.tests(app), 150),
        Limit("load test project", project_names.load_test(app), 150),
        Limit("merge gate project", project_names.gate(app), 150),
        Limit("tests project", project_names.pull_request_tests(app), 150),
        Limit("verdict project", project_names.verdict(app), 150),
        Limit("role", names.verdict_role(app), 64),
        Limit("release project", project_names.release(app), 150),
        Limit("report group", project_names.report_group(app), 128),
    ]
    for owner in (None, *environments):
        found += [
            Limit("managed policy", names.boundary_policy(app, owner), 128),
            Limit("IAM path", names.role_path(app, owner), 512),
            Limit("role", names.deploy_role(app, owner).rpartition("/")[2], 64),
        ]
    for environment in environments:
        found += [
            Limit("ECS cluster", names.cluster(app, environment), 255),  # ECS API reference, CreateCluster
            Limit("task definition family", names.task_family(app, environment), 255),
            Limit("log group", names.log_group(app, environment), 512),
            Limit("pipeline stage", names.pipeline_stage(environment), 100),
        ]
    return found
