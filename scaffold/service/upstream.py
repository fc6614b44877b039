"""The repository that a clone was deployed to or cloned from, compared with the one that its answers name."""

from __future__ import annotations

import re

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import settings
from scaffold.service import names
from scaffold.service.service import Service

_ADDRESSES = (
    re.compile(r"codecommit::(?P<region>[a-z0-9-]+)://([^/@]+@)?(?P<name>[\w.-]+)/?"),
    re.compile(r"(https|ssh)://([^/@]+@)?git-codecommit\.(?P<region>[a-z0-9-]+)\.[a-z.]+/v1/repos/(?P<name>[\w.-]+)/?"),
)


def check_upstream(service: Service) -> None:
    """Refuse a service whose name or region was changed: its deployment would create a second one, unsaid.

    Raises:
        ScaffoldError: The upstream of its main is another repository of CodeCommit than its answers name.
    """
    configured = settings(service.root)
    remote = configured.get(f"branch.{names.BRANCH}.remote")
    url = configured.get(f"remote.{remote}.url", "")
    found = next((match for pattern in _ADDRESSES if (match := pattern.fullmatch(url))), None)
    wanted = names.repository(service.app_name)
    if found is None or (found["region"], found["name"]) == (service.region, wanted):
        return
    raise ScaffoldError(
        f"This clone belongs to the CodeCommit repository {found['name']} in {found['region']}, but its answers name "
        f"{wanted} in {service.region}; a deployed service keeps its name and region.",
        f"Set them back (`scaffold update --to current --data app_name={found['name']} --data "
        f"aws_region={found['region']}`) and commit; or, to create a second service beside the first, run "
        f"`git remote remove {remote}` and then the same command again.",
    )
