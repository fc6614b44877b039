"""All builds: starts them in threads, and describes them in the form of CodeBuild's API."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable
from typing import Any

from scaffold.engine.builds import phases
from scaffold.engine.builds.coverage import Coverage
from scaffold.engine.builds.log_stream import LogStream, destination
from scaffold.engine.builds.reports import Report
from scaffold.engine.builds.request import artifact_key, combine, session_name
from scaffold.engine.builds.run import BuildRun, Watcher
from scaffold.engine.builds.state_change import state_change
from scaffold.engine.builds.surroundings import Surroundings
from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream

Document = dict[str, Any]

#: Stores a report of a build. Takes the region, the build, the name of the report group or its ARN, and the report;
#: returns the report's ARN.
StoreReport = Callable[[str, Document, str, Report | Coverage], str]


class Builds:
    """The builds of all regions. Its methods may be called from any thread, and return at once.

    Args:
        store_report: Called from the thread of a build.
    """

    def __init__(self, surroundings: Surroundings, events: EventStream, store_report: StoreReport) -> None:
        self._surroundings = surroundings
        self._events = events
        self._store_report = store_report
        self._runs: dict[tuple[str, str], BuildRun] = {}
        self._given: dict[tuple[str, str], tuple[Document, Document]] = {}
        self._tokens: dict[tuple[str, str, str], BuildRun] = {}
        self._lock = threading.Lock()
        self._clock = Clock()

    def start(
        self, region: str, project: Document, given: Document, initiator: str = "", resolved_version: str = ""
    ) -> Document:
        """Start a build.

        Args:
            project: The project in the form of BatchGetProjects.
            given: The parameters of StartBuild.
            initiator: Who starts it: `codepipeline/NAME` for a pipeline.
            resolved_version: The commit, where the source itself does not say it: for the artifact of a pipeline.

        Raises:
            Refused: The parameters are not those of a build.
        """
        build = combine(project, given)
        name, number = project["name"], str(uuid.uuid4())
        identifier = f"{name}:{number}"
        arn = f"arn:aws:codebuild:{region}:{self._surroundings.account}:build/{identifier}"
        build = {
            "cache": {"type": "NO_CACHE"},
            "source": {"type": "NO_SOURCE"},
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "encryptionKey": f"arn:aws:kms:{region}:{self._surroundings.account}:alias/aws/s3",
            **build,
            "id": identifier,
            "arn": arn,
            "buildNumber": 0,
            "projectName": name,
            "startTime": self._clock.now(),
            "initiator": initiator or "root",
        }
        build["logs"] = destination(build.pop("logsConfig", {}), region, self._surroundings.account, name, number)
        artifacts, build["artifacts"] = build["artifacts"], {}
        if artifacts["type"] == "S3":
            build["artifacts"] = {"location": f"arn:aws:s3:::{artifacts['location']}/{artifact_key(artifacts)}"}
        run = self._make_run(build, artifacts, region, resolved_version)
        token = given.get("idempotencyToken", identifier)
        with self._lock:
            known = self._tokens.setdefault((region, name, token), run)
            if known is not run:
                return self._describe(known)
            numbers = [one.build["buildNumber"] for one in self._of(region, name)]
            run.add(buildNumber=max(numbers, default=0) + 1)
            self._runs[region, identifier] = run
            self._given[region, identifier] = project, {key: given[key] for key in given if key != "idempotencyToken"}
        threading.Thread(target=run.run, daemon=True, name=identifier).start()
        return self._describe(run)

    def retry(self, region: str, identifier: str) -> Document | None:
        """Start a build again, with the project and the parameters that it had; None if there is no such build."""
        known = self._given.get((region, identifier))
        return self.start(region, *known) if known else None

    def find(self, region: str, identifier: str) -> Document | None:
        """A build by its id or ARN."""
        run = self._runs.get((region, identifier.rpartition(":build/")[2]))
        return self._describe(run) if run else None

    def runs(self, region: str, identifier: str) -> bool:
        """Whether there is a build with this id that has not ended."""
        run = self._runs.get((region, identifier))
        return run is not None and "endTime" not in run.build

    def identifiers(self, region: str, project: str = "") -> list[str]:
        """The ids of builds, the newest first."""
        with self._lock:
            return [run.build["id"] for run in reversed(self._of(region, project))]

    def stop(self, region: str, identifier: str) -> Document | None:
        """Stop a build: kill its commands and all that they have started. None if there is no such build."""
        run = self._runs.get((region, identifier.rpartition(":build/")[2]))
        if run is None:
            return None
        run.end(phases.Ended("STOPPED"))
        return self._describe(run)

    def stop_all(self) -> None:
        """Stop all builds, and wait for the end of their commands."""
        for run in list(self._runs.values()):
            run.end(phases.Ended("STOPPED"))

    def _of(self, region: str, project: str = "") -> list[BuildRun]:
        """The builds of a region, or of a project in it, the oldest first."""
        runs = [run for (place, _), run in self._runs.items() if place == region]
        return [run for run in runs if project in ("", run.build["projectName"])]

    def _make_run(self, build: Document, artifacts: Document, region: str, resolved_version: str) -> BuildRun:
        run: BuildRun
        surroundings = self._surroundings.of_role(build.get("serviceRole", ""), session_name(build["id"]))

        def changed() -> None:
            self._tell(run, region)

        def reported(name: str, report: Report | Coverage) -> str:
            group = name if name.startswith("arn:") else f"{build['projectName']}-{name}"
            return self._store_report(region, run.build, group, report)

        log = LogStream(build["logs"], lambda: surroundings.client("logs", region))
        watcher = Watcher(changed, reported, log, log.open)
        run = BuildRun(build, artifacts, region, surroundings, resolved_version, watcher)
        return run

    def _tell(self, run: BuildRun, region: str) -> None:
        """Publish the start and the end of a build."""
        state = run.state
        ended = state.status != "IN_PROGRESS"
        if ended:
            run.add(endTime=state.current.started)
        elif len(state.runs) > len(("SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE")):
            return
        self._events.publish(state_change(self._describe(run), region, self._clock.now()))

    @staticmethod
    def _describe(run: BuildRun) -> Document:
        """A build in the form of BatchGetBuilds."""
        state = run.state
        described = copy.deepcopy(run.build)
        described["buildStatus"] = state.status if "endTime" in described else "IN_PROGRESS"
        described["buildComplete"] = described["buildStatus"] != "IN_PROGRESS"
        described["phases"] = [_phase(phase) for phase in state.runs]
        described["currentPhase"] = state.current.kind if state.runs else "SUBMITTED"
        return described


def _phase(run: phases.PhaseRun) -> Document:
    described: Document = {"phaseType": run.kind, "startTime": run.started}
    if run.ended is None:
        return described
    contexts = [{"statusCode": run.code, "message": run.message}]
    seconds = int(run.ended - run.started)
    ended = {"endTime": run.ended, "durationInSeconds": seconds, "phaseStatus": run.status, "contexts": contexts}
    return described | ended
