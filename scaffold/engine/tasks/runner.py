"""Runs one task: image, secrets, log stream, process, registration with the target group, and its end."""

from __future__ import annotations

import functools
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.databases.databases import Databases
from scaffold.engine.tasks import engine_containers
from scaffold.engine.tasks.aws import Aws
from scaffold.engine.tasks.containers import TEMPORARY, mounts, program_of, read_secrets
from scaffold.engine.tasks.images import CannotStart, Image, Images
from scaffold.engine.tasks.logs import LogStream
from scaffold.engine.tasks.processes import Process, Program, free_port, namespaces, node
from scaffold.engine.tasks.relay import close_relay, open_relay

_DRAIN_POLL_SECONDS = 0.1
_REQUESTED_EXIT = "This task was requested to exit at its start"
_DEFAULT_REASON = "Essential container in task exited"


@dataclass(frozen=True)
class Host:
    """What all tasks share.

    Attributes:
        engine: Runs images that do not run as processes; None where there is no container engine.
        databases: What tasks reach beside local AWS itself.
    """

    aws: Aws
    images: Images
    balancers: Balancers
    engine: ContainerEngine | None = None
    databases: Databases | None = None


@dataclass(frozen=True)
class Order:
    """What a task is to run.

    Attributes:
        ip: Its private address, which only the load balancers know.
        exits: Whether it exits at its start, in place of what it would run.
        target_groups: The ARN of each target group with the name and port of the container that is its target.
        balancing: How its target groups are changed; by default with local AWS's own permissions.
    """

    identifier: str
    region: str
    definition: dict[str, Any]
    ip: str
    target_groups: tuple[tuple[str, str, int], ...] = ()
    balancing: Aws | None = None
    exits: bool = False


