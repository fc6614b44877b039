"""How the builds of a service leave a VPC: CloudFormation leaves it in a project whose template has lost it."""

from __future__ import annotations

from scaffold.service import names


def leave_commands(app: str, region: str) -> tuple[str, ...]:
    """The commands that take the builds of a service out of their VPC, one for each project."""
    projects = names.build_project(app), names.pull_request_tests_project(app)
    return tuple(f"aws codebuild update-project --region {region} --name {one} --vpc-config '{{}}'" for one in projects)
