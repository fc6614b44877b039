"""Manual approvals: wait for an answer, seven days at most."""

from __future__ import annotations

import json
import time
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.executors.clients import Clients
from scaffold.engine.pipeline.jobs import Assignment, Failed, Job, Outcome

_DEFAULT_MINUTES = 7 * 24 * 60


class ManualApproval:
    """Waits for PutApprovalResult, which the model handles, and fails after the timeout.

    Args:
        clients: The AWS clients, for the notification.
        clock: Passes the time.
    """

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock

    def __call__(self, job: Job) -> Outcome:
        """Execute an approval action."""
        assignment = job.assignment
        minutes = int(assignment.declaration.get("timeoutInMinutes", _DEFAULT_MINUTES))
        topic = assignment.configuration.get("NotificationArn")
        if topic:
            message = _notification(assignment, self._clock.now() + minutes * 60)
            subject = f"APPROVAL NEEDED: AWS CodePipeline {assignment.pipeline} for action {_name(assignment)}"
            sns = self._clients("sns", assignment.region)
            sns.publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(message))
        self._clock.wait(minutes * 60, job.ended)
        return Failed("TimedOut", f"The approval was not answered within {minutes} minutes")


def _notification(assignment: Assignment, expires: float) -> dict[str, Any]:
    given = assignment.configuration
    console = f"https://console.aws.amazon.com/codepipeline/home?region={assignment.region}"
    link = f"{console}#/view/{assignment.pipeline}"
    approval = {
        "pipelineName": assignment.pipeline,
        "stageName": assignment.stage,
        "actionName": _name(assignment),
        "token": assignment.token,
        "expires": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(expires)),
        "externalEntityLink": given.get("ExternalEntityLink"),
        "approvalReviewLink": f"{link}/{assignment.stage}/{_name(assignment)}/approve/{assignment.token}",
        "customData": given.get("CustomData"),
    }
    return {"region": assignment.region, "consoleLink": link, "approval": approval}


def _name(assignment: Assignment) -> str:
    return str(assignment.declaration["name"])
