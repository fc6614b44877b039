"""Scripts and roles of the pipeline name the same kinds of stack: those that a service's answers ask for."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.service.stack_kinds import NETWORK, PIPELINE, STACK_KINDS, Deployer
from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stacks, one
from tests.infrastructure.variants import MOST_AND_LEAST, pairwise
from tests.kits import ROOT

Answers = dict[str, Any]
SCRIPTS = ROOT / "template" / "config" / "scripts"
IN_ORDER = [kind for kind in STACK_KINDS if kind.deployer is Deployer.PIPELINE]
LOOKS = ("DescribeStacks", "GetStackPolicy")
CHANGE_SETS = ("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet")
#: The roles that work on the stacks of environments, by their stack: what each calls, and the names of its change sets.
ROLES = {
    ("build", "PipelineRole"): ((*LOOKS, "GetTemplate", "UpdateStack", "SetStackPolicy"), ""),
    ("checks", "PlanRole"): ((*LOOKS, "GetTemplate", *CHANGE_SETS), "plan-0123"),
    ("plans", "PlanRole"): ((*LOOKS, *CHANGE_SETS), "plan-pull-request-7-0123456789ab"),
}


def constant(script: str, name: str) -> Any:
    """The value of a constant of a script."""
    for node in ast.parse((SCRIPTS / script).read_text()).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            tree = node.value
            if isinstance(tree, ast.Tuple) and any(isinstance(one, ast.Starred) for one in tree.elts):
                return [
                    value for one in tree.elts if isinstance(one, ast.Starred) for value in ast.literal_eval(one.value)
                ]
            return ast.literal_eval(tree)
    raise LookupError(name)


def test_the_scripts_know_every_kind_of_stack_in_the_order_of_its_deployment() -> None:
    assert list(constant("plan_stacks.py", "TEMPLATES")) == [kind.name for kind in IN_ORDER]
    assert list(constant("preflight.py", "KINDS")) == [kind.name for kind in IN_ORDER]
    optional = {kind.name for kind in IN_ORDER if kind.optional or kind is NETWORK}
    assert set(constant("plan_stacks.py", "OPTIONAL")) == optional
    own = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF and kind is not PIPELINE}
    assert set(constant("preflight.py", "DELIVERY")) == own


def refused(stacks: Stacks, generated: Path) -> list[str]:
    """The calls for stacks of environments that a role of the pipeline makes and may not, or may and never makes."""
    app = one(stacks, "foundation").parameters["AppName"]
    tag = {"aws:ResourceTag/gitops-scaffold:service": app}
    limit = boundary_of(one(stacks, "permissions"))
    found: list[str] = []
    environments = sorted(path.name for path in (generated / "infrastructure").iterdir() if path.is_dir())
    # Where no environment has a network of its own, a role may still look for it.
    wanted = {NETWORK.name, *(stack.kind for stack in stacks.values())}
    for (kind, role), (calls, change_set) in ROLES.items():
        statements = statements_of(one(stacks, kind), role)
        for name, environment, call in itertools.product(constant("plan_stacks.py", "TEMPLATES"), environments, calls):
            stack, action = f"{app}-{environment}-{name}", f"cloudformation:{call}"
            arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/0123"
            given = tag | ({"cloudformation:ChangeSetName": change_set} if call in CHANGE_SETS else {})
            may = allowed(statements, action, arn, given)
            missing = stack in stacks and not (may and allowed(limit, action, arn, given))
            if missing or (may and name not in wanted):
                found.append(f"{role} of {kind}: {call} {stack}")
    return found


@pytest.mark.parametrize("answers", MOST_AND_LEAST)
def test_the_roles_of_the_pipeline_may_plan_and_update_the_stacks_that_there_are(
    stacks_of: Callable[..., Stacks], generated: Callable[..., Path], answers: Answers
) -> None:
    assert refused(stacks_of(**answers), generated(**answers)) == []


@pytest.mark.slow
@pytest.mark.parametrize("row", range(len(pairwise())))
def test_they_may_for_every_pair_of_answers(
    stacks_of: Callable[..., Stacks], generated: Callable[..., Path], row: int
) -> None:
    answers = pairwise()[row]
    if answers["aws_region"].startswith("us-gov-"):
        pytest.skip("its ARNs have another partition")
    assert refused(stacks_of(**answers), generated(**answers)) == []
