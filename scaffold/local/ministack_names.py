"""The names of ministack that `ministack_bridge` uses, checked before any of them is used."""

from __future__ import annotations

import importlib
import importlib.metadata

from scaffold import __version__

#: The releases of ministack whose names these are.
SUPPORTED = "1.5."

NAMES = (
    ("ministack.app", "app"),
    ("ministack.core.responses", "get_region"),
    ("ministack.core.responses", "request_scope"),
    ("ministack.services.alb", "handle_request"),
    ("ministack.services.cloudformation", "_change_sets"),
    ("ministack.services.cloudformation", "_exports"),
    ("ministack.services.cloudformation", "_stack_events"),
    ("ministack.services.cloudformation", "_stacks"),
    ("ministack.services.cloudformation.engine", "_evaluate_conditions"),
    ("ministack.services.cloudformation.engine", "_resolve_refs"),
    ("ministack.services.cloudformation.handlers", "_ACTION_HANDLERS"),
    ("ministack.services.cloudformation.handlers", "_imported_export_names"),
    ("ministack.services.cloudformation.helpers", "_error"),
    ("ministack.services.cloudformation.helpers", "_xml"),
    ("ministack.services.cloudformation.provisioners", "_CUSTOM_NAME_REPLACEMENT"),
    ("ministack.services.cloudformation.provisioners", "_REPLACING_PROPERTIES"),
    ("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"),
    ("ministack.services.cloudformation.provisioners", "_STACK_TAG_PROPERTY"),
    ("ministack.services.cloudformation.provisioners", "_physical_name"),
    ("ministack.services.cloudformation.stacks", "_add_event"),
    ("ministack.services.cloudformation.stacks", "_resolve_stack_outputs"),
    ("ministack.services.cloudformation.stacks", "_roll_back_operation"),
    ("ministack.services.cloudwatch", "handle_request"),
    ("ministack.services.cloudwatch_logs", "handle_request"),
    ("ministack.services.ec2", "handle_request"),
    ("ministack.services.ecr", "_create_repository"),
    ("ministack.services.ecr", "_repositories"),
    ("ministack.services.ecr", "handle_request"),
    ("ministack.services.ecs", "_dispatch_action"),
    ("ministack.services.eventbridge", "handle_request"),
    ("ministack.services.iam", "_IAM_HANDLERS"),
    ("ministack.services.iam", "_error"),
    ("ministack.services.iam", "handle_request"),
    ("ministack.services.s3", "_delete_bucket"),
    ("ministack.services.sns", "handle_request"),
)


class MinistackChanged(Exception):
    """The installed ministack lacks something that local AWS uses.

    Args:
        missing: What it lacks.
    """

    def __init__(self, missing: str) -> None:
        installed = importlib.metadata.version("ministack")
        super().__init__(
            f"ministack {installed} has no {missing}; gitops-scaffold {__version__} needs ministack {SUPPORTED}x"
        )


def check() -> None:
    """Look up every name that `ministack_bridge` uses.

    Raises:
        MinistackChanged: A name does not exist.
    """
    for module, name in NAMES:
        try:
            found = hasattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):  # Something that ministack itself needs.
                raise
            found = False
        if not found:
            raise MinistackChanged(f"{module}.{name}")
