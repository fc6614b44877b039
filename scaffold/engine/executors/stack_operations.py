"""Operations on stacks: start one, wait for its end, and say why it failed."""

from __future__ import annotations

import threading
from typing import Any

from botocore.exceptions import ClientError

from scaffold.engine.executors.clients import message_of

Document = dict[str, Any]
# Most operations are short.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.4
_SUCCESSFUL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")
_NOTHING_CHANGES = ("No updates are to be performed", "didn't contain changes", "no changes")


class OperationFailed(Exception):
    """An operation on a stack failed. The text is for people."""


class Abandoned(Exception):
    """The outcome of the operation no longer matters."""


class StackOperations:
    """One stack, with CloudFormation's API.

    Args:
        cloudformation: The client.
        name: The stack's name.
        abandoned: Set when nobody waits for the operation any more.
    """

    def __init__(self, cloudformation: Any, name: str, abandoned: threading.Event) -> None:
        self._api = cloudformation
        self.name = name
        self._abandoned = abandoned
        self._seconds = _FIRST_PAUSE

    def describe(self, name: str = "") -> Document | None:
        """The stack, or None if it does not exist."""
        try:
            found: Document = self._api.describe_stacks(StackName=name or self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in message_of(error):
                return None
            raise
        return found

    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return {one["OutputKey"]: one["OutputValue"] for one in (self.describe() or {}).get("Outputs", [])}

    def last_event(self) -> str:
        """The id of the latest event, or an empty text if there is no stack."""
        try:
            return str(self._api.describe_stack_events(StackName=self.name)["StackEvents"][0]["EventId"])
        except (ClientError, IndexError):
            return ""

    def wait(self, stack_id: str, before: str) -> None:
        """Wait until no operation is in progress.

        Args:
            stack_id: The stack's id, with which it is found after its deletion too.
            before: The id of the latest event before the operation.

        Raises:
            OperationFailed: The operation failed, or was rolled back.
        """
        while True:
            stack = self.describe(stack_id)
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            if not status.endswith("_IN_PROGRESS"):
                break
            self._pause()
        if status not in _SUCCESSFUL:
            raise OperationFailed(self._reason(stack_id, status, before))

    def wait_for_change_set(self, change_set: str) -> str:
        """Wait until a change set is created.

        Returns:
            The reason why it contains no changes, or an empty text.

        Raises:
            OperationFailed: It cannot be created.
        """
        while True:
            described = self._api.describe_change_set(StackName=self.name, ChangeSetName=change_set)
            if described["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            self._pause()
        reason = str(described.get("StatusReason", ""))
        if described["Status"] == "CREATE_COMPLETE":
            return ""
        if changes_nothing(reason):
            return reason
        raise OperationFailed(reason or f"The change set has the status {described['Status']}")

    def _pause(self) -> None:
        if self._abandoned.wait(self._seconds):
            raise Abandoned
        self._seconds = min(1.5 * self._seconds, _LONGEST_PAUSE)

    def _reason(self, stack_id: str, status: str, before: str) -> str:
        """Why an operation failed: the first resource that failed, without the consequences of its failure; without
        one, why the stack itself was rolled back.
        """
        failed, rolled_back = [], ""
        for event in self._events(stack_id):
            if event["EventId"] == before:
                break
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and reason and "cancelled" not in reason.lower():
                failed.append(event)
            if event.get("PhysicalResourceId") == stack_id and event["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS"):
                rolled_back = reason
        prefix = f"The stack {self.name} has the status {status}"
        if not failed:
            return f"{prefix}: {rolled_back}" if rolled_back else f"{prefix}."
        first = failed[-1]
        return f"{prefix}: {first['LogicalResourceId']}: {first['ResourceStatusReason']}"

    def _events(self, stack_id: str) -> list[Document]:
        pages = self._api.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        return [event for page in pages for event in page["StackEvents"]]


def changes_nothing(message: str) -> bool:
    """Whether an error or a status says that there is nothing to update."""
    return any(text in message for text in _NOTHING_CHANGES)
