"""How the builds of a service leave a VPC: CloudFormation leaves it in a project whose template has lost it."""

from __future__ import annotations

from scaffold.service import project_names


def leave_commands(app: str, region: str) -> tuple[str, ...]:
    """The commands that take the builds of images out of their VPC, one for each project."""
    return _commands(region, project_names.build(app), project_names.pull_request_tests(app))


def tests_leave_commands(app: str, region: str, *, load_test: bool) -> tuple[str, ...]:
    """Those that take the tests of environments out of it, with the load test where there is one."""
    return _commands(region, project_names.tests(app), *([project_names.load_test(app)] * load_test))


def _commands(region: str, *projects: str) -> tuple[str, ...]:
    return tuple(f"aws codebuild update-project --region {region} --name {one} --vpc-config '{{}}'" for one in projects)
