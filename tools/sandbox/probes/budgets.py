"""AWS Budgets: budgets that CloudFormation creates."""

from __future__ import annotations

from ..registry import probe
from ..sandbox import Sandbox
from ..stacks import Stack, template
from ..verdicts import Verdict, decided


@probe("budget-by-tag")
def budget_by_tag(sandbox: Sandbox) -> Verdict:
    """A budget with the filter of the kit, created in the region of the run, and another of its name beside it."""
    name, wanted = sandbox.name("budget"), f"user:gitops-scaffold:service${sandbox.run}"
    budget = {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "CostFilters": {"TagKeyValue": [wanted]}}
    budget["BudgetLimit"] = {"Amount": 1, "Unit": "USD"}
    made = {"Type": "AWS::Budgets::Budget", "Properties": {"Budget": budget}}
    stack = Stack.create(sandbox, "budget", template({"Budget": made}))
    account = sandbox.account.id
    found = sandbox.client("budgets").describe_budget(AccountId=account, BudgetName=name)["Budget"]
    kept = found.get("CostFilters", {}).get("TagKeyValue")
    status = stack.update(template({"Budget": made, "Second": made}))
    return decided(
        kept == [wanted] and status != "UPDATE_COMPLETE",
        f"the budget filters by {kept}; with a second one of its name the stack is in {status}. {stack.reason()}",
    )
