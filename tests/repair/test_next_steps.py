"""What is left to do after a repair."""

from __future__ import annotations

from scaffold.core.results import Change
from scaffold.deployment.repair import RepairResult
from scaffold.deployment.repair_step import Problem
from scaffold.views.repair import text


def test_the_next_commands_have_the_profile_of_the_repair() -> None:
    problem = Problem("stack", "orders-dev-service", "REVIEW_IN_PROGRESS", (Change("stack", "orders", "delete"),))
    result = RepairResult(
        service="orders",
        account="123456789012",
        region="eu-west-1",
        local=False,
        environment=None,
        profile="my team",
        planned=False,
        problems=(problem,),
        waiting=(),
    )
    start = "aws codepipeline start-pipeline-execution --region eu-west-1 --name orders --profile 'my team'"
    assert text(result).endswith(
        f"Next:\n  scaffold deploy --profile 'my team'  checks the rest\n  {start}  releases again"
    )
