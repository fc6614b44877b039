"""The names of the CodeBuild projects of a service."""

from __future__ import annotations


def build(app: str) -> str:
    """The CodeBuild project that tests, builds and scans."""
    return f"{app}-build"


def checks(app: str) -> str:
    """The CodeBuild project that checks an environment before its deployment."""
    return f"{app}-checks"


def tests(app: str) -> str:
    """The CodeBuild project that runs smoke test and integration tests against an environment."""
    return f"{app}-tests"


def load_test(app: str) -> str:
    """The CodeBuild project that runs the load test; not every service has one."""
    return f"{app}-load-test"


def plan(app: str) -> str:
    """The CodeBuild project that plans releases."""
    return f"{app}-plan"


def gate(app: str) -> str:
    """The CodeBuild project of the merge gate."""
    return f"{app}-gate"


def release(app: str) -> str:
    """The CodeBuild project that records and tags releases."""
    return f"{app}-release"


def branches(app: str) -> str:
    """The CodeBuild project that approves a release once its pull request is merged."""
    return f"{app}-branches"


def pull_request_tests(app: str) -> str:
    """The CodeBuild project that tests pull requests."""
    return f"{app}-pr-tests"


def pull_request_plan(app: str) -> str:
    """The CodeBuild project that plans pull requests."""
    return f"{app}-pr-plan"


def verdict(app: str) -> str:
    """The CodeBuild project that comments on pull requests and approves them."""
    return f"{app}-pr-verdict"


def scan(app: str) -> str:
    """The CodeBuild project that scans what runs each night, where the service has one."""
    return f"{app}-scan"


def drift(app: str) -> str:
    """The CodeBuild project that compares what runs with what was released each night."""
    return f"{app}-drift"


def updates(app: str) -> str:
    """The CodeBuild project that updates pins, where the service has one."""
    return f"{app}-updates"


def migrate(app: str) -> str:
    """The CodeBuild project that migrates the databases of the environments, where the service has them."""
    return f"{app}-migrate"


def wake(app: str) -> str:
    """The CodeBuild project that wakes an environment for a release, where the service has one."""
    return f"{app}-wake"


def every(app: str) -> set[str]:
    """All CodeBuild projects that a service may have."""
    kinds = (
        build,
        checks,
        plan,
        gate,
        tests,
        load_test,
        migrate,
        pull_request_tests,
        pull_request_plan,
        verdict,
        release,
        scan,
        drift,
        updates,
        wake,
        branches,
    )
    return {name(app) for name in kinds}


def report_group(app: str) -> str:
    """The build's report group, as CodeBuild names it: `<project>-<report>`."""
    return f"{build(app)}-unit-tests"
