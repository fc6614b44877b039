"""Kills a local AWS with podman, and itself, while it builds an image or starts a task.

python -m tests.engine.containers.killed_local_aws (building|starting) ARCHIVE MARK
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from scaffold.engine.containers.choice import PODMAN
from scaffold.local.environment import running_local_aws
from tests.engine.containers import server_image
from tests.engine.containers.conftest import base_name, engine_of
from tests.engine.roles import EVERYTHING, create_role
from tests.engine.tasks.test_running import Account, template, wait

BUILDSPEC = """
version: 0.2
phases:
  build:
    commands:
      - printf 'FROM BASE\\nRUN ["node", "-e", "setInterval(() => {}, 1000)", "MARK"]\\n' >Dockerfile
      - docker build --tag endless .
"""


def main() -> None:
    """Begin, and kill at the given moment."""
    moment, archive, mark = sys.argv[1:]
    with running_local_aws(runs=True, containers=PODMAN) as aws:
        engine = engine_of(PODMAN, aws)
        engine.run("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", archive, base_name())
        account = Account(aws)
        if moment == "building":
            build(account, mark)
            wait(lambda: mark in commands(), 120)
        else:
            with tempfile.TemporaryDirectory() as folder:
                image = server_image.push_to(account, engine, Path(folder))
            account.stacks.create_stack(StackName="shop", TemplateBody=json.dumps(template("shop", image)))
            wait(lambda: server_image.PROGRAM in commands(), 120)
        os.kill(aws.process.pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def build(account: Account, mark: str) -> None:
    """Start a build that builds an image, in whose RUN a program waits."""
    account.client("codebuild").create_project(
        name="endless",
        source={"type": "NO_SOURCE", "buildspec": BUILDSPEC.replace("BASE", base_name()).replace("MARK", mark)},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "standard", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=create_role(account.client("iam"), "builds", EVERYTHING),
    )
    account.client("codebuild").start_build(projectName="endless")


def commands() -> set[str]:
    """The last arguments of all processes."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.add(path.read_text(errors="replace").rstrip("\0").rpartition("\0")[2])
    return found


if __name__ == "__main__":
    main()
