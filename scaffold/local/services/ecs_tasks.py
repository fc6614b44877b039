"""ECS's API for tasks: those of services, and those that RunTask starts."""

from __future__ import annotations

from scaffold.engine.tasks.services import Services
from scaffold.engine.tasks.single_tasks import SingleTasks
from scaffold.local.protocol import Call, Document, ServiceError
from scaffold.local.services.ecs_api import EcsApi, cluster_of, definition_of

_RUN_TASK = {"clientToken", "cluster", "count", "launchType", "networkConfiguration", "startedBy", "taskDefinition"}


class EcsTasks(EcsApi):
    """Tasks of services and single ones."""

    operations = ("DescribeTasks", "ListTasks", "RunTask", "StopTask")

    def __init__(self, services: Services, singles: SingleTasks) -> None:
        self._services = services
        self._singles = singles

    def list_tasks(self, call: Call) -> Document:
        """List a cluster's tasks."""
        given = call.parameters
        wanted = {"desiredStatus": given.get("desiredStatus", "RUNNING")}
        if "serviceName" in given:
            wanted["group"] = f"service:{given['serviceName'].rpartition('/')[2]}"
        if "startedBy" in given:
            wanted["startedBy"] = given["startedBy"]
        found = [
            task["taskArn"]
            for task in self._tasks(call)
            if all(task.get(key) == value for key, value in wanted.items())
            and given.get("family") in (None, task["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0])
        ]
        return {"taskArns": found}

    def describe_tasks(self, call: Call) -> Document:
        """Describe tasks, also those that have stopped lately."""
        known = {task["taskArn"].rpartition("/")[2]: task for task in self._tasks(call)}
        references = [(one, known.get(one.rpartition("/")[2])) for one in call.parameters["tasks"]]
        failures = [{"arn": one, "reason": "MISSING"} for one, task in references if task is None]
        return {"tasks": [task for _, task in references if task], "failures": failures}

    def stop_task(self, call: Call) -> Document:
        """Stop a task; its service starts another one."""
        found = self.describe_tasks(Call("", {**call.parameters, "tasks": [call.parameters["task"]]}, call.region))
        if not found["tasks"]:
            raise ServiceError("InvalidParameterException", "The referenced task was not found.")
        task: Document = found["tasks"][0]
        for tasks in (self._services, self._singles):
            tasks.stop_task(task["taskArn"], call.parameters.get("reason", "Task stopped by user"))
        return {"task": task}

    def run_task(self, call: Call) -> Document:
        """Start a task without a service."""
        given = call.parameters
        if unknown := sorted(given.keys() - _RUN_TASK):
            raise ServiceError("UnsupportedFeatureException", f"not rehearsed: {unknown[0]} of RunTask")
        if "awsvpcConfiguration" not in (given.get("networkConfiguration") or {}):
            raise ServiceError(
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            )
        definition = definition_of(given["taskDefinition"], call.region)
        task = self._singles.run(cluster_of(call), definition, given.get("startedBy", ""), given.get("clientToken", ""))
        return {"tasks": [task], "failures": []}

    def _tasks(self, call: Call) -> list[Document]:
        cluster = cluster_of(call)
        return [*self._services.tasks(cluster), *self._singles.tasks(cluster)]
