"""Destroying an environment makes no other one production, and suggests nothing that would."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.deployment.destroy import DestroyResult
from scaffold.service.service import Service
from scaffold.views.destroy import text

ANSWERS = {"app_name": "orders", "aws_region": "us-east-1", "environments": "dev, live ,dr"}


@pytest.mark.parametrize(("recorded", "production"), [({"production": "live"}, "live"), ({}, "dr")])
def test_production_is_recorded_or_the_last(tmp_path: Path, recorded: dict[str, str], production: str) -> None:
    assert Service.from_answers(tmp_path, ANSWERS | recorded).production == production


def destroyed(environment: str, *, production: bool, remaining: tuple[str, ...]) -> str:
    return text(
        DestroyResult(
            service="orders",
            account="111122223333",
            region="us-east-1",
            local=False,
            environment=environment,
            planned=False,
            changes=(),
            kept=(),
            production=production,
            remaining_environments=remaining,
        )
    )


@pytest.mark.parametrize("environment", ["dev", "dr"])
def test_another_environment_leaves_production_where_it_is(environment: str) -> None:
    remaining = tuple(name for name in ("dev", "live", "dr") if name != environment)
    shown = destroyed(environment, production=False, remaining=remaining)
    assert f"scaffold env remove {environment} --keep-stacks --commit\n" in shown
    assert "production" not in shown


def test_production_itself_is_created_again_or_another_one_named() -> None:
    shown = destroyed("live", production=True, remaining=("dev", "dr"))
    assert "live is still production in the answers" in shown
    assert "run `scaffold deploy`" in shown
    assert shown.endswith("scaffold env remove live --keep-stacks --commit --production <name>")


def test_the_only_environment_takes_the_service_with_it() -> None:
    shown = destroyed("live", production=True, remaining=())
    assert "`scaffold destroy` deletes the rest of the service" in shown
    assert "--data" not in shown
