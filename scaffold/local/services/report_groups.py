"""Emulates CodeBuild's report groups and reports, which ministack's CodeBuild lacks."""

from __future__ import annotations

import time
import uuid

from scaffold.engine.builds.coverage import Counts, Coverage
from scaffold.engine.builds.reports import Case, Report, ReportRefused
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
        "DescribeCodeCoverages",
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
        self._coverages: dict[str, list[Document]] = {}

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

    def describe_code_coverages(self, call: Call) -> Document:
        """List the code coverage of a report's files, or of those with a share of covered lines."""
        given = call.parameters
        if given["reportArn"] not in self._coverages:
            raise ServiceError("ResourceNotFoundException", f"{given['reportArn']} does not exist")
        least, most = given.get("minLineCoveragePercentage", 0), given.get("maxLineCoveragePercentage", 100)
        found = [one for one in self._coverages[given["reportArn"]] if least <= one["lineCoveragePercentage"] <= most]
        key = "lineCoveragePercentage" if given.get("sortBy") == "LINE_COVERAGE_PERCENTAGE" else "filePath"
        found.sort(key=lambda one: one[key], reverse=given.get("sortOrder") == "DESCENDING")
        return _page(call, "codeCoverages", found)

    def delete_report(self, call: Call) -> Document:
        """Delete a report. No error if it does not exist."""
        self._forget(call.parameters["arn"])
        return {}

    def store(self, region: str, build: Document, group: str, report: Report | Coverage) -> str:
        """Store a report of a build.

        Args:
            build: The build in the form of BatchGetBuilds.
            group: The name or the ARN of the report group, which is created if it does not exist.

        Returns:
            The ARN of the report.

        Raises:
            ReportRefused: The report group has reports of the other type.
        """
        kind = "TEST" if isinstance(report, Report) else "CODE_COVERAGE"
        found = group_arn(region, group)
        if found not in self._all:
            name = found.rpartition("/")[2]
            given = {"name": name, "type": kind, "exportConfig": {"exportConfigType": "NO_EXPORT"}}
            self.create_report_group(Call("CreateReportGroup", given, region))
        if self._all[found]["type"] != kind:
            raise ReportRefused(f"the report group {found} is of the type {self._all[found]['type']}, not {kind}")
        arn = f"{found.replace(':report-group/', ':report/')}:{uuid.uuid4()}"
        now = time.time()
        expired = now + _EXPIRES_SECONDS
        if isinstance(report, Report):
            self._cases[arn] = [_case(arn, case, expired) for case in report.cases]
            summary: Document = {"testSummary": _test_summary(report)}
        else:
            self._coverages[arn] = [
                {"id": str(uuid.uuid4()), "reportARN": arn, "filePath": path, "expired": expired, **_coverage(counts)}
                for path, counts in report.files.items()
            ]
            summary = {"codeCoverageSummary": _coverage(report.total)}
        self._reports[arn] = {
            "arn": arn,
            "type": kind,
            "name": report.name,
            "reportGroupArn": found,
            "executionId": build["arn"],
            "status": report.status,
            "created": now,
            "expired": expired,
            "exportConfig": self._all[found].get("exportConfig", {"exportConfigType": "NO_EXPORT"}),
            "truncated": False,
            **summary,
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
        self._coverages.pop(arn, None)


def _case(arn: str, case: Case, expired: float) -> Document:
    return {
        "reportArn": arn,
        "testRawDataPath": case.path,
        "prefix": case.suite,
        "name": case.name,
        "status": case.status,
        "durationInNanoSeconds": case.nanoseconds,
        "message": case.message,
        "testSuiteName": case.suite,
        "expired": expired,
    }


def _test_summary(report: Report) -> Document:
    return {
        "total": len(report.cases),
        "statusCounts": report.counts,
        "durationInNanoSeconds": sum(case.nanoseconds for case in report.cases),
    }


def _coverage(counts: Counts) -> Document:
    """Counts with their percentages, which are 0 of nothing."""
    found: Document = {}
    for name, plural, covered, missed in (
        ("line", "lines", counts.lines_covered, counts.lines_missed),
        ("branch", "branches", counts.branches_covered, counts.branches_missed),
    ):
        share = 100 * covered / (covered + missed) if covered + missed else 0.0
        found |= {
            f"{name}CoveragePercentage": round(share, 2),
            f"{plural}Covered": covered,
            f"{plural}Missed": missed,
        }
    return found


def group_arn(region: str, group: str) -> str:
    """The ARN of a report group by its name or ARN."""
    return group if group.startswith("arn:") else f"arn:aws:codebuild:{region}:{ACCOUNT}:report-group/{group}"


def _page(call: Call, name: str, found: list[str] | list[Document]) -> Document:
    first = int(call.parameters.get("nextToken", 0))
    last = first + call.parameters.get("maxResults", _PAGE)
    return {name: found[first:last], **({"nextToken": str(last)} if last < len(found) else {})}
