"""What ECS does at other services for a deployment: shifts traffic by a listener rule, and reads alarms."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.balancer.rules import weighted_groups
from scaffold.engine.clock import Clock
from scaffold.engine.executors.clients import alarms_of, message_of
from scaffold.engine.tasks.aws import Aws
from scaffold.engine.tasks.service import AlarmsSeen, AskAlarms, Shifted, ShiftRefused, ShiftTraffic

_logger = logging.getLogger(__name__)
_UNASSOCIATED = "Both targetGroup and alternateTargetGroup must be associated with the productionListenerRule."


class Traffic:
    """Makes these calls one after the other, in a thread of its own: their caller holds a lock.

    Args:
        clock: For the moments at which alarms were read.
    """

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="ecs-traffic", daemon=True).start()

    def shift(
        self, settings: Mapping[str, Any], order: ShiftTraffic, done: Callable[[Shifted | ShiftRefused], None]
    ) -> None:
        """Change the weights of a listener rule.

        Args:
            settings: Of the service, whose only load balancer has this rule.
            done: Called with the result.
        """
        self._calls.put(lambda: done(self._shift(settings, order)))

    def read_alarms(self, region: str, asked: AskAlarms, done: Callable[[AlarmsSeen], None]) -> None:
        """Read the states of alarms, and call a function with them."""
        self._calls.put(lambda: done(self._read_alarms(region, asked)))

    def _run(self) -> None:
        while True:
            call = self._calls.get()
            try:
                call()
            except Exception:  # One service must not end the deployments of all others.
                _logger.exception("A call for a deployment has failed")

    def _shift(self, settings: Mapping[str, Any], order: ShiftTraffic) -> Shifted | ShiftRefused:
        alternate, test = order.alternate, order.test
        try:
            (balancer,) = settings["loadBalancers"]
            advanced = balancer["advancedConfiguration"]
            groups = balancer["targetGroupArn"], advanced["alternateTargetGroupArn"]
            rule = advanced["testListenerRule" if test else "productionListenerRule"]
            elb = self._aws.of_service(settings).client("elbv2", rule.split(":")[3])
            found = [action for one in elb.describe_rules(RuleArns=[rule])["Rules"] for action in one["Actions"]]
            if not set(groups) <= {group["TargetGroupArn"] for action in found for group in weighted_groups(action)}:
                return ShiftRefused(alternate, _UNASSOCIATED if found else "One or more rules not found", test)
            elb.modify_rule(RuleArn=rule, Actions=[_forward(groups, weights(alternate))])
        except ClientError as error:
            return ShiftRefused(alternate, message_of(error), test)
        except (BotoCoreError, LookupError, TypeError, ValueError) as error:  # Such as a rule that is not an ARN.
            return ShiftRefused(alternate, str(error), test)
        return Shifted(alternate, test)

    def _read_alarms(self, region: str, asked: AskAlarms) -> AlarmsSeen:
        moment = self._clock.now()
        try:
            found = alarms_of(self._aws.client("cloudwatch", region), asked.names)
        except (ClientError, BotoCoreError):
            _logger.exception("The alarms of a deployment could not be read")
            return AlarmsSeen(asked.deployment, moment, None)
        ringing = {one["AlarmName"]: _since(one) for one in found if one["StateValue"] == "ALARM"}
        return AlarmsSeen(asked.deployment, moment, ringing)


def weights(alternate: float) -> tuple[int, int]:
    """The weights of the target group and the alternate one, by the percentage of the latter with its decimal."""
    whole = round(alternate * 10)
    return (100 - whole // 10, whole // 10) if whole % 10 == 0 else (1000 - whole, whole)


def _since(alarm: Mapping[str, Any]) -> float:
    moment = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    return float(moment.timestamp())


def _forward(groups: tuple[str, str], shares: tuple[int, int]) -> dict[str, Any]:
    targets = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, shares, strict=True)]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}
