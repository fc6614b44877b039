"""Stack events: following an operation, and finding the root cause of a failure."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation import validation
from scaffold.aws.cloudformation.templates import Resource
from scaffold.aws.cloudformation.validation import Finding
from scaffold.aws.errors import denial, says_no_such_stack
from scaffold.aws.quotas import remedy_for
from scaffold.aws.session import Session
from scaffold.console.console import Console, Live, one_line
from scaffold.core.errors import ScaffoldError

# Local AWS finishes at once and AWS takes minutes: poll often at first, then less often.
_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWDOWN = 0.1, 5.0, 1.4
# After this many polls without a new event, the stack itself is asked.
_QUIET_POLLS = 8
_STARTS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
CONSEQUENCES = ("creation cancelled", "update cancelled", "deletion cancelled", "operation cancelled")
# How EC2 refuses to delete a network or a security group in which something is that no stack of the service has.
_IN_USE = ("has dependencies and cannot be deleted", "has a dependent object")
_NO_REASONS = ("User Initiated", "Rollback complete")
_MARKS = {"COMPLETE": "✓", "FAILED": "✗", "SKIPPED": "-"}


def pauses() -> Callable[[], None]:
    """A function that sleeps, a little longer at each call."""
    pause = _FIRST_PAUSE

    def wait() -> None:
        nonlocal pause
        time.sleep(pause)
        pause = min(pause * _SLOWDOWN, _LONGEST_PAUSE)

    return wait


def newest_event(session: Session, stack: str) -> str | None:
    """The id of a stack's newest event; later ones belong to the operation that is started next."""
    events = session.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return str(events[0]["EventId"]) if events else None


@dataclass
class Watch:
    """One operation on one stack.

    Attributes:
        stack_id: The stack's id, since another stack may get its name.
        resources: The template's resources, for their descriptions.
        after: The id of the last event before the operation; None to find the operation's first event.
        fresh: Whether the stack is new, so that every event belongs to the operation.
    """

    session: Session
    stack_id: str
    name: str
    resources: dict[str, Resource] = field(default_factory=dict)
    after: str | None = None
    fresh: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""
    _quiet: int = 0

    def poll(self) -> bool:
        """Read the events since the last call; whether the operation has ended."""
        try:
            news = self._news()
        except ClientError as error:
            if not says_no_such_stack(error):
                raise
            self.status = "DELETE_COMPLETE"
            return True
        self.events += reversed(news)
        self._quiet = 0 if news else self._quiet + 1
        if self._quiet >= _QUIET_POLLS:
            self._ask_for_status()
        for event in reversed(news):
            if event.get("PhysicalResourceId") == self.stack_id:
                self.status = event["ResourceStatus"]
        return bool(self.status) and not self.status.endswith("_IN_PROGRESS")

    def _ask_for_status(self) -> None:
        """Without new events, the operation may have ended before it was watched, by another person's command."""
        self._quiet = 0
        described = self.session.client("cloudformation").describe_stacks(StackName=self.stack_id)["Stacks"][0]
        status = described["StackStatus"]
        # Before its first event the operation may not have begun; only a deletion is final in any case.
        if status == "DELETE_COMPLETE" or (self.events and not status.endswith("_IN_PROGRESS")):
            self.status = status

    def lines(self, redraws: bool, named: bool = False) -> list[str]:
        """The state of each resource; without a terminal, the resources that are finished.

        Args:
            redraws: Whether the lines replace those shown before.
            named: Whether each line names the stack, since other stacks are shown beside it.
        """
        if not redraws:
            ended = [event for event in self.events if not event["ResourceStatus"].endswith("_IN_PROGRESS")]
            return [self._line(event, self._since_start(event), named) for event in ended]
        newest = {event["LogicalResourceId"]: event for event in self.events}
        return [self._line(event, self._duration(event), named) for event in newest.values()]

    def failure(self) -> tuple[dict[str, Any], str] | None:
        """The first failed event that is not a consequence of another failure, with its reason."""
        for event in self.events:
            reason = str(event.get("ResourceStatusReason") or "")
            failed = event["ResourceStatus"].endswith("_FAILED") and event.get("PhysicalResourceId") != self.stack_id
            if failed and reason and not any(words in reason.lower() for words in CONSEQUENCES):
                return event, reason
        return None

    def own_reason(self) -> str:
        """Why CloudFormation rolled back or canceled an operation in which no resource failed; empty without one."""
        own = [event for event in self.events if event.get("PhysicalResourceId") == self.stack_id]
        reasons = (str(event.get("ResourceStatusReason") or "") for event in own)
        return next((reason for reason in reasons if reason and reason not in _NO_REASONS), "")

    def _news(self) -> list[dict[str, Any]]:
        """Events not read before, newest first."""
        seen = self.events[-1]["EventId"] if self.events else self.after
        news: list[dict[str, Any]] = []
        for page in (
            self.session.client("cloudformation")
            .get_paginator("describe_stack_events")
            .paginate(StackName=self.stack_id)
        ):
            for event in page["StackEvents"]:
                if event["EventId"] == seen:
                    return news
                news.append(event)
                if seen is None and not self.fresh and self._starts(event):
                    return news
        return news

    def _starts(self, event: dict[str, Any]) -> bool:
        return event.get("PhysicalResourceId") == self.stack_id and event["ResourceStatus"] in _STARTS

    def _line(self, event: dict[str, Any], seconds: float, named: bool) -> str:
        status, logical_id = event["ResourceStatus"], event["LogicalResourceId"]
        title = f"{self.name}/{logical_id}" if named and logical_id != self.name else logical_id
        mark = next((mark for end, mark in _MARKS.items() if status.endswith(end)), "·")
        about = self.resources.get(logical_id)
        what = about.description if about and about.description else event.get("ResourceType", "")
        state = status.lower().replace("_", " ")
        reason = (
            f": {event['ResourceStatusReason']}"
            if status.endswith("FAILED") and event.get("ResourceStatusReason")
            else ""
        )
        return f"  {mark} {seconds:4.0f} s  " + one_line(f"{title} {state} ({what}){reason}")

    def _since_start(self, event: dict[str, Any]) -> float:
        return (_time(event) - _time(self.events[0])).total_seconds()

    def _duration(self, event: dict[str, Any]) -> float:
        """Seconds since the resource's first event, until now or until its operation ended."""
        first = next(one for one in self.events if one["LogicalResourceId"] == event["LogicalResourceId"])
        working = event["ResourceStatus"].endswith("_IN_PROGRESS")
        until = datetime.now(_time(event).tzinfo) if working else _time(event)
        return max((until - _time(first)).total_seconds(), 0)


