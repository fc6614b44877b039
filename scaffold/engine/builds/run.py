"""Runs one build: does what the phases ask for, and tells them how it went."""

from __future__ import annotations

import os
import shutil
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.builds import buildspec, coverage, files, phases, reports, sources, tools, variables
from scaffold.engine.builds.log import BuildLog
from scaffold.engine.builds.phases import State, step
from scaffold.engine.builds.request import artifact_key
from scaffold.engine.builds.shell import Shell
from scaffold.engine.builds.surroundings import Surroundings
from scaffold.engine.clock import Clock

Document = dict[str, Any]

_DEFAULT_BUILDSPEC = "buildspec.yml"


@dataclass(frozen=True)
class Watcher:
    """What is told of a build.

    Attributes:
        changed: Called after each change of its phase or status.
        reported: Takes a report, and returns its ARN.
        send: Takes lines of its log.
        open_log: Creates its log stream, and returns why that is denied, or an empty text.
    """

    changed: Callable[[], None]
    reported: Callable[[str, reports.Report | coverage.Coverage], str]
    send: Callable[[list[Document]], None]
    open_log: Callable[[], str] = str


class BuildRun:
    """One build.

    Args:
        build: Its properties in the form of BatchGetBuilds, to which the run adds.
        artifacts: Where the artifacts go, in the form of a project.
        resolved_version: The version of the source that the caller knows; empty to take that of the source.
    """

    def __init__(
        self,
        build: Document,
        artifacts: Document,
        region: str,
        surroundings: Surroundings,
        resolved_version: str,
        watcher: Watcher,
    ) -> None:
        self.build = build
        self.state = State()
        self._artifacts = artifacts
        self._region = region
        self._surroundings = surroundings
        self._resolved_version = resolved_version
        self._watcher = watcher
        self._folder = surroundings.root / build["id"].rpartition(":")[2]
        self._source = self._folder / "src"
        self._end: phases.Ended | None = None
        self._shell: Shell | None = None
        self._spec = buildspec.Buildspec()
        self._log: BuildLog
        self._output = -1
        self._clock = Clock()

    def run(self) -> None:
        """Run the build to its end, in the calling thread."""
        self._log = BuildLog(self._watcher.send)
        timer = threading.Timer(self.build["timeoutInMinutes"] * 60, self.end, [phases.Ended("TIMED_OUT")])
        timer.daemon = True
        timer.start()
        try:
            used = self._surroundings.engine
            engine = f"with {used.title} for its images" if used else "without a container engine"
            self._log.say(f"This build runs on this machine, {engine}, for local AWS")
            effect = self._advance(phases.Submitted())
            while effect is not None and not isinstance(effect, phases.Finish):
                effect = self._advance(self._safely_do(effect))
        finally:
            timer.cancel()
            if self._shell:
                self._shell.close()
                os.close(self._output)
            self._log.close()
            self._watcher.changed()
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, **values: Any) -> None:
        """Add to the description of the build, which other threads may be reading."""
        self.build = {**self.build, **values}

    def end(self, how: phases.Ended) -> None:
        """End the build from outside. May be called from any thread."""
        self._end = self._end or how
        if self._shell:
            self._shell.kill()

    def _advance(self, event: phases.Event) -> phases.Effect | None:
        before = self.state.runs
        if self._end and before:  # One that is stopped at once has been submitted first.
            event = self._end
        self.state, effect = step(self.state, event, self._clock.now())
        for index, run in enumerate(self.state.runs):
            if index >= len(before):
                self._log.say(f"Entering phase {run.kind}")
            if run.ended is not None and (index >= len(before) or before[index].ended is None):
                self._log.say(f"Phase complete: {run.kind} State: {run.status}")
                self._log.say(f"Phase context status code: {run.code} Message: {run.message}")
        if not isinstance(effect, phases.Finish):  # The end is told when no process is left.
            self._watcher.changed()
        return effect

    def _safely_do(self, effect: phases.Effect) -> phases.Event:
        try:
            return self._do(effect)
        except Exception as error:
            traceback.print_exc()  # The log of local AWS.
            return phases.Ended("FAULT", f"{type(error).__name__}: {error}")

    def _do(self, effect: phases.Effect) -> phases.Event:
        match effect:
            case phases.Download():
                return self._download()
            case phases.Run(command, succeeding):
                assert self._shell is not None  # noqa: S101
                self._log.say(f"Running command {command}")
                code = self._shell.run(command, CODEBUILD_BUILD_SUCCEEDING=str(int(succeeding)))
                return phases.CommandEnded(command, code)
            case _:
                return self._upload()

    def _download(self) -> phases.Event:
        """Fetch the sources, read the buildspec, start the shell."""
        for name in ("home", "tmp", "shell"):
            (self._folder / name).mkdir(parents=True)
        if denied := self._watcher.open_log():
            role, arn = self.build.get("serviceRole"), self.build["arn"]
            what = f"to create Amazon CloudWatch Logs log streams for build {arn}. Error message: {denied}"
            return phases.PhaseFailed("ACCESS_DENIED", f"Service role {role} does not allow AWS CodeBuild {what}")
        reader = variables.Variables(lambda service: self._surroundings.client(service, self._region))
        try:
            extra = self._fetch()
            self._spec = self._read_buildspec()
            given = self.build["environment"]["environmentVariables"]
            own = {**reader.of_buildspec(self._spec), **reader.of_project(given)}
        except sources.NoSource as error:
            return phases.PhaseFailed("CLIENT_ERROR", str(error))
        except buildspec.InvalidBuildspec as error:
            return phases.PhaseFailed("YAML_FILE_ERROR", str(error))
        except buildspec.NotRehearsed as error:
            return phases.PhaseFailed("NOT_REHEARSED", str(error))
        except variables.Undefined as error:
            return phases.PhaseFailed("Decrypted Variables Error", str(error))
        self._log.hide(reader.hidden)
        for note in self._spec.notes:
            self._log.say(f"Not rehearsed, and ignored: {note} of the buildspec")
        environment = {**self._environment(), **extra, **own}
        self._output = self._log.pipe()
        self._shell = Shell(self._spec.shell, self._source, environment, self._output, self._folder / "shell")
        self._shell.start()
        return phases.Downloaded(self._spec.phases)

    def _fetch(self) -> dict[str, str]:
        """Fetch all sources, and return the variables that name the folders of the secondary ones."""
        home = self._folder / "home"

        def fetch(source: Document, version: str, folder: Path) -> str:
            return sources.fetch(source, version, self._region, self._surroundings, folder, home)

        version = self.build.get("sourceVersion", "")
        fetched = fetch(self.build["source"], version, self._source)
        self.add(resolvedSourceVersion=self._resolved_version or fetched or version)
        found = {}
        for source in self.build.get("secondarySources", []):
            name = source["sourceIdentifier"]
            fetch(source, "", self._folder / f"src-{name}")
            found[f"CODEBUILD_SRC_DIR_{name}"] = str(self._folder / f"src-{name}")
        return found

    def _read_buildspec(self) -> buildspec.Buildspec:
        given = self.build["source"].get("buildspec") or _DEFAULT_BUILDSPEC
        if "\n" in given:
            return buildspec.parse(given)
        if given.startswith("arn:"):
            raise buildspec.NotRehearsed("a buildspec in a bucket")
        path = self._source / given
        if not path.is_file() or not path.resolve().is_relative_to(self._source.resolve()):
            raise buildspec.InvalidBuildspec("YAML file does not exist")
        return buildspec.parse(path.read_text("utf-8", "replace"))

    def _environment(self) -> dict[str, str]:
        programs = tools.install(self._folder, self._surroundings)
        known = self._surroundings.variables
        return {
            **known,
            **variables.of_codebuild(self.build, self._region, str(self._source)),
            "HOME": str(self._folder / "home"),
            "TMPDIR": str(self._folder / "tmp"),
            "PATH": os.pathsep.join([str(programs), known["PATH"]]),
        }

    def _upload(self) -> phases.Event:
        assert self._shell is not None  # noqa: S101
        after = self._shell.variables()
        exported = [{"name": name, "value": after[name]} for name in self._spec.exported if name in after]
        self.add(exportedEnvironmentVariables=exported)
        self._shell.kill()  # The container ends with the phases.
        try:
            for name, spec in self._spec.reports.items():
                report = self._read_report(name, spec)
                self._log.say(f"Report {name}: {report.status}, {report.size}")
                self.add(reportArns=[*self.build.get("reportArns", []), self._watcher.reported(name, report)])
            self._upload_artifacts()
        except (files.NoFiles, reports.InvalidReport, reports.ReportRefused) as error:
            return phases.PhaseFailed("CLIENT_ERROR", str(error))
        except (ClientError, BotoCoreError) as error:
            return phases.PhaseFailed("CLIENT_ERROR", f"Error in UPLOAD_ARTIFACTS phase: {error}")
        return phases.Uploaded()

    def _read_report(self, name: str, spec: buildspec.Files) -> reports.Report | coverage.Coverage:
        selected = files.select(self._source, spec)
        if spec.format in coverage.FORMATS:
            return coverage.read(name, spec.format, selected)
        return reports.read(name, selected)

    def _upload_artifacts(self) -> None:
        if self._artifacts["type"] != "S3":
            return
        if self._spec.artifacts is None:
            raise files.NoFiles("no artifacts in the buildspec")
        selected = files.select(self._source, self._spec.artifacts)
        bucket, key = self._artifacts["location"], artifact_key(self._artifacts)
        client = self._surroundings.client("s3", self._region)
        if self._artifacts.get("packaging") == "ZIP":
            client.put_object(Bucket=bucket, Key=key, Body=files.archive(selected))
        else:
            for name, path in selected.items():
                client.put_object(Bucket=bucket, Key=f"{key}/{name}", Body=path.read_bytes())
