"""Starts what runs the services of local AWS, and puts it in place of ministack's."""

from __future__ import annotations

from pathlib import Path

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.clock import Clock
from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.credentials import AssumeRole, Credentials
from scaffold.engine.databases.databases import Databases
from scaffold.engine.events import EventStream
from scaffold.engine.tasks.aws import Aws
from scaffold.engine.tasks.images import Images
from scaffold.engine.tasks.runner import Host
from scaffold.engine.tasks.services import Services
from scaffold.engine.tasks.single_tasks import SingleTasks
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.services.ecs import EcsServices
from scaffold.local.services.ecs_tasks import EcsTasks
from scaffold.local.services.faults import FaultControl
from scaffold.local.services.load_balancing import LoadBalancing
from scaffold.local.services.service_list import ServiceList


def run_services(
    state: Path,
    endpoint: str,
    clock: Clock,
    events: EventStream,
    balancers: Balancers,
    assume: AssumeRole,
    engine: ContainerEngine | None,
    databases: Databases,
) -> tuple[EcsServices, ServiceList, FaultControl]:
    """Run services and load balancers from now on.

    Args:
        state: The state directory.
        endpoint: The URL of local AWS.
        balancers: Send requests to the tasks.
        assume: Gives tasks the credentials of their roles.
        engine: Runs the images that do not run as processes.
        databases: What tasks reach beside local AWS itself.
    """
    aws = Aws(endpoint, Credentials(ACCESS_KEY, SECRET_KEY), assume)
    host = Host(aws, Images(endpoint, state / "images", engine), balancers, engine, databases)
    LoadBalancing(balancers).install()
    services = Services(host, clock, events)
    EcsTasks(services, SingleTasks(host, clock)).install()
    api = EcsServices(services)
    api.install()
    return api, ServiceList(services, balancers), FaultControl(services)
