"""ECS's API for services. Clusters and task definitions stay with ministack."""

from __future__ import annotations

import json
import time

from scaffold.engine.tasks.revisions import BRIEF
from scaffold.engine.tasks.services import Services
from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import ACCOUNT, Call, Document, ServiceError
from scaffold.local.services.ecs_api import EcsApi, cluster_of, definition_of, service_arn
from scaffold.local.services.ecs_checks import CHECKED, check
from scaffold.local.wire import Response

#: A change of one of these needs a new deployment.
_REDEPLOYED = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
)
_NOT_SETTINGS = ("clientToken", "cluster", "desiredCount", "forceNewDeployment", "service", "tags", "taskDefinition")
_STOPPABLE = ("PENDING", "IN_PROGRESS")


class EcsServices(EcsApi):
    """Services and their deployments."""

    operations = (
        "ContinueServiceDeployment",
        "CreateService",
        "DeleteService",
        "DescribeServiceDeployments",
        "DescribeServiceRevisions",
        "DescribeServices",
        "ListServiceDeployments",
        "ListServices",
        "StopServiceDeployment",
        "UpdateService",
    )

    def __init__(self, services: Services) -> None:
        self.services = services

    def install(self) -> None:
        """Also add the counts of services and tasks to ministack's clusters."""
        super().install()
        ministack_bridge.wrap_action("ecs", "DescribeClusters", self._count)

    def _count(self, parameters: Document, original: Handler) -> Response:
        """Add the counts of services and tasks to ministack's answer."""
        status, headers, body = original(parameters)
        if status >= 400:
            return status, headers, body
        answer = json.loads(body)
        for cluster in answer["clusters"]:
            arns = self.services.arns(cluster["clusterArn"])
            found = [one for arn in arns if (one := self.services.describe(arn))]
            cluster["activeServicesCount"] = len(found)
            cluster["runningTasksCount"] = sum(one["runningCount"] for one in found)
            cluster["pendingTasksCount"] = sum(one["pendingCount"] for one in found)
        return status, headers, json.dumps(answer).encode()

    def hold_limits(self, region: str, target: Document) -> None:
        """Bring a service's desired count within the limits of its scalable target."""
        if target["ScalableDimension"] != "ecs:service:DesiredCount":
            return
        _, cluster, name = target["ResourceId"].split("/")
        arn = service_arn(Call("", {"cluster": cluster}, region), name)
        desired = self._service(arn)["desiredCount"]
        held = min(max(desired, target["MinCapacity"]), target["MaxCapacity"])
        if held != desired:
            self.services.update(arn, {}, None, held)

    def create_service(self, call: Call) -> Document:
        """Create a service."""
        given, cluster = call.parameters, cluster_of(call)
        arn = service_arn(call, given["serviceName"])
        existing = self.services.describe(arn)
        if existing and existing["status"] != "INACTIVE":
            raise ServiceError("InvalidParameterException", "Creation of service was not idempotent.")
        definition = definition_of(given.get("taskDefinition", ""), call.region)
        check(given)
        if (given.get("deploymentConfiguration") or {}).get("lifecycleHooks"):
            raise ServiceError(
                "UnsupportedFeatureException", "not rehearsed: lifecycle hooks of the first deployment of a service"
            )
        settings = {key: value for key, value in given.items() if key not in _NOT_SETTINGS} | {
            "serviceArn": arn,
            "clusterArn": cluster,
            "createdAt": time.time(),
            "createdBy": f"arn:aws:iam::{ACCOUNT}:root",
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
        }
        ministack_bridge.ecs_tags()[arn] = given.get("tags", [])
        self.services.create(settings, definition, given.get("desiredCount", 0))
        return {"service": self._service(arn)}

    def update_service(self, call: Call) -> Document:
        """Change a service; start a deployment where the change needs one."""
        given, arn = call.parameters, self._known(call)
        service = self._service(arn)
        check({name: service[name] for name in CHECKED if name in service} | given)
        changes = {key: value for key, value in given.items() if key not in _NOT_SETTINGS}
        wanted = definition_of(given.get("taskDefinition") or service["taskDefinition"], call.region)
        needed = (
            given.get("forceNewDeployment")
            or wanted["taskDefinitionArn"] != service["taskDefinition"]
            or any(key in changes and changes[key] != service.get(key) for key in _REDEPLOYED)
        )
        self.services.update(arn, changes, wanted if needed else None, given.get("desiredCount"))
        return {"service": self._service(arn)}

    def delete_service(self, call: Call) -> Document:
        """Stop a service's tasks and delete it."""
        arn = self._known(call)
        if self._service(arn)["desiredCount"] > 0 and not call.parameters.get("force"):
            raise ServiceError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        self.services.delete(arn)
        return {"service": self._service(arn)}

    def describe_services(self, call: Call) -> Document:
        """Describe services; deleted ones too."""
        cluster_of(call)
        found, failures = [], []
        for reference in call.parameters["services"]:
            arn = service_arn(call, reference)
            service = self.services.describe(arn)
            if service is None:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            if "TAGS" in call.parameters.get("include", []):
                service["tags"] = ministack_bridge.ecs_tags().get(arn, [])
            found.append(service)
        return {"services": found, "failures": failures}

    def list_services(self, call: Call) -> Document:
        """List a cluster's services."""
        return {"serviceArns": self.services.arns(cluster_of(call))}

    def list_service_deployments(self, call: Call) -> Document:
        """List the deployments of a service, the newest first."""
        wanted = call.parameters.get("status")
        found = [one for one in self.services.deployments(self._known(call)) if not wanted or one["status"] in wanted]
        return {"serviceDeployments": [{key: one[key] for key in BRIEF if key in one} for one in found]}

    def describe_service_deployments(self, call: Call) -> Document:
        """Describe deployments."""
        found = [self._deployment(arn) for arn in call.parameters["serviceDeploymentArns"]]
        for one in found:
            del one["targetServiceRevisionArn"]
        return {"serviceDeployments": found, "failures": []}

    def describe_service_revisions(self, call: Call) -> Document:
        """Describe what services were configured to run, with the target groups of their tasks."""
        found, failures = [], []
        for arn in call.parameters["serviceRevisionArns"]:
            service, _, deployment = arn.replace(":service-revision/", ":service/").rpartition("/")
            revision = self.services.revision(service, deployment)
            if revision is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(revision)
        return {"serviceRevisions": found, "failures": failures}

    def stop_service_deployment(self, call: Call) -> Document:
        """End a deployment, and roll it back unless told otherwise."""
        arn = call.parameters["serviceDeploymentArn"]
        deployment = self._deployment(arn)
        if deployment["status"] not in _STOPPABLE:
            raise ServiceError("ConflictException", "The service deployment has ended or is being rolled back.")
        rollback = call.parameters.get("stopType", "ROLLBACK") == "ROLLBACK"
        self.services.stop_deployment(deployment["serviceArn"], rollback)
        return {"serviceDeploymentArn": arn}

    def continue_service_deployment(self, call: Call) -> Document:
        """End the pause of a deployment; roll it back if told so."""
        arn, hook = call.parameters["serviceDeploymentArn"], call.parameters["hookId"]
        deployment = self._deployment(arn)
        if hook not in [one["hookId"] for one in deployment.get("lifecycleHookDetails", [])]:
            raise ServiceError("ConflictException", f"The hook {hook} does not await an action.")
        rollback = call.parameters.get("action", "CONTINUE") == "ROLLBACK"
        self.services.continue_deployment(deployment["serviceArn"], rollback)
        return {"serviceDeploymentArn": arn}

    def _known(self, call: Call) -> str:
        """The ARN of the service that a call names."""
        cluster_of(call)
        arn = service_arn(call, call.parameters["service"])
        service = self.services.describe(arn)
        if service is None:
            raise ServiceError("ServiceNotFoundException", "Service not found.")
        if service["status"] != "ACTIVE" and call.operation == "UpdateService":
            raise ServiceError("ServiceNotActiveException", "Service was not ACTIVE.")
        return arn

    def _service(self, arn: str) -> Document:
        service = self.services.describe(arn)
        if service is None:
            raise ServiceError("ServiceNotFoundException", "Service not found.")
        return service

    def _deployment(self, arn: str) -> Document:
        service = arn.replace(":service-deployment/", ":service/").rpartition("/")[0]
        if self.services.describe(service):
            for one in self.services.deployments(service):
                if one["serviceDeploymentArn"] == arn:
                    return one
        raise ServiceError("ServiceDeploymentNotFoundException", f"There is no service deployment {arn}")