def follow(watches: list[Watch], console: Console | None) -> None:
    """Poll operations until each has ended.

    Args:
        console: Where to show their events; None to show none.
    """
    wait = pauses()
    with console.live() if console else nullcontext() as live:
        running = list(watches)
        while True:
            running = [watch for watch in running if not watch.poll()]
            if live:
                _show(watches, live)
            if not running:
                return
            wait()


def explain(watch: Watch, operation: str, again: str) -> ScaffoldError:
    """The error for a failed operation: its root cause and the remedy.

    Args:
        operation: The operation as a participle, such as `created`.
        again: The command to run again.
    """
    failure = watch.failure()
    if failure is None and (findings := _failed_validations(watch)):
        reasons = "; ".join(map(validation.sentence, findings))
        return ScaffoldError(
            f"The stack {watch.name} could not be {operation}, because of {reasons}.", _remedy(reasons, again)
        )
    if failure is None and (reason := watch.own_reason()):
        happened = f"The stack {watch.name} could not be {operation}: {one_line(reason).rstrip('.')}."
        return ScaffoldError(happened, _remedy(reason, again))
    if failure is None:
        return ScaffoldError(
            f"The stack {watch.name} could not be {operation}: it is {watch.status}.",
            f"See its events: `aws cloudformation describe-stack-events --region {watch.session.region} "
            f"--stack-name {watch.stack_id}`.",
        )
    event, reason = failure
    about = watch.resources.get(event["LogicalResourceId"])
    what = f"{event['LogicalResourceId']} ({(about and about.description) or event.get('ResourceType', '')})"
    return ScaffoldError(
        f"The stack {watch.name} could not be {operation}, because of {what}: {one_line(reason).rstrip('.')}.",
        _remedy(reason, again),
    )


def _failed_validations(watch: Watch) -> list[Finding]:
    """What stopped an operation before it worked on any resource."""
    if not watch.events:
        return []
    findings = validation.of_operation(watch.session, watch.stack_id, _time(watch.events[0]))
    return [finding for finding in findings if finding.fails]


def _remedy(reason: str, again: str) -> str:
    if remedy := remedy_for(reason):
        return remedy
    if denied := denial(reason):
        return f"Allow {denied[0]} for the role or user in that message, then run `{again}` again."
    if "as it is in use by" in reason:
        return f"Delete the stacks that use it, or update them so that they no longer do, then run `{again}` again."
    if any(words in reason for words in _IN_USE):
        return (
            "Delete what others have created there, such as rules of other security groups, or the endpoint and the "
            f"security group of GuardDuty's runtime monitoring; then run `{again}` again."
        )
    if "already exists" in reason.lower():
        return f"Delete or rename the existing resource of that name, then run `{again}` again."
    return f"Fix the cause and commit changed files, then run `{again}` again: it continues from here."


def _show(watches: list[Watch], live: Live) -> None:
    live.update([line for watch in watches for line in watch.lines(live.redraws, len(watches) > 1)])


def _time(event: dict[str, Any]) -> datetime:
    moment: datetime = event["Timestamp"]
    return moment
