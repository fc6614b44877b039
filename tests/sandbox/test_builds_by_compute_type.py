"""The probe of builds beside those of another compute type, in an account that runs few builds at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.sandbox.probes import quotas
from tools.sandbox.verdicts import Outcome, Undecided


class CodeBuild:
    """Accepts some small builds, and medium ones or none."""

    def __init__(self, most: int, medium: bool) -> None:
        self._most = most
        self._medium = medium
        self.running: list[str] = []

    def start_build(self, computeTypeOverride: str = "", **given: Any) -> dict[str, Any]:  # noqa: N803
        accepted = self._medium if computeTypeOverride else len(self.running) < self._most
        if not accepted:
            raise ClientError({"Error": {"Code": "AccountLimitExceededException", "Message": "No."}}, "StartBuild")
        self.running.append(str(len(self.running)))
        return {"build": {"id": self.running[-1]}}

    def stop_build(self, id: str) -> None:  # noqa: A002
        self.running.remove(id)


def run(monkeypatch: pytest.MonkeyPatch, codebuild: CodeBuild, quota: float) -> Any:
    monkeypatch.setattr(quotas, "answers", lambda sandbox: {})
    monkeypatch.setattr(quotas, "_applied", lambda sandbox, asked: {"Value": quota})
    sandbox: Any = SimpleNamespace(client=lambda service: codebuild, name=lambda subject: subject)
    try:
        return quotas.builds_by_compute_type(sandbox).outcome
    except Undecided:
        return Outcome.UNDECIDED
    finally:
        assert codebuild.running == []


@pytest.mark.parametrize(
    ("most", "medium", "quota", "outcome"),
    [
        (1, True, 1.0, Outcome.PROVED),
        (1, False, 1.0, Outcome.REFUTED),
        (100, True, 1.0, Outcome.UNDECIDED),
        (1, True, 60.0, Outcome.UNDECIDED),
    ],
)
def test_an_account_with_few_builds_decides(
    monkeypatch: pytest.MonkeyPatch, most: int, medium: bool, quota: float, outcome: Outcome
) -> None:
    assert run(monkeypatch, CodeBuild(most, medium), quota) is outcome
