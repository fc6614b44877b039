"""The stacks of a service that are in another region than the service, found in that region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.cloudformation.stacks import Stack, find_all
from scaffold.aws.errors import may_pass, says_denied
from scaffold.aws.session import Session
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DOMAIN, STACK_KINDS, StackKind, identify

_PARTITION = "aws"
_ELSEWHERE = tuple(kind for kind in STACK_KINDS if kind.region)


def find_elsewhere(session: Session, service: Service, existing: Iterable[Stack]) -> Mapping[str, Stack]:
    """Those stacks by name; no call for a service that can have none, as in a partition without these regions.

    An organization may deny calls in other regions, and these may be out of reach. Then a service whose answers ask for
    no such stack has none.

    Args:
        existing: The account's stacks in the region of the service.
    """
    kinds = [kind for kind in _ELSEWHERE if kind.region != session.region and session.partition == _PARTITION]
    wanted = [kind for kind in kinds if kind in service.optional_kinds]
    if not wanted and not (kinds and _has_domain(service, existing)):
        return {}
    found: dict[str, Stack] = {}
    for region in sorted({str(kind.region) for kind in kinds}):
        try:
            stacks = find_all(session.in_region(region))
        except (BotoCoreError, ClientError) as error:
            denied = isinstance(error, ClientError) and says_denied(error)
            if wanted or not (denied or may_pass(error)):
                raise
            continue
        found |= {name: stack for name, stack in stacks.items() if _kind(service, name) in kinds}
    return found


def _has_domain(service: Service, existing: Iterable[Stack]) -> bool:
    """Whether it has a domain, without which nothing is created elsewhere."""
    return DOMAIN in service.optional_kinds or any(_kind(service, stack.name) is DOMAIN for stack in existing)


def _kind(service: Service, name: str) -> StackKind | None:
    stack = identify(service.app_name, name)
    return stack.kind if stack else None
