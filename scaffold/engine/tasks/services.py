"""Runs the services of a local AWS: carries out what the deployments' state machine decides."""

from __future__ import annotations

import functools
import threading
import uuid
from dataclasses import replace
from typing import Any

from scaffold.core.faults import Fault
from scaffold.engine.balancer.configuration import Address
from scaffold.engine.balancer.health import TargetHealth
from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream
from scaffold.engine.tasks.addresses import Addresses
from scaffold.engine.tasks.announcer import Announcer
from scaffold.engine.tasks.deployment import begin, step
from scaffold.engine.tasks.documents import Document, advance_task, new_task, service_document
from scaffold.engine.tasks.faulty import Faults
from scaffold.engine.tasks.record import Record, health_of, rules_of, test_rules
from scaffold.engine.tasks.revisions import current_deployment, service_deployments, service_revision
from scaffold.engine.tasks.rollout import new_deployment
from scaffold.engine.tasks.runner import Host, Order, Runner
from scaffold.engine.tasks.service import (
    AskAlarms,
    Checked,
    Continued,
    Effect,
    Event,
    Health,
    Message,
    Paused,
    RolloutChanged,
    Running,
    ShiftTraffic,
    StartTask,
    Stopped,
    StopRequested,
    StopTask,
    Tick,
    Updated,
)
from scaffold.engine.tasks.traffic import Traffic
from scaffold.engine.tasks.worker import Worker

_TICK_SECONDS = 0.5
_KEPT_TASKS = 50


