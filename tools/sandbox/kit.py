"""A service of the kit, deployed with the kit's own commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import stack_cleaning
from .account import Account
from .git import Repository, environment
from .sandbox import Sandbox
from .stacks import Stack
from .state import State
from .verdicts import Unavailable

ENVIRONMENTS = ("dev", "prod")
_CHECKOUT = Path(__file__).resolve().parents[2]
_ANSWERS = {
    "environments": ",".join(ENVIRONMENTS),
    "production": "prod",
    # One probe scans the image itself, so that findings do not end the release.
    "scan_gate": "off",
    "deployment_strategy": "blue_green",
    "customize": "true",
    # One probe runs them. Otherwise they begin on Mondays and Thursdays only.
    "updates": "renovate",
    "exec": "dev",
    "log_retention_days": "1",
}
# Without packages, so that a build takes one minute.
_DOCKERFILE = """\
# tests: none
ARG BASE_IMAGE={base}
FROM ${{BASE_IMAGE}} AS service
WORKDIR /app
COPY src ./src
USER 1000:1000
EXPOSE 8080
ENTRYPOINT ["node", "src/main.mjs"]
"""
_APPLICATION = """\
import {{ createServer }} from 'node:http';
const {{ APP_VERSION: version, APP_ENVIRONMENT: environment, PORT = '8080' }} = process.env;
const server = createServer((request, response) => response.end(JSON.stringify({{ version, environment }})));
server.listen(Number(PORT));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
// Release {release}
"""
EXIT_WAITS_FOR_APPROVAL = 11
_LOG = "scaffold.log"


class Service:
    """The service of a run, whose name is that of the run."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.root = sandbox.state.clone
        self.name = sandbox.run
        #: Production's ECS service and its newest deployment after the second release, before a probe changes them.
        self.production: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    def generate(self) -> None:
        """Generate the service, with an application that needs no packages and with short bake times."""
        data = {"app_name": self.name, "aws_region": self._sandbox.account.region, **_ANSWERS}
        self._sandbox.state.folder.mkdir(exist_ok=True)
        answers = [text for key, value in data.items() for text in ("--data", f"{key}={value}")]
        self._scaffold("new", str(self.root), *answers, "--defaults", "--no-deploy", folder=self.root.parent)
        dockerfile = self.root / "app" / "Dockerfile"
        base = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile.read_text("utf-8"), re.MULTILINE)
        if base is None:
            raise Unavailable("the kit's Dockerfile has no argument BASE_IMAGE")
        for path in sorted((self.root / "app").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        dockerfile.write_text(_DOCKERFILE.format(base=base[1]), "utf-8")
        (self.root / "app" / "src").mkdir()
        self.change_application("1")
        for environment_name in ENVIRONMENTS:
            self.change_parameter(environment_name, "service", BakeMinutes="1", MaxTasks="4")

    def change_application(self, release: str) -> None:
        """Give the application another version."""
        path = self.root / "app" / "src" / "main.mjs"
        path.write_text(_APPLICATION.format(release=release), "utf-8")

    def change_parameter(self, environment_name: str, kind: str, **values: str) -> None:
        """Change parameters in the configuration file of a stack."""
        path = self.root / "infrastructure" / environment_name / f"{kind}.json"
        configuration: dict[str, Any] = json.loads(path.read_text("utf-8"))
        configuration["Parameters"] |= values
        path.write_text(json.dumps(configuration, indent=2) + "\n", "utf-8")

    def commit(self, message: str) -> str:
        """Commit everything: the commit's id."""
        return Repository(self._sandbox.account, self.root).commit(message)

    def deploy(self) -> None:
        """Deploy repository, foundation, permissions, prepared stacks and pipeline, and push main."""
        self._sandbox.state.record("service", self.name)
        self._scaffold("deploy", folder=self.root)

    def release(self) -> None:
        """Push main and follow its release to the end, approving whatever waits for approval."""
        while self._scaffold("deploy", "--wait", folder=self.root, codes=(0, EXIT_WAITS_FOR_APPROVAL)):
            self._sandbox.wait(self.approve, "the start of an approval", 60)

    def approve(self) -> int:
        """Approve what waits for approval: how many approvals that were."""
        codepipeline, approved = self._sandbox.client("codepipeline"), 0
        for stage in codepipeline.get_pipeline_state(name=self.name)["stageStates"]:
            for action in stage["actionStates"]:
                latest = action.get("latestExecution", {})
                if token := latest.get("status") == "InProgress" and latest.get("token"):
                    codepipeline.put_approval_result(
                        pipelineName=self.name,
                        stageName=stage["stageName"],
                        actionName=action["actionName"],
                        result={"summary": "Sandbox", "status": "Approved"},
                        token=token,
                    )
                    approved += 1
        return approved

    def stack(self, environment_name: str, kind: str) -> Stack:
        """A stack of an environment."""
        name = f"{self.name}-{environment_name}-{kind}"
        return Stack(self._sandbox, name, name)

    @property
    def foundation(self) -> dict[str, str]:
        """The outputs of the foundation."""
        name = f"{self.name}-foundation"
        return Stack(self._sandbox, name, name).outputs

    def _scaffold(self, *arguments: str, folder: Path, codes: tuple[int, ...] = (0,)) -> int:
        box = self._sandbox
        return scaffold(box.account, box.state, *arguments, folder=folder, codes=codes, pause=box.pause)


def destroy(account: Account, state: State) -> None:
    """Delete the service of a run with everything that it has deployed.

    Raises:
        Kept: Something of it is left.
    """
    if not state.clone.is_dir():
        raise stack_cleaning.Kept(
            f"its clone {state.clone} is missing; delete its stacks in the console, then the record {state.path}."
        )
    pages = account.client("cloudformation").get_paginator("describe_stacks").paginate()
    # The stacks of task definitions have no tags, but the deploy roles of the service.
    deploy_roles = f":role/{state.run}/deploy/{state.run}-"
    for stack in (one for page in pages for one in page["Stacks"]):
        if stack_cleaning.is_own(state, stack) or deploy_roles in stack.get("RoleARN", ""):
            stack_cleaning.lift_protection(account, stack)
    printed = state.folder / "destroyed.json"
    try:
        scaffold(account, state, "destroy", "--yes", "--json", folder=state.clone, printed=printed)
    except Unavailable as failure:
        raise stack_cleaning.Kept(f"{failure}; run `scaffold destroy` in {state.clone}.") from failure
    kept = json.loads(printed.read_text("utf-8"))["kept"]
    if names := [f"{one['name']} ({one['reason']})" for one in kept if not _is_expected(one)]:
        raise stack_cleaning.Kept(f"`scaffold destroy` has kept {', '.join(names)}.")


def _is_expected(kept: dict[str, Any]) -> bool:
    """Whether something is kept whatever the run does: a key in its waiting period, or a service-linked role."""
    return (kept["type"], kept["reason"]) == ("service-linked-role", "shared") or kept["reason"] == "waiting-period"


def scaffold(
    account: Account,
    state: State,
    *arguments: str,
    folder: Path,
    printed: Path | None = None,
    codes: tuple[int, ...] = (0,),
    pause: Callable[[float], None] | None = None,
) -> int:
    """Run a command of the kit: its exit code.

    Args:
        printed: The file for its standard output; by default the log of the run, like its messages.
        codes: The exit codes that are expected.
        pause: Waits between two looks, and raises an exception where the run ends.

    Raises:
        Unavailable: It has failed.
    """
    command = [sys.executable, "-m", "scaffold", *arguments]
    variables = {**environment(account), "PYTHONPATH": str(_CHECKOUT), "NO_COLOR": "1"}
    log = state.folder / _LOG
    with ExitStack() as files:
        output = files.enter_context(log.open("ab"))
        # A session of its own: Ctrl-C in the terminal must not end the clean-up.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=files.enter_context(printed.open("wb")) if printed else output,
            stderr=output,
            start_new_session=True,
            pass_fds=state.inherited,
        )
        try:
            while (code := process.poll()) is None:
                if pause is None:
                    process.wait()
                else:
                    pause(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code not in codes:
        lines = log.read_text("utf-8", "replace").splitlines()
        errors = [line for line in lines if line.startswith("Error: ")]
        said = errors[-1].removeprefix("Error: ") if errors else f"exit code {code}"
        raise Unavailable(f"scaffold {arguments[0]} failed: {said}")
    return code
