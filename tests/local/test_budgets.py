"""A budget is created, changed, replaced and deleted by CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from scaffold.local.protocol import ACCOUNT
from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import resource


def template(name: str = "local-budget", amount: int = 200, mail: str = "a@example.com") -> dict[str, Any]:
    budget = {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    budget |= {"BudgetLimit": {"Amount": amount, "Unit": "USD"}}
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    told = {"Notification": notification, "Subscribers": [{"SubscriptionType": "EMAIL", "Address": mail}]}
    return {"Budget": resource("Budgets::Budget", Budget=budget, NotificationsWithSubscribers=[told])}


def test_a_budget_is_created_changed_replaced_and_deleted(stack: Stack, client: Client) -> None:
    api = client("budgets")

    def budgets() -> dict[str, float]:
        found = api.describe_budgets(AccountId=ACCOUNT).get("Budgets", [])
        return {one["BudgetName"]: float(one["BudgetLimit"]["Amount"]) for one in found}

    stack.create(template())
    assert budgets() == {"local-budget": 200}
    stack.update(template(amount=300))
    assert budgets() == {"local-budget": 300}
    with pytest.raises(WaiterError):  # AWS creates the new one first
        stack.update(template(amount=300, mail="b@example.com"))
    assert budgets() == {"local-budget": 300}
    stack.update(template("local-other", 300, "b@example.com"))
    assert budgets() == {"local-other": 300}
    stack.delete()
    assert budgets() == {}