class Runner:
    """A task that runs in threads of its own.

    Args:
        changed: Called with `status` and, where known, `health`, `exit_code`, `digest`, `stop_code` and `reason`.
    """

    def __init__(self, host: Host, order: Order, changed: Callable[..., None]) -> None:
        self._host = host
        self._order = order
        self._changed = changed
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._ordered: tuple[str, str] | None = None
        self._exit_code: int | None = None
        self._failure: str | None = None
        threading.Thread(target=self._run, name=f"task-{order.identifier[:8]}", daemon=True).start()

    def stop(self, code: str, reason: str) -> None:
        """Deregister the target, then stop the process. Returns at once."""
        with self._lock:
            if self._ordered is not None:
                return
            self._ordered = (code, reason)
            process = self._process
        if process is not None:
            threading.Thread(target=self._stop, args=(process,), daemon=True).start()

    def _stop(self, process: Process) -> None:
        self._changed(status="DEACTIVATING")
        self._deregister()
        self._changed(status="STOPPING")
        process.stop()

    def _run(self) -> None:
        code, reason = "TaskFailedToStart", ""
        try:
            self._start_and_wait()
        except CannotStart as error:
            reason = str(error)
        except (OSError, ClientError, BotoCoreError) as error:
            reason = f"CannotStartContainerError: {error}"
        except Exception as error:  # Without an end of the task, its deployment waits for hours.
            traceback.print_exc()  # The log of local AWS.
            reason = f"CannotStartContainerError: {type(error).__name__}: {error}"
        else:
            code, reason = ("EssentialContainerExited", _DEFAULT_REASON)
        finally:
            self._host.balancers.delete_route(self._order.ip)
        if self._failure is not None:
            code, reason = "TaskFailedToStart", f"CannotStartContainerError: {self._failure}"
        code, reason = self._ordered or (code, reason)
        self._changed(status="STOPPED", stop_code=code, reason=reason, exit_code=self._exit_code)

    def _start_and_wait(self) -> None:
        # The agent pulls, reads secrets and logs with the execution role; the application has the task role.
        aws = self._host.aws.of_role(self._order.definition.get("executionRoleArn", ""), self._order.identifier)
        try:
            self._start_with(aws)
        finally:
            if aws is not self._host.aws:
                aws.close()

    def _start_with(self, aws: Aws) -> None:
        container, order = self._container(), self._order
        self._changed(status="PENDING")
        token = _registry_token(aws, order.region) if "executionRoleArn" in order.definition else ""
        image = self._host.images.pull(container["image"], token)
        secrets = read_secrets(container, functools.partial(_client, aws, order.region))
        logs = LogStream(container, order.identifier, functools.partial(_client, aws, order.region))
        task_role = order.definition.get("taskRoleArn", "")
        variables = aws.variables(order.region, task_role, order.identifier) | secrets | self._database_variables()
        with self._temporary(container, image) as variable:
            self._run_program(aws, image, logs, *self._program(container, image, variables | variable))

    @contextmanager
    def _temporary(self, container: dict[str, Any], image: Image) -> Iterator[dict[str, str]]:
        """The variable of the directory that a process has in place of a volume for temporary files."""
        if image.container or TEMPORARY not in mounts(container, self._order.definition.get("volumes", [])):
            yield {}
            return
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=self._host.images.folder) as folder:
            yield {"TMPDIR": folder}

    def _run_program(self, aws: Aws, image: Image, logs: LogStream, program: Program, ports: dict[int, int]) -> None:
        if self._order.exits:
            program = replace(program, command=["/bin/sh", "-c", f"echo '{_REQUESTED_EXIT}'; exit 1"])
        process = None
        try:
            with self._lock:
                if self._ordered is None:
                    process = self._process = Process(program, [aws.address[1], *self._database_ports()])
        finally:
            if process is None:
                self._discard(program)
        if process is None:
            return
        relays: list[Any] = []
        try:
            self._open_relays(process, relays)
            copying = logs.copy(process.log)
            self._host.balancers.route(self._order.ip, lambda port: process.connect(ports.get(port, port)))
            process.listen(functools.partial(self._heard, image.digest, program.health is not None))
            self._deregister()
            copying.join()
        finally:
            process.kill()
            for relay in relays:
                self._host.balancers.run(close_relay(relay))
            process.close()

    def _discard(self, program: Program) -> None:
        """Remove the container of a task that was stopped before its start, or cannot be started."""
        if program.container is not None:
            subprocess.run(program.container.remove, env=program.environment, capture_output=True, check=False)

    def _program(
        self, container: dict[str, Any], image: Image, variables: dict[str, str]
    ) -> tuple[Program, dict[int, int]]:
        """What to start, and the ports that it gets in place of its containerPorts."""
        volumes = self._order.definition.get("volumes", [])
        if image.container and self._host.engine is not None:
            name = f"task-{self._order.identifier}"
            return engine_containers.create(self._host.engine, name, container, image.container, variables, volumes), {}
        mapped = [int(one["containerPort"]) for one in container.get("portMappings", [])]
        ports = {} if namespaces() else {port: free_port() for port in mapped}
        return program_of(container, image, variables, node(), ports, volumes), ports

    def _open_relays(self, process: Process, opened: list[Any]) -> None:
        host = self._host.aws.address[0]
        while process.listeners:
            port, listener = process.listeners.popitem()
            opened.append(self._host.balancers.run(open_relay(listener, host, port)))

    def _database_variables(self) -> dict[str, str]:
        """Lets Node trust the authority that has signed the certificates of databases in place of Amazon RDS."""
        ports = self._database_ports()
        return {"NODE_EXTRA_CA_CERTS": str(self._host.databases.authority)} if ports and self._host.databases else {}

    def _database_ports(self) -> list[int]:
        return self._host.databases.ports() if self._host.databases else []

    def _heard(self, digest: str, checked: bool, said: dict[str, Any]) -> None:
        if "started" in said:
            self._changed(status="ACTIVATING", digest=digest)
            if refusal := self._register():
                self.stop("TaskFailedToStart", refusal)
            else:
                self._changed(status="RUNNING", health="UNKNOWN" if checked else None)
        elif "health" in said:
            self._changed(health=said["health"])
        elif "exited" in said:
            self._exit_code = said["exited"]
        elif "failed" in said:
            self._failure = said["failed"]

    def _container(self) -> dict[str, Any]:
        # A task goes on without the containers that are not essential, such as a collector: they are not started here.
        containers = [one for one in self._order.definition["containerDefinitions"] if one.get("essential", True)]
        if len(containers) != 1:
            raise CannotStart("CannotStartContainerError: not rehearsed: tasks with several essential containers")
        container: dict[str, Any] = containers[0]
        return container

    def _register(self) -> str:
        """Register the target; why not, where ECS may not do so."""
        for group, _, port in self._order.target_groups:
            target = [{"Id": self._order.ip, "Port": port}]
            _, refusal = self._elb("register_targets", TargetGroupArn=group, Targets=target)
            if refusal:
                return f"failed to register targets in (target-group {group}) with (error {refusal})"
        return ""

    def _deregister(self) -> None:
        """Deregister the target, and wait until its requests have ended or the deregistration delay has passed."""
        for group, _, port in self._order.target_groups:
            target = [{"Id": self._order.ip, "Port": port}]
            deregistered, _ = self._elb("deregister_targets", TargetGroupArn=group, Targets=target)
            while deregistered and (self._order.ip, port) in self._host.balancers.health(group):
                time.sleep(_DRAIN_POLL_SECONDS)

    def _elb(self, operation: str, **parameters: Any) -> tuple[bool, str]:
        """Call Elastic Load Balancing: whether it succeeded, and AWS's message where permissions are missing.

        It fails, too, where the target group was deleted, or local AWS is ending.
        """
        aws = self._order.balancing or self._host.aws
        try:
            getattr(aws.client("elbv2", self._order.region), operation)(**parameters)
        except ClientError as error:
            said = error.response["Error"]
            return False, said.get("Message", "") if said.get("Code") == "AccessDenied" else ""
        except BotoCoreError:
            return False, ""
        return True, ""


def _registry_token(aws: Aws, region: str) -> str:
    """The authorization token for the registry."""
    try:
        (data,) = aws.client("ecr", region).get_authorization_token()["authorizationData"]
    except ClientError as error:
        reason = error.response["Error"].get("Message", "")
        raise CannotStart(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry "
            f"auth: service call has been retried 1 time(s): AccessDeniedException: {reason}"
        ) from error
    return str(data["authorizationToken"])


def _client(aws: Aws, region: str, service: str, other_region: str | None = None) -> Any:
    return aws.client(service, other_region or region)
