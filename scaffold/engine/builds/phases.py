"""Which phase of a build follows which, and what a build ends with: no input, no output, no time of its own.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from scaffold.engine.builds.buildspec import PHASES, Phase


@dataclass(frozen=True)
class PhaseRun:
    """A phase as far as it has run.

    Attributes:
        status: `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `STOPPED`, `FAULT`; empty while it runs.
        code: The status code of a failure, such as `COMMAND_EXECUTION_ERROR`.
    """

    kind: str
    started: float
    ended: float | None = None
    status: str = ""
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class State:
    """A build.

    Attributes:
        plan: The phases of the buildspec, by name.
        runs: The phases so far.
        commands: The commands of the current phase that have not been started.
        final_commands: The same for `finally`.
        status: `IN_PROGRESS` until the build has ended.
    """

    plan: Mapping[str, Phase] = field(default_factory=dict)
    runs: tuple[PhaseRun, ...] = ()
    commands: tuple[str, ...] = ()
    final_commands: tuple[str, ...] = ()
    succeeding: bool = True
    status: str = "IN_PROGRESS"

    @property
    def current(self) -> PhaseRun:
        """The last phase that was entered."""
        return self.runs[-1]


@dataclass(frozen=True)
class Submitted:
    """StartBuild was called."""


@dataclass(frozen=True)
class Downloaded:
    """The source is there, and its buildspec has been read."""

    plan: Mapping[str, Phase]


@dataclass(frozen=True)
class CommandEnded:
    """A command of the current phase has ended."""

    command: str
    exit_code: int


@dataclass(frozen=True)
class Uploaded:
    """Reports and artifacts are uploaded."""


@dataclass(frozen=True)
class PhaseFailed:
    """The current phase failed for another reason than a command: no source, no buildspec, no artifact."""

    code: str
    message: str


@dataclass(frozen=True)
class Ended:
    """The build was ended from outside.

    Attributes:
        status: `STOPPED`, `TIMED_OUT` or `FAULT`.
    """

    status: str
    message: str = ""


@dataclass(frozen=True)
class Download:
    """Fetch the source and read its buildspec."""


@dataclass(frozen=True)
class Run:
    """Run a command in the build's shell."""

    command: str
    succeeding: bool


@dataclass(frozen=True)
class Upload:
    """Upload reports and artifacts."""


@dataclass(frozen=True)
class Finish:
    """The build is over."""


Event = Submitted | Downloaded | CommandEnded | Uploaded | PhaseFailed | Ended
Effect = Download | Run | Upload | Finish


def step(state: State, event: Event, now: float) -> tuple[State, Effect | None]:
    """What a build becomes by an event, and what has to be done next. Nothing follows the end of a build."""
    if state.status != "IN_PROGRESS":
        return state, None
    match event:
        case Submitted():
            for kind in ("SUBMITTED", "QUEUED", "PROVISIONING"):
                state = _leave(_enter(state, kind, now), now)
            return _enter(state, "DOWNLOAD_SOURCE", now), Download()
        case Downloaded(plan):
            return _begin(_leave(replace(state, plan=plan), now), PHASES[0], now)
        case CommandEnded(command, exit_code):
            if exit_code:
                state = _note_failure(state, command, exit_code)
            return _continue(state, now)
        case Uploaded():
            return _finish(_leave(state, now), now)
        case PhaseFailed(code, message):
            return _finish(_leave(replace(state, succeeding=False), now, "FAILED", code, message), now)
        case Ended(status, message):
            state = replace(state, commands=(), final_commands=(), succeeding=False, status=status)
            return _enter(_leave(state, now, status, "", message), "COMPLETED", now), Finish()


def _enter(state: State, kind: str, now: float) -> State:
    return replace(state, runs=(*state.runs, PhaseRun(kind, now)))


def _leave(state: State, now: float, status: str = "SUCCEEDED", code: str = "", message: str = "") -> State:
    run = replace(state.current, ended=now, status=status, code=code, message=message)
    return replace(state, runs=(*state.runs[:-1], run))


def _begin(state: State, name: str, now: float) -> tuple[State, Effect | None]:
    phase = state.plan.get(name, Phase())
    state = replace(_enter(state, name.upper(), now), commands=phase.commands, final_commands=phase.final_commands)
    return _continue(state, now)


def _note_failure(state: State, command: str, exit_code: int) -> State:
    """The rest of the commands is skipped, except `finally`. The first failure is the one that is reported."""
    message = state.current.message or f"Error while executing command: {command}. Reason: exit status {exit_code}"
    run = replace(state.current, code="COMMAND_EXECUTION_ERROR", message=message)
    return replace(state, runs=(*state.runs[:-1], run), commands=(), succeeding=False)


def _continue(state: State, now: float) -> tuple[State, Effect | None]:
    """Run the next command of the phase, or leave it."""
    if state.commands:
        return replace(state, commands=state.commands[1:]), Run(state.commands[0], state.succeeding)
    if state.final_commands:
        return replace(state, final_commands=state.final_commands[1:]), Run(state.final_commands[0], state.succeeding)
    run = state.current
    failed = bool(run.code)
    state = _leave(state, now, "FAILED" if failed else "SUCCEEDED", run.code, run.message)
    name = run.kind.lower()
    following = _following(state, name, failed)
    if following == "upload":
        return _enter(state, "UPLOAD_ARTIFACTS", now), Upload()
    return _begin(state, following, now) if following else _finish(state, now)


def _following(state: State, name: str, failed: bool) -> str:
    """The phase after a phase; `upload` for the artifacts, nothing for the end."""
    on_failure = state.plan.get(name, Phase()).on_failure
    goes_on = not failed or on_failure == "CONTINUE" or (name == "build" and on_failure != "ABORT")
    if name == PHASES[-1] or (name == "build" and not goes_on):
        return "upload"
    return PHASES[PHASES.index(name) + 1] if goes_on else ""


def _finish(state: State, now: float) -> tuple[State, Effect]:
    state = replace(state, status="SUCCEEDED" if state.succeeding else "FAILED")
    return _enter(_leave(_enter(state, "FINALIZING", now), now), "COMPLETED", now), Finish()
