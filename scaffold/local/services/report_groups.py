"""Emulates CodeBuild's report groups and reports, which ministack's CodeBuild lacks."""

from __future__ import annotations

import time
import uuid

from scaffold.engine.builds.reports import Report
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError

_EXPIRES_SECONDS = 30 * 24 * 3600
_PAGE = 100


class ReportGroups(AwsService):
    """Report groups, and the reports of builds that have run."""

    name = "codebuild"
    invalid_input = "InvalidInputException"

    #: The operations of CodeBuild's API that are emulated here; ministack has the others.
    operations = (
        "BatchGetReportGroups",
        "BatchGetReports",
        "CreateReportGroup",
        "DeleteReport",
        "DeleteReportGroup",
        "DescribeTestCases",
        "ListReportGroups",
        "ListReports",
        "ListReportsForReportGroup",
        "UpdateReportGroup",
    )

    def __init__(self) -> None:
        self._all: dict[str, Document] = {}
        self._reports: dict[str, Document] = {}
        self._cases: dict[str, list[Document]] = {}

    def find(self, arn: str) -> Document | None:
        """A report group."""
        return self._all.get(arn)

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
        group = self._group(call.parameters["arn"])
        group |= call.parameters | {"lastModified": time.time()}
        return {"reportGroup": group}

    def delete_report_group(self, call: Call) -> Document:
        """Delete a report group. No error if it does not exist."""
        arn = call.parameters["arn"]
        reports = self._reports_of(arn)
        if reports and not call.parameters.get("deleteReports"):
            raise ServiceError("InvalidInputException", f"Report group {arn} cannot be deleted: it contains reports")
        for report in reports:
            self._forget(report["arn"])
        self._all.pop(arn, None)
        return {}

    def batch_get_report_groups(self, call: Call) -> Document:
        """Describe report groups."""
        wanted = call.parameters["reportGroupArns"]
        return {
            "reportGroups": [self._all[arn] for arn in wanted if arn in self._all],
            "reportGroupsNotFound": [arn for arn in wanted if arn not in self._all],
        }

    def list_report_groups(self, call: Call) -> Document:
        """List the ARNs of report groups."""
        return _page(call, "reportGroups", [arn for arn in self._all if f":{call.region}:" in arn])

    def list_reports(self, call: Call) -> Document:
        """List the ARNs of reports, the newest first unless the order is ascending."""
        return self._listed(call, [one for one in self._reports.values() if f":{call.region}:" in one["arn"]])

    def list_reports_for_report_group(self, call: Call) -> Document:
        """List the ARNs of a group's reports."""
        return self._listed(call, self._reports_of(self._group(call.parameters["reportGroupArn"])["arn"]))

    def batch_get_reports(self, call: Call) -> Document:
        """Describe reports."""
        wanted = call.parameters["reportArns"]
        return {
            "reports": [self._reports[arn] for arn in wanted if arn in self._reports],
            "reportsNotFound": [arn for arn in wanted if arn not in self._reports],
        }

    def describe_test_cases(self, call: Call) -> Document:
        """List the tests of a report, or those of a status or with a word in their name."""
        arn, wanted = call.parameters["reportArn"], call.parameters.get("filter", {})
        if arn not in self._cases:
            raise ServiceError("ResourceNotFoundException", f"{arn} does not exist")
        found = [
            case
            for case in self._cases[arn]
            if wanted.get("status", case["status"]) == case["status"] and wanted.get("keyword", "") in case["name"]
        ]
        return _page(call, "testCases", found)

    def delete_report(self, call: Call) -> Document:
        """Delete a report. No error if it does not exist."""
        self._forget(call.parameters["arn"])
        return {}

    def store(self, region: str, build: Document, group: str, report: Report) -> str:
        """Store a report of a build.

        Args:
            build: The build in the form of BatchGetBuilds.
            group: The name or the ARN of the report group, which is created if it does not exist.

        Returns:
            The ARN of the report.
        """
        found = group_arn(region, group)
        if found not in self._all:
            name = found.rpartition("/")[2]
            given = {"name": name, "type": "TEST", "exportConfig": {"exportConfigType": "NO_EXPORT"}}
            self.create_report_group(Call("CreateReportGroup", given, region))
        arn = f"{found.replace(':report-group/', ':report/')}:{uuid.uuid4()}"
        now = time.time()
        self._cases[arn] = [
            {
                "reportArn": arn,
                "testRawDataPath": case.path,
                "prefix": case.suite,
                "name": case.name,
                "status": case.status,
                "durationInNanoSeconds": case.nanoseconds,
                "message": case.message,
                "testSuiteName": case.suite,
                "expired": now + _EXPIRES_SECONDS,
            }
            for case in report.cases
        ]
        summary = {
            "total": len(report.cases),
            "statusCounts": report.counts,
            "durationInNanoSeconds": sum(case.nanoseconds for case in report.cases),
        }
        self._reports[arn] = {
            "arn": arn,
            "type": "TEST",
            "name": report.name,
            "reportGroupArn": found,
            "executionId": build["arn"],
            "status": report.status,
            "created": now,
            "expired": now + _EXPIRES_SECONDS,
            "exportConfig": self._all[found].get("exportConfig", {"exportConfigType": "NO_EXPORT"}),
            "truncated": False,
            "testSummary": summary,
        }
        return arn

    def _group(self, arn: str) -> Document:
        if arn not in self._all:
            raise ServiceError("ResourceNotFoundException", f"{arn} does not exist")
        return self._all[arn]

    def _reports_of(self, group_arn: str) -> list[Document]:
        return [report for report in self._reports.values() if report["reportGroupArn"] == group_arn]

    @staticmethod
    def _listed(call: Call, reports: list[Document]) -> Document:
        wanted = call.parameters.get("filter", {}).get("status")
        arns = [report["arn"] for report in reports if wanted in (None, report["status"])]
        return _page(call, "reports", arns if call.parameters.get("sortOrder") == "ASCENDING" else arns[::-1])

    def _forget(self, arn: str) -> None:
        self._reports.pop(arn, None)
        self._cases.pop(arn, None)


def group_arn(region: str, group: str) -> str:
    """The ARN of a report group by its name or ARN."""
    return group if group.startswith("arn:") else f"arn:aws:codebuild:{region}:{ACCOUNT}:report-group/{group}"


def _page(call: Call, name: str, found: list[str] | list[Document]) -> Document:
    first = int(call.parameters.get("nextToken", 0))
    last = first + call.parameters.get("maxResults", _PAGE)
    return {name: found[first:last], **({"nextToken": str(last)} if last < len(found) else {})}
