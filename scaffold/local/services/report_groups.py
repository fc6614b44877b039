"""Emulates CodeBuild's report groups, which ministack's CodeBuild lacks."""

from __future__ import annotations

import time

from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError


class ReportGroups(AwsService):
    """Report groups. They never have reports."""

    name = "codebuild"
    invalid_input = "InvalidInputException"

    #: The operations of CodeBuild's API that are emulated here; ministack has the others.
    operations = (
        "BatchGetReportGroups",
        "CreateReportGroup",
        "DeleteReportGroup",
        "UpdateReportGroup",
    )

    def __init__(self) -> None:
        self._all: dict[str, Document] = {}

    def create_report_group(self, call: Call) -> Document:
        """Create a report group."""
        arn = f"arn:aws:codebuild:{call.region}:{ACCOUNT}:report-group/{call.parameters['name']}"
        if arn in self._all:
            raise ServiceError("ResourceAlreadyExistsException", f"{arn} already exists")
        now = time.time()
        self._all[arn] = {"status": "ACTIVE", "tags": [], **call.parameters, "arn": arn}
        self._all[arn] |= {"created": now, "lastModified": now}
        return {"reportGroup": self._all[arn]}

    def update_report_group(self, call: Call) -> Document:
        """Update a report group."""
        group = self._all.get(call.parameters["arn"])
        if group is None:
            raise ServiceError("ResourceNotFoundException", f"{call.parameters['arn']} does not exist")
        group |= call.parameters | {"lastModified": time.time()}
        return {"reportGroup": group}

    def delete_report_group(self, call: Call) -> Document:
        """Delete a report group. No error if it does not exist."""
        self._all.pop(call.parameters["arn"], None)
        return {}

    def batch_get_report_groups(self, call: Call) -> Document:
        """Describe report groups."""
        wanted = call.parameters["reportGroupArns"]
        return {
            "reportGroups": [self._all[arn] for arn in wanted if arn in self._all],
            "reportGroupsNotFound": [arn for arn in wanted if arn not in self._all],
        }
