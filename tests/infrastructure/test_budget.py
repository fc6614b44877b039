"""The budget of a service: what it counts, whom it tells, and that nothing of it is left without the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.infrastructure.stacks import Stacks, one

MAIL = "team@example.com"


def budget(stacks_of: Callable[..., Stacks], mail: str = MAIL, amount: int = 200) -> dict[str, Any]:
    stack = one(stacks_of(customize=True, notification_email=mail, monthly_budget=amount), "budget")
    ((_, found),) = stack.of_type("AWS::Budgets::Budget")
    return found


def test_it_counts_the_service_by_its_tag_and_tells_the_address(stacks_of: Callable[..., Stacks]) -> None:
    found = budget(stacks_of)
    assert found["Budget"]["CostFilters"] == {"TagKeyValue": ["user:gitops-scaffold:service$hello-service"]}
    assert float(found["Budget"]["BudgetLimit"]["Amount"]) == 200
    told = {
        (one["Notification"]["NotificationType"], float(one["Notification"]["Threshold"]))
        for one in found["NotificationsWithSubscribers"]
        if one["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": MAIL}]
    }
    assert told == {("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0)}


def test_another_address_is_another_budget_and_another_amount_is_not(stacks_of: Callable[..., Stacks]) -> None:
    """AWS replaces a budget whose subscribers change, and refuses two of one name."""
    names = [budget(stacks_of, *given)["Budget"]["BudgetName"] for given in ((MAIL,), ("a@b.example",), (MAIL, 300))]
    assert names[0] == names[2] != names[1]
    assert all(name.removeprefix("hello-service-").isalnum() and len(name) == 22 for name in names)


def test_nothing_is_left_of_it_without_the_answer(generated: Callable[..., Path]) -> None:
    for given in ({}, {"customize": True, "notification_email": MAIL}):
        service = generated(**given)
        assert not list((service / "infrastructure").glob("budget.*"))
        assert "AWS Budgets" not in (service / "README.md").read_text()
