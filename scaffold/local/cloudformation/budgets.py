"""The resource type of AWS Budgets, which ministack's CloudFormation lacks."""

from __future__ import annotations

from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_ministack
from scaffold.local.protocol import ACCOUNT, Document

_LIMIT = "BudgetLimit"


class Budget(ResourceType):
    """AWS::Budgets::Budget. No cost is counted."""

    name = "AWS::Budgets::Budget"
    create_only = ("NotificationsWithSubscribers",)
    tags = ("ResourceTags", "list")

    def create(self, request: Request) -> Created:
        """Create a budget with its notifications; a second one of its name is refused."""
        budget = _budget(request)
        given = {key: value for key, value in request.properties.items() if key != "Budget"}
        call_ministack("budgets", "CreateBudget", {"AccountId": ACCOUNT, "Budget": budget, **_numbers(given)})
        return budget["BudgetName"], {}

    def update(self, request: Request) -> Created:
        """Update a budget in place."""
        budget = _budget(request)
        if budget["BudgetName"] != request.identifier:
            raise ValueError("not rehearsed: another BudgetName with the same notifications")
        call_ministack("budgets", "UpdateBudget", {"AccountId": ACCOUNT, "NewBudget": budget})
        return request.identifier, {}

    def delete(self, request: Request) -> None:
        """Delete a budget with its notifications."""
        found = call_ministack("budgets", "DescribeBudgets", {"AccountId": ACCOUNT, "MaxResults": 1000})["Budgets"]
        if any(one["BudgetName"] == request.identifier for one in found):
            call_ministack("budgets", "DeleteBudget", {"AccountId": ACCOUNT, "BudgetName": request.identifier})


def _budget(request: Request) -> Document:
    budget = {"BudgetName": request.generated_name, **request.properties["Budget"]}
    if _LIMIT in budget:  # a number in the API's text
        budget[_LIMIT] = {key: str(value) for key, value in budget[_LIMIT].items()}
    return budget


def _numbers(given: Document) -> Document:
    """The properties with thresholds as the numbers that they are in the API."""
    for one in given.get("NotificationsWithSubscribers", []):
        one["Notification"]["Threshold"] = float(one["Notification"]["Threshold"])
    return given
