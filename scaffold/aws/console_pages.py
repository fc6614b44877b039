"""The addresses of pages in the AWS console."""

from __future__ import annotations

from scaffold.aws.session import Session
from scaffold.service import names

_DOMAINS = {"aws-us-gov": "amazonaws-us-gov.com", "aws-cn": "amazonaws.cn"}


def pipeline(session: Session, app_name: str) -> str:
    """The page of a service's pipeline."""
    return _page(session, f"codesuite/codepipeline/pipelines/{names.pipeline(app_name)}/view")


def repository(session: Session, app_name: str) -> str:
    """The page of a service's repository."""
    return _page(session, f"codesuite/codecommit/repositories/{names.repository(app_name)}/browse")


def dashboard(session: Session, app_name: str, environment: str) -> str:
    """The page of an environment's dashboard."""
    return f"{_page(session, 'cloudwatch/home')}#dashboards/dashboard/{names.dashboard(app_name, environment)}"


def _page(session: Session, path: str) -> str:
    domain = _DOMAINS.get(session.partition, "aws.amazon.com")
    return f"https://{session.region}.console.{domain}/{path}?region={session.region}"
