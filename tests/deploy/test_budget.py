"""The budget of a service is deployed by a person, and ends with the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.local.protocol import ACCOUNT
from scaffold.service.service import read
from tests.deploy.services import client, commit, make_kit_service, remove, run


@pytest.mark.slow
def test_a_budget_is_deployed_left_to_a_person_and_deleted(tmp_path: Path, aws: None) -> None:
    answers = {"notification_email": "team@example.com", "monthly_budget": 200}
    service = make_kit_service(tmp_path / "service", environments="dev", customize=True, **answers)
    run(service)
    app = read(service).app_name

    def amounts() -> list[float]:
        pages = client("budgets").get_paginator("describe_budgets").paginate(AccountId=ACCOUNT)
        found = [one for page in pages for one in page.get("Budgets", []) if one["BudgetName"].startswith(f"{app}-")]
        return [float(one["BudgetLimit"]["Amount"]) for one in found]

    assert amounts() == [200]
    parameters = service / "infrastructure/budget.json"
    parameters.write_text(parameters.read_text().replace('"200"', '"250"'))
    commit(service)
    run(service)
    assert amounts() == [250]
    assert run(service, plan=True).changed is False
    for ending in ("yaml", "json"):
        (service / "infrastructure" / f"budget.{ending}").unlink()
    commit(service)
    assert [(one.name, one.reason) for one in run(service).left_stacks] == [(f"{app}-budget", "person")]
    remove(service)
    assert amounts() == []
