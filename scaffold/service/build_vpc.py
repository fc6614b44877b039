"""How the builds of a service leave a VPC: CloudFormation leaves it in a project whose template has lost it."""

from __future__ import annotations

from scaffold.service import names


def leave_commands(app: str, region: str) -> tuple[str, ...]:
    """The commands that take the builds of a service out of their VPC, one for each project."""
    projects = names.build_project(app), names.pull_request_tests_project(app)
    return tuple(leave_command(one, region) for one in projects)


def leave_command(project: str, region: str) -> str:
    """The command that takes the builds of a project out of their VPC."""
    return f"aws codebuild update-project --region {region} --name {project} --vpc-config '{{}}'"
