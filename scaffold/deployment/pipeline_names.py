"""The stages and actions of a pipeline by name, and the choice of one on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml

from scaffold.aws.cloudformation import templates
from scaffold.aws.pipeline_state import StageState
from scaffold.core.errors import UsageError
from scaffold.service.service import Service
from scaffold.service.stack_kinds import PIPELINE, StackId

#: The names of the actions by the name of their stage, in order.
Stages = Mapping[str, tuple[str, ...]]
_TYPE = "AWS::CodePipeline::Pipeline"


def declared(service: Service) -> Stages | None:
    """The stages of the service's template; None where its functions decide about them.

    Raises:
        ScaffoldError: The template cannot be read.
    """
    # Nodes keep their tags: the name X is known, and `!Ref X` is not.
    root = yaml.compose(templates.load(service, StackId(PIPELINE)).body, Loader=yaml.SafeLoader)
    resources = _value(root, "Resources")
    declarations = [one for _, one in resources.value] if isinstance(resources, yaml.MappingNode) else []
    pipelines = [one for one in declarations if _text(_value(one, "Type")) == _TYPE]
    if len(pipelines) != 1:
        return None
    found = {}
    for stage in _items(_value(_value(pipelines[0], "Properties"), "Stages")):
        names = [_text(_value(one, "Name")) for one in (stage, *_items(_value(stage, "Actions")))]
        known = [name for name in names if name]
        if len(known) < len(names):
            return None
        found[known[0]] = tuple(known[1:])
    return found or None


def deployed(stages: Iterable[StageState]) -> Stages:
    """The stages of a pipeline that exists."""
    return {stage.name: tuple(action.name for action in stage.actions) for stage in stages}


def chosen_stage(service: Service, stages: Stages, wanted: str) -> str:
    """The stage of that name, whatever its case.

    Raises:
        UsageError: There is none.
    """
    for stage in stages:
        if stage.casefold() == wanted.casefold():
            return stage
    raise UsageError(
        f"The pipeline of {service.app_name} has no stage {wanted!r}.", f"Its stages are {', '.join(stages)}."
    )


def chosen_action(service: Service, stages: Stages, wanted: str) -> str:
    """The action of that name, as STAGE/ACTION, whatever its case.

    Raises:
        UsageError: There is none.
    """
    actions = [f"{stage}/{action}" for stage, names in stages.items() for action in names]
    for action in actions:
        if action.casefold() == wanted.casefold():
            return action
    raise UsageError(
        f"The pipeline of {service.app_name} has no action {wanted!r}.", f"Its actions are {', '.join(actions)}."
    )


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node | None]:
    # What is no list comes from a function, and has no name.
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _text(node: yaml.Node | None) -> str | None:
    plain = isinstance(node, yaml.ScalarNode) and not node.tag.startswith("!")
    return str(node.value) if node and plain else None
