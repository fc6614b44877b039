"""What calls of ECS's API name, and how ministack's ECS is answered for."""

from __future__ import annotations

from typing import ClassVar

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError
from scaffold.local.wire import Response


class EcsApi(AwsService):
    """Operations of ECS that run something."""

    name = "ecs"
    invalid_input = "InvalidParameterException"
    operations: ClassVar[tuple[str, ...]]

    def install(self) -> None:
        """Monkeypatch ministack's ECS to answer these operations so."""
        for operation in self.operations:
            ministack_bridge.answer_action("ecs", operation, self._answering(operation))

    def _answering(self, operation: str) -> Handler:
        def answer(parameters: Document) -> Response:
            response = self.respond(Call(operation, parameters, ministack_bridge.get_region()))
            kind = {"Content-Type": "application/x-amz-json-1.1"}
            return response.status, {**kind, **response.headers}, response.content

        return answer


def cluster_of(call: Call) -> str:
    """The ARN of the cluster that a call names."""
    name = call.parameters.get("cluster", "default").rpartition("/")[2]
    found = ministack_bridge.call("ecs", "DescribeClusters", {"clusters": [name]}, call.region)["clusters"]
    if not found:
        raise ServiceError("ClusterNotFoundException", "Cluster not found.")
    return str(found[0]["clusterArn"])


def service_arn(call: Call, reference: str) -> str:
    """The ARN of a service of that cluster, by its name or ARN."""
    cluster = call.parameters.get("cluster", "default").rpartition("/")[2]
    return f"arn:aws:ecs:{call.region}:{ACCOUNT}:service/{cluster}/{reference.rpartition('/')[2]}"


def definition_of(reference: str, region: str) -> Document:
    """An active task definition, by its family, with or without a revision, or its ARN."""
    given = {"taskDefinition": reference}
    try:
        found: Document = ministack_bridge.call("ecs", "DescribeTaskDefinition", given, region)["taskDefinition"]
    except ServiceError as error:
        raise ServiceError("ClientException", "TaskDefinition not found.") from error
    if found["status"] != "ACTIVE":
        raise ServiceError("ClientException", "TaskDefinition is inactive")
    return found
