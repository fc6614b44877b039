"""Monkeypatches ministack and calls its functions from inside its process.

No other package uses ministack's names. Most of them are private, so any release may change them: this is why
`ministack_names` lists each of them, and local AWS does not start with a ministack that lacks one. The functions
that wrap raise MinistackChanged where there is nothing to wrap.
"""

from __future__ import annotations

from ministack.app import app as app
from ministack.core.responses import get_region as get_region

from scaffold.local.ministack_bridge.actions import Handler as Handler
from scaffold.local.ministack_bridge.actions import after_changes as after_changes
from scaffold.local.ministack_bridge.actions import after_iam_reset as after_iam_reset
from scaffold.local.ministack_bridge.actions import answer_action as answer_action
from scaffold.local.ministack_bridge.actions import elb_error as elb_error
from scaffold.local.ministack_bridge.actions import elb_response as elb_response
from scaffold.local.ministack_bridge.actions import handler_of as handler_of
from scaffold.local.ministack_bridge.actions import iam_error as iam_error
from scaffold.local.ministack_bridge.actions import stack_error as stack_error
from scaffold.local.ministack_bridge.actions import stack_response as stack_response
from scaffold.local.ministack_bridge.actions import wrap_action as wrap_action
from scaffold.local.ministack_bridge.calls import bucket_policy as bucket_policy
from scaffold.local.ministack_bridge.calls import call as call
from scaffold.local.ministack_bridge.calls import database_clusters as database_clusters
from scaffold.local.ministack_bridge.calls import delete_bucket as delete_bucket
from scaffold.local.ministack_bridge.calls import secret_arn as secret_arn
from scaffold.local.ministack_bridge.calls import task_roles as task_roles
from scaffold.local.ministack_bridge.cloudwatch import alarm_records as alarm_records
from scaffold.local.ministack_bridge.cloudwatch import answer_cloudwatch as answer_cloudwatch
from scaffold.local.ministack_bridge.cloudwatch import change_alarm_state as change_alarm_state
from scaffold.local.ministack_bridge.cloudwatch import replace_alarm_evaluation as replace_alarm_evaluation
from scaffold.local.ministack_bridge.cloudwatch import replace_recorded_metrics as replace_recorded_metrics
from scaffold.local.ministack_bridge.cloudwatch import wrap_alarm_settings as wrap_alarm_settings
from scaffold.local.ministack_bridge.cloudwatch import wrap_composite_alarms as wrap_composite_alarms
from scaffold.local.ministack_bridge.containers import ecs_tags as ecs_tags
from scaffold.local.ministack_bridge.containers import refine_creation_times as refine_creation_times
from scaffold.local.ministack_bridge.events import publish_event as publish_event
from scaffold.local.ministack_bridge.events import wrap_rule_targets as wrap_rule_targets
from scaffold.local.ministack_bridge.identities import caller_arn as caller_arn
from scaffold.local.ministack_bridge.load_balancers import correct_target_group_names as correct_target_group_names
from scaffold.local.ministack_bridge.load_balancers import is_protected as is_protected
from scaffold.local.ministack_bridge.load_balancers import keep_weights as keep_weights
from scaffold.local.ministack_bridge.load_balancers import listener_records as listener_records
from scaffold.local.ministack_bridge.load_balancers import load_balancer_records as load_balancer_records
from scaffold.local.ministack_bridge.load_balancers import rule_records as rule_records
from scaffold.local.ministack_bridge.load_balancers import tag_listener_rules as tag_listener_rules
from scaffold.local.ministack_bridge.load_balancers import target_group_records as target_group_records
from scaffold.local.ministack_bridge.names import add_health_check as add_health_check
from scaffold.local.ministack_bridge.names import add_hosted_zone as add_hosted_zone
from scaffold.local.ministack_bridge.names import certificate_tags as certificate_tags
from scaffold.local.ministack_bridge.names import change_health_check as change_health_check
from scaffold.local.ministack_bridge.names import delete_health_check as delete_health_check
from scaffold.local.ministack_bridge.resource_types import Created as Created
from scaffold.local.ministack_bridge.resource_types import Delete as Delete
from scaffold.local.ministack_bridge.resource_types import generated_name as generated_name
from scaffold.local.ministack_bridge.resource_types import register as register
from scaffold.local.ministack_bridge.resource_types import tag_buckets as tag_buckets
from scaffold.local.ministack_bridge.resource_types import tag_property as tag_property
from scaffold.local.ministack_bridge.resource_types import updatable as updatable
from scaffold.local.ministack_bridge.resource_types import wait_for as wait_for
from scaffold.local.ministack_bridge.resource_types import wrap_changes as wrap_changes
from scaffold.local.ministack_bridge.resource_types import wrap_create as wrap_create
from scaffold.local.ministack_bridge.resource_types import wrap_delete as wrap_delete
from scaffold.local.ministack_bridge.stacks import Exports as Exports
from scaffold.local.ministack_bridge.stacks import Provisioning as Provisioning
from scaffold.local.ministack_bridge.stacks import add_stack_event as add_stack_event
from scaffold.local.ministack_bridge.stacks import change_set_records as change_set_records
from scaffold.local.ministack_bridge.stacks import conditions_of as conditions_of
from scaffold.local.ministack_bridge.stacks import delete_export as delete_export
from scaffold.local.ministack_bridge.stacks import exports as exports
from scaffold.local.ministack_bridge.stacks import imports as imports
from scaffold.local.ministack_bridge.stacks import keep_deleted_stack as keep_deleted_stack
from scaffold.local.ministack_bridge.stacks import parse_templates_once as parse_templates_once
from scaffold.local.ministack_bridge.stacks import resolve as resolve
from scaffold.local.ministack_bridge.stacks import stack_records as stack_records
from scaffold.local.ministack_bridge.stacks import stack_tags as stack_tags
from scaffold.local.ministack_bridge.stacks import wrap_output_values as wrap_output_values
from scaffold.local.ministack_bridge.stacks import wrap_outputs as wrap_outputs
from scaffold.local.ministack_bridge.stacks import wrap_provisioning as wrap_provisioning
from scaffold.local.ministack_bridge.stacks import wrap_rollback as wrap_rollback
from scaffold.local.ministack_bridge.topics import wrap_publishing as wrap_publishing