class Services:
    """All services. May be used from any thread.

    Args:
        clock: For the timestamps.
    """

    def __init__(self, host: Host, clock: Clock, events: EventStream) -> None:
        self._host = host
        self._clock = clock
        self._announcer = Announcer(events, clock)
        self._records: dict[str, Record] = {}
        self._addresses = Addresses()
        self._traffic = Traffic(host.aws, clock)
        self._faults = Faults(host.balancers)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._worker = Worker("ecs-services", self._tick, _TICK_SECONDS, self._busy)
        host.balancers.subscribe(self._target_changed)
        self._worker.start()

    def create(self, settings: Document, definition: Document, desired: int) -> str:
        """Create a service; return the id of its first deployment."""
        with self._lock:
            now = self._clock.now()
            deployment = new_deployment(definition["taskDefinitionArn"], now)
            state, effects = begin(settings["serviceName"], desired, rules_of(settings, self._clock), deployment, now)
            record = Record(settings, {definition["taskDefinitionArn"]: definition}, state)
            self._records[settings["serviceArn"]] = record
            self._carry_out(record, effects)
            return deployment.identifier

    def update(self, arn: str, changes: Document, definition: Document | None, desired: int | None) -> str | None:
        """Change a service.

        Args:
            definition: Of the new deployment, where the change needs one.

        Returns:
            The id of the new deployment.
        """
        with self._lock:
            record = self._records[arn]
            tested = test_rules(record.settings)
            record.settings |= changes
            if test_rules(record.settings) != tested:  # Nothing is known of the weights of another rule.
                record.state = replace(record.state, tested=None, test_ordered=None)
            deployment = None
            if definition is not None:
                record.definitions[definition["taskDefinitionArn"]] = definition
                deployment = new_deployment(definition["taskDefinitionArn"], self._clock.now())
            wanted = record.state.desired if desired is None else desired
            self._handle(record, Updated(wanted, rules_of(record.settings, self._clock), deployment))
            return deployment.identifier if deployment else None

    def delete(self, arn: str) -> None:
        """Stop a service's tasks for good."""
        with self._lock:
            record = self._records[arn]
            record.deleted = True
            self._handle(record, Updated(0, rules_of(record.settings, self._clock)))

    def describe(self, arn: str) -> Document | None:
        """A service as DescribeServices returns it; None if there is none."""
        with self._lock:
            record = self._records.get(arn)
            if record is None:
                return None
            described = service_document(record.settings, record.state, list(record.events), record.deleted)
            return described | current_deployment(record.settings, record.state)

    def arns(self, cluster: str) -> list[str]:
        """The services of a cluster, by its ARN, that are not deleted."""
        with self._lock:
            found = [(arn, one) for arn, one in self._records.items() if not one.deleted]
            return [arn for arn, one in found if one.settings["clusterArn"] == cluster]

    def active(self) -> list[Document]:
        """The services of all regions that are not deleted, as DescribeServices returns them."""
        with self._lock:
            return [found for arn, one in self._records.items() if not one.deleted and (found := self.describe(arn))]

    def deployments(self, arn: str) -> list[Document]:
        """The deployments of a service, the newest first."""
        with self._lock:
            record = self._records[arn]
            return service_deployments(record.settings, record.state)

    def revision(self, arn: str, deployment: str) -> Document | None:
        """A service revision as DescribeServiceRevisions returns it; None if there is none.

        Args:
            deployment: The last part of the revision's ARN.
        """
        with self._lock:
            record = self._records.get(arn)
            return service_revision(record, deployment) if record else None

    def stop_deployment(self, arn: str, rollback: bool) -> None:
        """End the deployment that is in progress."""
        with self._lock:
            self._handle(self._records[arn], StopRequested(rollback))

    def continue_deployment(self, arn: str, rollback: bool) -> None:
        """End the pause of the deployment that is in progress."""
        with self._lock:
            self._handle(self._records[arn], Continued(rollback))

    def inject(self, service: str, fault: Fault | None) -> None:
        """Let the newest version of the services with a name have a fault, or none."""
        with self._lock:
            self._faults.replace(service, fault)
            for record in self._records.values():
                self._faults.strike(record)

    def tasks(self, cluster: str) -> list[Document]:
        """The tasks of a cluster, by its ARN, those included that have stopped lately."""
        with self._lock:
            found = [t for one in self._records.values() for t in one.tasks.values() if t["clusterArn"] == cluster]
            return [{**task, "containers": [dict(one) for one in task["containers"]]} for task in found]

    def stop_task(self, arn: str, reason: str) -> None:
        """Stop a task as StopTask does."""
        identifier = arn.rpartition("/")[2]
        with self._lock:
            for record in self._records.values():
                if identifier in record.runners:
                    record.runners[identifier].stop("UserInitiated", reason)

    def wait(self, arn: str, deployment: str | None, seconds: float) -> None:
        """Wait until a deployment has ended, or without one until the service is steady.

        Raises:
            DeploymentFailed: It failed, or another one has taken its place.
            TimeoutError: Neither has happened in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._records[arn].settled(deployment), seconds):
                raise TimeoutError

    def wait_deleted(self, arn: str, seconds: float) -> None:
        """Wait until all tasks of a deleted service have stopped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._records[arn].state.tasks, seconds)

    def _busy(self) -> bool:
        with self._lock:
            return any(record.busy for record in self._records.values())

    def _tick(self) -> None:
        with self._lock:
            for record in list(self._records.values()):
                if record.busy:
                    self._handle(record, Tick())

    def _handle(self, record: Record, event: Event) -> None:
        record.state, effects = step(record.state, event, self._clock.now())
        self._carry_out(record, effects)

    def _later(self, record: Record, event: Event) -> None:
        """Handle an event that comes from another thread."""

        def handle() -> None:
            with self._lock:
                self._handle(record, event)

        self._worker.put(handle)

    def _carry_out(self, record: Record, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case StartTask():
                    self._start(record, effect)
                case StopTask():
                    record.runners[effect.task].stop("ServiceSchedulerInitiated", effect.reason)
                case ShiftTraffic():
                    self._traffic.shift(record.settings, effect, functools.partial(self._later, record))
                case AskAlarms():
                    self._traffic.read_alarms(record.region, effect, functools.partial(self._later, record))
                case Message():
                    event = {"id": str(uuid.uuid4()), "createdAt": self._clock.now(), "message": effect.text}
                    record.events.insert(0, event)
                case Paused():
                    self._announcer.pause(record.settings, effect.deployment)
                case RolloutChanged():
                    self._announcer.rollout(record.settings, effect)
        self._changed.notify_all()
        self._worker.wake()

    def _start(self, record: Record, start: StartTask) -> None:
        definition = record.definitions[start.definition]
        arn = record.settings["serviceArn"]
        groups = record.target_groups(start.group)
        ip = self._addresses.give(arn, start.task, tuple(group for group, _, _ in groups))
        document = new_task(record.settings, start.task, start.deployment, definition, ip, self._clock.now())
        record.tasks[start.task] = document
        fault = self._faults.of(record, start.definition)
        exits, balancing = fault is not None and fault.exits, self._host.aws.of_service(record.settings)
        order = Order(start.task, record.region, definition, ip, groups, balancing, exits)
        self._faults.strike(record)

        def changed(**change: Any) -> None:
            self._worker.put(lambda: self._task_changed(arn, start.task, change))

        self._announcer.task(document)
        record.runners[start.task] = Runner(self._host, order, changed)

    def _task_changed(self, arn: str, identifier: str, change: Document) -> None:
        with self._lock:
            record = self._records[arn]
            document = record.tasks[identifier]
            advance_task(document, change, self._clock.now())
            self._announcer.task(document)
            status, health = change.get("status"), change.get("health")
            if status == "RUNNING":
                target = Health.UNKNOWN if record.settings.get("loadBalancers") else Health.UNCHECKED
                container = Health.UNKNOWN if health else Health.UNCHECKED
                self._handle(record, Running(identifier, container, self._known_target(identifier, target)))
            elif status == "STOPPED":
                del record.runners[identifier]
                self._faults.strike(record)
                self._forget(record, identifier)
                self._handle(record, Stopped(identifier, change["stop_code"] == "UserInitiated"))
            elif health:
                self._handle(record, Checked(identifier, container=Health(health)))

    def _known_target(self, identifier: str, default: Health) -> Health:
        """The health of a target that was checked before its task was reported to run."""
        for group, ip in self._addresses.targets(identifier):
            known = [one for address, one in self._host.balancers.health(group).items() if address[0] == ip]
            return health_of(known[0]) if known else default
        return default

    def _forget(self, record: Record, identifier: str) -> None:
        self._addresses.forget(identifier)
        stopped = [one for one, task in record.tasks.items() if task["lastStatus"] == "STOPPED"]
        for old in stopped[:-_KEPT_TASKS]:
            del record.tasks[old]

    def _target_changed(self, group: str, address: Address, health: TargetHealth) -> None:
        """Called in the event loop of the load balancers."""
        self._worker.put(lambda: self._note_target(group, address[0], health))

    def _note_target(self, group: str, ip: str, health: TargetHealth) -> None:
        with self._lock:
            target = self._addresses.target(group, ip)
            if target and health.state in ("healthy", "unhealthy"):
                service, task = target
                self._handle(self._records[service], Checked(task, target=health_of(health)))
