"""`scaffold update --data`: answers that would harm what is deployed are refused with the way to go on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.core.errors import UsageError
from scaffold.views.update import text
from tests.entry_points.entry_points import through_copier
from tests.infrastructure.variants import BUILD_VPC
from tests.kits import commit_all, kit_repository
from tests.update.small import new_service, run_update, status


@pytest.mark.parametrize("environments", [pytest.param("dev,staging,live", marks=pytest.mark.slow), "dev,staging"])
def test_without_production_it_asks_for_another(
    tmp_path: Path, environments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kit stops with a sentence, which reaches its reader as it is."""
    service = through_copier(tmp_path / "service", {"app_name": "orders-api"}, kit_repository())
    commit_all(service)
    named = environments.split(",")[-1]
    with pytest.raises(UsageError) as refused:
        run_update(service, to="current", data={"environments": environments})
    listed = environments.replace(",", ", ")
    assert refused.value.happened == f"production is prod, which is not one of the environments {listed}."
    assert refused.value.remedy == f"Name one of them, for example --data production={named}."
    result = run_update(service, to="current", data={"environments": environments, "production": named}, plan=True)
    assert result.dropped_answers == {}
    assert "replaced by the default" not in capsys.readouterr().err
    assert result.follow_up.deploy


def test_builds_leave_their_vpc_before_the_merge(tmp_path: Path) -> None:
    answers = {"app_name": "orders-api", "environments": "dev", "customize": True, **BUILD_VPC}
    service = through_copier(tmp_path / "service", answers, kit_repository())
    commit_all(service)
    none = {"build_network": "none"}
    result = run_update(service, to="current", data=none, plan=True)
    assert result.follow_up.deploy
    lines = text(result, None).partition("Afterwards:\n")[2].splitlines()
    assert [line.split()[0:2] for line in lines] == [
        ["aws", "codebuild"], ["aws", "codebuild"], ["git", "push"], ["scaffold", "deploy"],
    ]  # fmt: skip
    assert (
        lines[0].strip() == "aws codebuild update-project --region us-east-1 --name orders-api-build --vpc-config '{}'"
    )
    assert "after that release" in lines[-1]
    assert run_update(service, to="current", data={"cpu": "512"}, plan=True).follow_up.leave_vpc == ()


@pytest.mark.slow
def test_the_health_check_changes_by_the_steps_of_the_readme(tmp_path: Path) -> None:
    """What its first step adds is not there twice after the second, which nothing but cfn-lint would say."""
    service = through_copier(
        tmp_path / "service", {"app_name": "orders-api", "environments": "dev,prod"}, kit_repository()
    )
    section = (service / "README.md").read_text().partition("### Port and health check")[2].partition("\n#")[0]
    before, after = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    path = re.search(r"HEALTH_PATH=(\S+)", before)[1]  # type: ignore[index]

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)

    def variables() -> list[int]:
        files = service.glob("infrastructure/*/task-definition.yaml")
        return [len(re.findall(r"Name: '?HEALTH_PATH", file.read_text())) for file in files]

    assert run("bash", "-euc", before).returncode == 0
    assert variables() == [1, 1]
    commit_all(service)
    result = run_update(service, to="current", data={"customize": "true", "health_path": path})
    assert not result.conflicts
    check = run(sys.executable, "config/scripts/task_settings.py", "--check")
    assert (check.returncode, "has the variable HEALTH_PATH, and so has config/environments/" in check.stderr) == (
        1,
        True,
    )
    assert run("bash", "-euc", after).returncode == 0
    assert variables() == [1, 1]
    assert run(sys.executable, "config/scripts/task_settings.py", "--check").returncode == 0
    files = sorted(service.glob("infrastructure/*/task-definition.yaml"))
    lint = run(
        Path(sys.executable).parent / "cfn-lint", "--regions", "us-east-1", "--ignore-checks", "W6001", "--", *files
    )
    assert lint.returncode == 0, lint.stdout


def test_it_does_not_become_another_service(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    with pytest.raises(UsageError, match="another service: app_name would be") as refused:
        run_update(service, data={"app_name": "payments"})
    assert "`scaffold new`" in refused.value.remedy
    assert status(service) == []
