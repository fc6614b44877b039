"""Every build and every task has the architecture of the answer: an image runs only where it was built for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.stacks import Stacks
from tests.infrastructure.variants import ALL_ANSWERS

PLATFORMS = {
    "x86_64": ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:", "X86_64"),
    "arm64": ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:", "ARM64"),
}


@pytest.mark.parametrize("architecture", PLATFORMS)
def test_builds_and_tasks_have_one_architecture(
    stacks_of: Callable[..., Stacks], generated: Callable[..., Path], architecture: str
) -> None:
    answers = {**ALL_ANSWERS, "architecture": architecture}
    builds, tasks = set(), set()
    for stack in stacks_of(**answers).values():
        for _, project in stack.of_type("AWS::CodeBuild::Project"):
            environment = project["Environment"]
            name, colon, _ = environment["Image"].partition(":")
            builds.add((environment["Type"], name + colon))
        for _, task in stack.of_type("AWS::ECS::TaskDefinition"):
            tasks.add(task["RuntimePlatform"]["CpuArchitecture"])
    kind, image, cpu = PLATFORMS[architecture]
    assert builds == {(kind, image)}
    assert tasks == {cpu}
    (other,) = set(PLATFORMS) - {architecture}
    for path in (generated(**answers) / "infrastructure").rglob("*.*"):
        assert f"-{PLATFORMS[other][1].split('-')[1]}-" not in path.read_text(), path
