"""No resource of a service has the name of another service's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.kit.rendering import open_kit
from tests.infrastructure.stacks import Stacks
from tests.kits import kit_repository

APP = "hello-service"


def test_app_names_with_which_two_services_would_have_the_same_names_are_refused(
    stacks_of: Callable[..., Stacks],
) -> None:
    """`a-b-c` may be the name `c` of the service `a-b`, and the name `b-c` of the service `a`."""
    endings: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, stack in stacks_of().items():
        endings["AWS::CloudFormation::Stack", "Name"].add(name.removeprefix(APP))
        for resource in stack.resources.values():
            for key, value in resource.get("Properties", {}).items():
                resolved = stack.resolve(value) if key.endswith("Name") else None
                if isinstance(resolved, str) and resolved.startswith(f"{APP}-"):
                    endings[resource["Type"], key].add(resolved.removeprefix(APP))
    assert {"-pr-tests", "-tests"} <= endings["AWS::CodeBuild::Project", "Name"]
    refused = {
        longer.removesuffix(ending)
        for known in endings.values()
        for longer in known
        for ending in known
        if longer != ending and longer.endswith(ending)
    }
    assert refused == {"-pr", "-self-update"}
    with open_kit(str(kit_repository())) as kit:
        for ending in refused:
            with pytest.raises(ScaffoldError, match="that the service orders has"):
                kit.questionnaire().evaluate({"app_name": f"orders{ending}"})
