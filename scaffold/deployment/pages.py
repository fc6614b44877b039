"""The pages of a service: its own, and those of the AWS console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scaffold.aws import console_pages, pipeline_state
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result
from scaffold.deployment.addresses import service_url
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.scope import check_environment
from scaffold.service import identity
from scaffold.service.service import Service
from scaffold.service.stack_kinds import ENVIRONMENT, StackId

SERVICE, PIPELINE, DASHBOARD, REPOSITORY = "service", "pipeline", "dashboard", "repository"
#: The pages of an environment; the others belong to the whole service.
OF_ENVIRONMENT = (SERVICE, DASHBOARD)
_WITHOUT_CONSOLE = {
    PIPELINE: "`scaffold status` shows the pipeline.",
    DASHBOARD: "`scaffold status` shows the alarms.",
    REPOSITORY: "`git log` shows the commits of the clone.",
}


@dataclass(frozen=True)
class OpenResult(Result):
    """A page of a service.

    Attributes:
        page: `service`, `pipeline`, `dashboard` or `repository`.
        environment: Whose page it is; None for a page of the whole service.
        opened: Whether it was opened in a browser.
    """

    command: ClassVar[str] = "open"

    service: str
    account: str
    region: str
    local: bool
    page: str
    environment: str | None
    url: str
    opened: bool = False


def find_page(session: Session, service: Service, page: str, environment: str | None) -> OpenResult:
    """The address of a page.

    Args:
        page: One of this module's constants.
        environment: Whose page; None for production's, or for a page of the whole service.

    Raises:
        UsageError: No such environment.
        ScaffoldError: There is no such page, or another service of the same name is deployed.
    """
    check_environment(service, service.environments, environment)
    if session.target.local and page != SERVICE:
        raise ScaffoldError(f"Local AWS has no console, so there is no page of the {page}.", _WITHOUT_CONSOLE[page])
    app = service.app_name
    pipeline_state.stages(session, app)
    stacks, _ = live_stacks(session, service, identity.root_commit(service), "scaffold open")
    whose = (environment or service.production) if page in OF_ENVIRONMENT else None
    if page == PIPELINE:
        url = console_pages.pipeline(session, app)
    elif page == REPOSITORY:
        url = console_pages.repository(session, app)
    elif page == DASHBOARD:
        url = console_pages.dashboard(session, app, str(whose))
    else:
        url = service_url(stacks, str(whose)) or ""
        if not url:
            raise ScaffoldError(
                f"{whose} of {app} has no URL in {session.title} before its first release.",
                "`scaffold status` shows what the pipeline is doing.",
            )
        # A template may say anything, and a browser opens more than web pages.
        if not url.startswith(("http://", "https://")):
            raise ScaffoldError(
                f"The output ServiceUrl of the stack {StackId(ENVIRONMENT, whose).name(app)} is no HTTP address.",
                "Fix it in infrastructure/environment.yaml.",
            )
    return OpenResult(app, session.account, session.region, session.target.local, page, whose, url)
