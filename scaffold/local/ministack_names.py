"""The names of ministack that `ministack_bridge` uses, checked before any of them is used."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable

from scaffold import __version__

#: The release of ministack that all tests run with. The extra `local` allows other ones.
TESTED = "1.5.33"

#: What the bridge uses, by module and name; with the number of arguments where it is called or replaced.
NAMES: dict[tuple[str, str], int | None] = {
    ("ministack.app", "app"): None,
    ("ministack.core.iam_evaluator", "resolve_caller_identity"): 1,
    ("ministack.core.responses", "get_region"): None,
    ("ministack.core.responses", "request_scope"): 2,
    ("ministack.services.acm", "_certificates"): None,
    ("ministack.services.alb", "_ACTION_MAP"): None,
    ("ministack.services.alb", "_action_xml"): 1,
    ("ministack.services.alb", "_error"): 2,
    ("ministack.services.alb", "_lb_attrs"): None,
    ("ministack.services.alb", "_lbs"): None,
    ("ministack.services.alb", "_listeners"): None,
    ("ministack.services.alb", "_parse_actions"): 2,
    ("ministack.services.alb", "_rules"): None,
    ("ministack.services.alb", "_tags"): None,
    ("ministack.services.alb", "_target_group_full_name_from_arn"): 1,
    ("ministack.services.alb", "_targets"): None,
    ("ministack.services.alb", "_tg_attrs"): None,
    ("ministack.services.alb", "_tgs"): None,
    ("ministack.services.alb", "_xml"): 3,
    ("ministack.services.alb", "handle_request"): 5,
    ("ministack.services.cloudformation", "_change_sets"): None,
    ("ministack.services.cloudformation", "_exports"): None,
    ("ministack.services.cloudformation", "_stack_events"): None,
    ("ministack.services.cloudformation", "_stacks"): None,
    ("ministack.services.cloudformation.engine", "CfnLoader"): None,
    ("ministack.services.cloudformation.engine", "_evaluate_conditions"): 2,
    ("ministack.services.cloudformation.engine", "_resolve_refs"): 7,
    ("ministack.services.cloudformation.handlers", "_ACTION_HANDLERS"): None,
    ("ministack.services.cloudformation.handlers", "_imported_export_names"): 2,
    ("ministack.services.cloudformation.helpers", "_error"): 2,
    ("ministack.services.cloudformation.helpers", "_xml"): 3,
    ("ministack.services.cloudformation.provisioners", "_CUSTOM_NAME_REPLACEMENT"): None,
    ("ministack.services.cloudformation.provisioners", "_REPLACING_PROPERTIES"): None,
    ("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"): None,
    ("ministack.services.cloudformation.provisioners", "_STACK_TAG_PROPERTY"): None,
    ("ministack.services.cloudformation.provisioners", "_elbv2_listener_actions"): 3,
    ("ministack.services.cloudformation.provisioners", "_physical_name"): 2,
    ("ministack.services.cloudformation.provisioners", "_replacing_change"): 3,
    ("ministack.services.cloudformation.stacks", "_add_event"): 7,
    ("ministack.services.cloudformation.stacks", "_delete_resource"): 5,
    ("ministack.services.cloudformation.stacks", "_provision_resource"): 4,
    ("ministack.services.cloudformation.stacks", "_resolve_stack_outputs"): 7,
    ("ministack.services.cloudformation.stacks", "_roll_back_operation"): 5,
    ("ministack.services.cloudformation.stacks", "_runs_on_worker_thread"): 1,
    ("ministack.services.cloudformation.stacks", "_sends_back_failed_update"): 1,
    ("ministack.services.cloudformation.stacks", "_update_resource"): 7,
    ("ministack.services.cloudwatch", "_alarms"): None,
    ("ministack.services.cloudwatch", "_cbor_ok"): 1,
    ("ministack.services.cloudwatch", "_cbor_timestamp"): 1,
    ("ministack.services.cloudwatch", "_dispatch_alarm_actions"): 4,
    ("ministack.services.cloudwatch", "_error"): 5,
    ("ministack.services.cloudwatch", "_evaluate_alarm"): 1,
    ("ministack.services.cloudwatch", "_evaluate_all_alarms"): 0,
    ("ministack.services.cloudwatch", "_evaluate_parent_alarms"): 1,
    ("ministack.services.cloudwatch", "_get_metric_data"): 4,
    ("ministack.services.cloudwatch", "_get_metric_statistics"): 4,
    ("ministack.services.cloudwatch", "_json_ok"): 1,
    ("ministack.services.cloudwatch", "_list_metrics"): 4,
    ("ministack.services.cloudwatch", "_put_composite_alarm"): 4,
    ("ministack.services.cloudwatch", "_put_metric_alarm"): 4,
    ("ministack.services.cloudwatch", "_put_metric_data"): 4,
    ("ministack.services.cloudwatch", "_record_history"): 4,
    ("ministack.services.cloudwatch", "_xml"): 3,
    ("ministack.services.budgets", "handle_request"): 5,
    ("ministack.services.cloudtrail", "handle_request"): 5,
    ("ministack.services.cloudwatch", "handle_request"): 5,
    ("ministack.services.cloudwatch", "record_metric"): 5,
    ("ministack.services.cloudwatch_logs", "handle_request"): 5,
    ("ministack.services.ec2", "handle_request"): 5,
    ("ministack.services.ecr", "_create_repository"): 1,
    ("ministack.services.ecr", "_repositories"): None,
    ("ministack.services.ecr", "handle_request"): 5,
    ("ministack.services.ecs", "_ACTION_MAP"): None,
    ("ministack.services.ecs", "_dispatch_action"): 2,
    ("ministack.services.ecs", "_tags"): None,
    ("ministack.services.eventbridge", "_apply_input_transformer"): 3,
    ("ministack.services.eventbridge", "_invoke_target"): 4,
    ("ministack.services.eventbridge", "_pattern_event_view"): 1,
    ("ministack.services.eventbridge", "_put_events"): 2,
    ("ministack.services.eventbridge", "handle_request"): 5,
    ("ministack.services.iam", "_IAM_HANDLERS"): None,
    ("ministack.services.iam", "_error"): 3,
    ("ministack.services.iam", "handle_request"): 5,
    ("ministack.services.iam", "reset"): 0,
    ("ministack.services.rds", "_ACTION_MAP"): None,
    ("ministack.services.rds", "_clusters"): None,
    ("ministack.services.route53", "_default_records"): 1,
    ("ministack.services.route53", "_hc_id"): 0,
    ("ministack.services.route53", "_health_checks"): None,
    ("ministack.services.route53", "_records"): None,
    ("ministack.services.route53", "_tags"): None,
    ("ministack.services.route53", "_zones"): None,
    ("ministack.services.s3", "_bucket_policies"): None,
    ("ministack.services.s3", "_bucket_tags"): None,
    ("ministack.services.s3", "_delete_bucket"): 1,
    ("ministack.services.secretsmanager", "handle_request"): 5,
    ("ministack.services.sns", "handle_request"): 5,
    ("ministack.services.sns", "publish_internal"): 3,
    ("ministack.services.ssm", "handle_request"): 5,
    ("ministack.services.waf", "handle_request"): 5,
}


class MinistackChanged(Exception):
    """The installed ministack lacks something that local AWS uses.

    Args:
        missing: What it lacks.
    """

    def __init__(self, missing: str) -> None:
        installed = importlib.metadata.version("ministack")
        super().__init__(
            f"ministack {installed} has no {missing}; gitops-scaffold {__version__} was tested with ministack {TESTED}"
        )


def check() -> None:
    """Look up every name that `ministack_bridge` uses.

    Raises:
        MinistackChanged: A name does not exist, or its function takes other arguments.
    """
    for (module, name), arguments in NAMES.items():
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):  # Something that ministack itself needs.
                raise
            found = None
        if found is None:
            raise MinistackChanged(f"{module}.{name}")
        if arguments is not None and not _takes(found, arguments):
            raise MinistackChanged(f"{module}.{name} with {arguments} arguments")


def _takes(function: Callable[..., object], arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    return True
