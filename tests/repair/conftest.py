"""The same local AWS and services as for deploying."""

from tests.deploy.conftest import aws, deployed, deployments, local_variables, service, wire

__all__ = ["aws", "deployed", "deployments", "local_variables", "service", "wire"]
