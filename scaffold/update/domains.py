"""What people have to do for an update that changes the names by which a service is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scaffold.update.environments import environment_names

#: The generated application answers this path, whatever its health check is.
ALWAYS_ANSWERED = "/health"


def of_domain(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What people have to do for a release that adds, changes or removes a domain."""
    had, has = (answers.get("domain_name") for answers in (before, after))
    overrides = after.get("environment_overrides") or {}
    own = [one.get("deployment_strategy") for one in overrides.values() if isinstance(one, dict)]
    if had and has:
        yield from _names_that_change(domain_names(before), domain_names(after))
    elif has and not after.get("hosted_zone_id"):
        yield (
            f"With the release, port 80 redirects to names under {has}, and without hosted_zone_id their records are "
            'yours: first create them, as "Domain" in README.md says, or requests over HTTP lead nowhere.'
        )
    elif had:
        if before.get("approve_running"):
            yield (
                "While people approve running tasks, ECS does not keep the rule on port 80 as that for HTTPS is, and "
                "the strategy gate stops a release that takes the domain away: first release a new version with "
                "approve_running=false."
            )
        if any(strategy not in (None, "rolling") for strategy in (after.get("deployment_strategy"), *own)):
            yield (
                "A release that takes the domain away may not shift traffic, which would leave requests over HTTPS "
                "without tasks, and the strategy gate stops it: first answer deployment_strategy=rolling, also in "
                "environment_overrides, with this update, and what it was after the next step."
            )
        yield (
            f"Requests over HTTPS to names under {had} are answered until `scaffold deploy`, run once more after the "
            "release, deletes the stacks of the domain: until then, let people come over HTTP instead."
        )


def _names_that_change(before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    kept = [environment for environment in before if environment in after]
    ended = [before[one][0] for one in kept if before[one][0] != after[one][0]]
    if ended:
        yield (
            f"With its release, each environment has the certificate and the record of its new name only, and "
            f"{', '.join(ended)} {'ends' if len(ended) == 1 else 'end'}: first let people come by other names."
        )
    stays = (one for one in kept if before[one][0] == after[one][0])
    given_back = [before[one][0] for one in stays if before[one][1] and not after[one][1]]
    if given_back:
        yield (
            f"Without hosted_zone_id, the release deletes the {'record' if len(given_back) == 1 else 'records'} of "
            f'{", ".join(given_back)}: create it right after it, as "Domain" in README.md says. Until then, the name '
            "leads nowhere."
        )


def domain_names(answers: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The name and the hosted zone of each environment."""
    overrides = answers.get("environment_overrides") or {}
    found = {}
    for environment in environment_names(answers):
        own = overrides.get(environment) or {}
        prefix = "" if environment == answers.get("production") else f"{environment}."
        name = own.get("domain_name", f"{prefix}{answers['domain_name']}")
        found[environment] = name, own.get("hosted_zone_id", answers.get("hosted_zone_id") or "")
    return found


def of_health_check(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What an update means for the health check, which asks for what production has until `scaffold deploy` is run."""
    old, new = _asked_for(before), _asked_for(after)
    if old and new and old != new:
        yield (
            f"From the release until `scaffold deploy` is run once more after it, Route 53 asks for {old}, and its "
            "alarm may ring."
        )
    elif old and not after.get("domain_name"):
        yield (
            f"The release ends the name of {old}, for which Route 53 asks: first turn health_check off in an update of "
            "its own, and run `scaffold deploy`, or its alarm rings."
        )


def waits_for_release(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the health check asks for what production has after the release only."""
    had, has = (answers.get("domain_name") and _url(answers) for answers in (before, after))
    return bool(after.get("health_check") and has and had != has)


def _asked_for(answers: Mapping[str, Any]) -> str:
    """The URL that the health check of production asks for; empty without one."""
    return _url(answers) if answers.get("health_check") and answers.get("domain_name") else ""


def _url(answers: Mapping[str, Any]) -> str:
    """That of the health path of production, whose service has a domain."""
    name, _ = domain_names(answers)[str(answers["production"])]
    return f"https://{name}{answers.get('health_path') or ALWAYS_ANSWERED}"
