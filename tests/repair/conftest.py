"""The same local AWS and services as for deploying."""

from tests.deploy.conftest import aws, local_variables, service, wire

__all__ = ["aws", "local_variables", "service", "wire"]
