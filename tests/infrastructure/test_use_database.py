"""An environment that changes over to a restored database and back: what each release may reach and uses."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.stacks import parse
from tests.infrastructure.test_databases import DATABASE
from tests.service.conftest import import_from

ACCESS = re.compile(r"(Database|Restored)(Policy|Ingress|Egress)")
#: What is released, in this order: the database, and whether tasks reach no other.
RELEASES = [("restored", False), ("restored", True), ("database", False), ("database", True)]


@pytest.fixture(scope="module")
def led(generated: Callable[..., Path]) -> Callable[..., str]:
    """The text of a template that uses a database, for the environment dev of shop."""
    scripts = generated(**DATABASE) / "config/scripts"
    with pytest.MonkeyPatch.context() as patch:
        import_from(patch, scripts)
        found = runpy.run_path(str(scripts / "use_database.py"))
    names = found["Names"]("shop", "dev")
    return lambda text, kind, only: str(found["led"](text, names, kind, only))


@pytest.fixture
def template(generated: Callable[..., Path]) -> str:
    given = (generated(**DATABASE) / "infrastructure/dev/task-definition.yaml").read_text()
    # Names of others, and a text that looks like one.
    return given.replace(
        "          Environment:\n",
        "          Environment:\n"
        "            - {Name: A, Value: !ImportValue shop-dev2-database-Host}\n"
        "            - {Name: B, Value: shop-dev-database-Host}\n"
        "            - {Name: C, Value: {Fn::ImportValue: 'shop-dev-database-Host'} }\n",
        1,
    )


def imports(value: Any) -> set[str]:
    """The databases that something imports from."""
    return set(re.findall(r"'Fn::ImportValue': 'shop-dev-(database|restored)-", str(value)))


def access(text: str) -> dict[str, Any]:
    """The resources that let tasks reach a database."""
    return {name: one for name, one in parse(text)["Resources"].items() if ACCESS.fullmatch(name)}


def test_tasks_that_run_keep_their_database_until_they_are_replaced(led: Callable[..., str], template: str) -> None:
    running, before, reached = "database", template, []
    for kind, only in RELEASES:
        after = led(before, kind, only)
        rest = {name: one for name, one in parse(after)["Resources"].items() if not ACCESS.fullmatch(name)}
        assert imports(rest) == {kind}, (kind, only)
        own = {name: one for name, one in access(before).items() if imports(one) == {running}}
        assert own.items() <= access(after).items()
        # CloudFormation would replace a rule that changes, and could not create one that exists.
        for name, one in access(after).items():
            assert access(before).get(name, one) == one
            assert imports(one) == {name.removesuffix("Policy").removesuffix("Ingress").removesuffix("Egress").lower()}
        reached.append(sorted(imports(access(after))))
        assert led(after, kind, only) == after
        running, before = kind, after
    assert reached == [["database", "restored"], ["restored"], ["database", "restored"], ["database"]]
    assert before == template


def test_both_policies_are_on_the_role_at_once(led: Callable[..., str], template: str) -> None:
    found = access(led(template, "restored", False))
    assert len({found[f"{kind}Policy"]["Properties"]["PolicyName"] for kind in ("Database", "Restored")}) == 2


def test_names_of_others_stay(led: Callable[..., str], template: str) -> None:
    after = led(template, "restored", False)
    assert "!ImportValue shop-dev2-database-Host" in after
    assert "Value: shop-dev-database-Host" in after
    assert "{Fn::ImportValue: 'shop-dev-restored-Host'}" in after


def test_an_owners_rules_are_those_of_the_other_database_too(led: Callable[..., str], template: str) -> None:
    edited = template.replace("Description: Connections of the tasks,", "Description: Ours,")
    assert led(edited, "restored", False).count("Description: Ours,") == 2


@pytest.mark.parametrize(
    ("remove", "only", "said"),
    [
        ("", True, "running tasks use the other database"),
        ("  DatabaseEgress:", False, "it has not all of the resources"),
    ],
)
def test_what_would_cut_tasks_off_is_refused(
    led: Callable[..., str], template: str, remove: str, only: bool, said: str
) -> None:
    with pytest.raises(Exception, match=said):
        led(template.replace(remove, "  Other:") if remove else template, "restored", only)
